"""The checkers and converters of tools/datasets."""

import csv
import importlib.util
import json
import runpy
import sys
from pathlib import Path

import pytest

from finsta.datasets import MSVD, MSVDQA
from finsta.datasets.check import check_splits, print_report
from finsta.synthvl.writing import Plan, generate
from finsta.utils.annotation_files import AnnotationError

pytest.importorskip('av')
TOOLS = Path(__file__).resolve().parents[2] / 'tools' / 'datasets'


def tool(name):
    spec = importlib.util.spec_from_file_location(name.replace('/', '_'), TOOLS / f'{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_whole_data_set_passes(msvd_root, capsys):
    report = check_splits(MSVD, msvd_root, dict(train=3, val=1, test=1), open_videos=True)
    assert print_report('MSVD', report)
    assert 'MSVD train: ok; 3 of 3 rows, 3 of 3 videos' in capsys.readouterr().out


def test_what_is_missing_is_told(msvd_root, capsys):
    clips = msvd_root / 'YouTubeClips'
    (clips / 'aa_0_1.mp4').unlink()
    (clips / 'bb_0_2.avi').unlink()
    (clips / 'bb_0_2.avi').write_bytes(b'no video')
    (msvd_root / 'val_qa.json').write_text('[')
    report = check_splits(MSVDQA, msvd_root, dict(train=6, val=2, test=3), open_videos=True)
    assert not print_report('MSVD-QA', report)
    assert report['train']['videos'] == 2 and report['train']['videos_listed'] == 3
    assert list(report['train']['unreadable']) == [str(clips / 'bb_0_2.avi')]
    assert 'not valid JSON' in report['val']['error'] and report['test']['rows'] == 2
    assert 'bb_0_2.avi: no decoder recognises it' in capsys.readouterr().out


def test_what_is_left_out_is_counted_once(msvd_root):
    (msvd_root / 'train_list.txt').write_text(
        (msvd_root / 'train_list.txt').read_text() + 'zz_9_10\n')
    report = check_splits(MSVD, msvd_root, dict(train=3))
    assert report['train']['skipped'] == {'video_without_caption': 1}


@pytest.mark.parametrize('name', ['msvd', 'msvd_qa', 'msrvtt', 'msrvtt_qa', 'webvid'])
def test_each_data_set_has_a_check(name, tmp_path, monkeypatch, capsys):
    """On what SynthVL writes in its layout: complete, but smaller than the publication."""
    layout = name.removesuffix('_qa')
    generate(Plan(layout, 'tiny', counts=(2, 1, 1), pairs=0), tmp_path, progress=False)

    def check(*args):
        monkeypatch.setattr(sys, 'argv', ['check.py', str(tmp_path), *args])
        with pytest.raises(SystemExit) as done:
            runpy.run_path(str(TOOLS / name / 'check.py'), run_name='__main__')
        return done.value.code, capsys.readouterr().out

    status, said = check('--open')
    assert 'train: ' in said and ', 2 of 2 videos' in said
    assert (status, said.count('INCOMPLETE')) == ((0, 0) if name == 'webvid' else (1, 3))
    videos = [p for p in tmp_path.rglob('*') if p.suffix in ('.mp4', '.avi')]
    min(videos).unlink()  # the first one is of the training split
    status, said = check()
    assert status == 1 and ', 1 of 2 videos' in said


@pytest.mark.parametrize('form', ['csv', 'txt'])
def test_released_descriptions_become_caption_files(msvd_root, form):
    before = MSVD(data_root=str(msvd_root), split=('train', 'val', 'test'), rows='video')
    rows = [(s.video_id, c) for i in range(len(before))
            for s in [before.get_sample(i)] for c in s.captions]
    source = msvd_root / f'all.{form}'
    if form == 'txt':
        source.write_text('# a comment\n' + ''.join(f'{v} {c}\n' for v, c in rows))
    else:
        with open(source, 'w', newline='') as file:
            writer = csv.writer(file)
            writer.writerow(['VideoID', 'Start', 'End', 'WorkerID', 'Language', 'Description'])
            writer.writerows([*v.rsplit('_', 2), 1, 'English', c] for v, c in rows)
            writer.writerow(['aa', 0, 1, 2, 'German', 'ein Ding'])
    for name in ('training_label.json', 'testing_label.json'):
        (msvd_root / name).unlink()
    written = tool('msvd/convert').convert(source, msvd_root)
    assert written == {'training_label.json': 4, 'testing_label.json': 1}
    after = MSVD(data_root=str(msvd_root), split=('train', 'val', 'test'), rows='video')
    assert [after.get_sample(i) for i in range(5)] == [before.get_sample(i) for i in range(5)]
    source.write_text('aa_0_1\n') if form == 'txt' else source.write_text('VideoID\naa\n')
    with pytest.raises(AnnotationError):
        tool('msvd/convert').convert(source, msvd_root)


def test_question_table_becomes_the_original_layout(msvd_root):
    rows = json.loads((msvd_root / 'train_qa.json').read_text())
    with open(msvd_root / 'q.csv', 'w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(['video', 'width', 'height', 'question', 'answer', 'qid'])
        writer.writerows([r['video_id'], 9, 9, r['question'], r['answer'], r['id']] for r in rows)
    target = msvd_root / 'again.json'
    assert tool('msvd_qa/convert').convert(msvd_root / 'q.csv', target) == len(rows)
    assert json.loads(target.read_text()) == rows

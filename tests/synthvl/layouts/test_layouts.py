"""Written files have the keys and types of the published ones."""

import csv
import json
import os
from pathlib import Path

import pytest

from finsta.datasets import WebVid
from finsta.parsing.corpus import import_gold
from finsta.parsing.store import GraphStore
from finsta.synthvl.layouts import LAYOUTS
from finsta.synthvl.writing import Plan, generate

SHARED = Path(os.environ.get('FINSTA_SHARED_DATA',
                             Path(__file__).parents[4] / 'shared' / 'data')) / 'annotations'


@pytest.fixture(scope='module')
def roots(tmp_path_factory):
    out = tmp_path_factory.mktemp('layouts')
    for name in ('msvd', 'msrvtt', 'webvid'):
        generate(Plan(name, 'tiny', counts=(3, 1, 2), pairs=0,
                      captions=LAYOUTS[name].captions), out / name, progress=False)
    return out


def _load(path):
    return json.loads(path.read_text())


def test_msvd(roots):
    root = roots / 'msvd'
    rows = _load(root / 'training_label.json') + _load(root / 'testing_label.json')
    assert len(rows) == 6
    mapping = dict(line.split() for line in (root / 'youtube_mapping.txt').read_text()
                   .splitlines())
    for row in rows:
        assert set(row) == {'caption', 'id'} and 3 <= len(row['caption']) <= 5
        assert (root / 'YouTubeClips' / row['id']).is_file()
        assert mapping[row['id'][:-4]].startswith('vid')
    numbers = {int(v[3:]) for v in mapping.values()}
    for split in ('train', 'val', 'test'):
        table = list(csv.DictReader((root / f'{split}.csv').open()))
        questions = _load(root / f'{split}_qa.json')
        assert [int(t['qid']) for t in table] == [q['id'] for q in questions]
        for q, t in zip(questions, table, strict=True):
            assert q['video_id'] in numbers and q['question'] == q['question'].lower()
            assert (q['answer'], q['question']) == (t['answer'], t['question'] + '?')


def test_msrvtt(roots):
    root = roots / 'msrvtt'
    data = _load(root / 'train_val_videodatainfo.json')
    ids = {v['video_id'] for v in data['videos']}
    assert {s['video_id'] for s in data['sentences']} == ids and len(ids) == 4
    assert all((root / 'videos' / 'all' / f'{i}.mp4').is_file() for i in ids)
    assert {v['split'] for v in data['videos']} == {'train', 'validate'}


def test_webvid(roots, tmp_path):
    """One caption a video, no questions; read by the loader, whose ids find the gold graphs."""
    root = roots / 'webvid'
    assert [len(_load(root / f'{split}.json')) for split in ('train', 'val', 'test')] == [3, 1, 2]
    for row in _load(root / 'train.json'):
        assert set(row) == {'video', 'caption'} and row['caption']
        assert (root / 'videos' / row['video']).is_file()
    assert _load(root / 'synthvl.json')['questions'] == 0
    data = WebVid(data_root=str(root))
    assert data.coverage == (3, 3)
    with GraphStore(tmp_path / 'graphs', readonly=False) as store:
        for table in ('videos', 'texts'):
            import_gold(root, store, table)
    for i in range(3):
        sample = data.get_sample(i)
        assert store.get_video(sample.video_id) and store.get_text(sample.text, sample.video_id)


def test_webvid_names_repeat_across_folders():
    layout = LAYOUTS['webvid']
    ids = [layout.video_id(number, 3) for number in range(1, 102)]
    assert len(set(ids)) == 101
    assert (ids[0], ids[50], ids[100]) == ('000001_000050/1', '000051_000100/1',
                                           '000101_000150/1')


def _same_keys(ours, theirs):
    assert set(ours) == set(theirs)
    for key, value in theirs.items():
        assert isinstance(ours[key], type(value)), key


@pytest.mark.skipif(not SHARED.is_dir(), reason=f'no published annotation files at {SHARED}')
def test_keys_and_types_are_the_published_ones(roots):
    _same_keys(_load(roots / 'msvd' / 'training_label.json')[0],
               _load(SHARED / 'msvd' / 'training_label.sample20.json')[0])
    _same_keys(_load(roots / 'msvd' / 'val_qa.json')[0],
               _load(SHARED / 'msvd_qa' / 'original_layout_val_qa.sample20.json')[0])
    for ours, theirs in ((roots / 'msvd' / 'val.csv', SHARED / 'msvd_qa' / 'val.csv'),
                         (roots / 'msrvtt' / 'val.csv', SHARED / 'msrvtt_qa' / 'val.csv'),
                         (roots / 'msrvtt' / 'test_1kA.csv',
                          SHARED / 'msrvtt' / 'msrvtt_test_1kA_miech.csv')):
        assert ours.open().readline() == theirs.open().readline()
    ours = _load(roots / 'msrvtt' / 'test_videodatainfo.json')
    theirs = _load(SHARED / 'msrvtt' / 'test_videodatainfo.sample20.json')
    _same_keys(ours['videos'][0], theirs['videos'][0])
    _same_keys(ours['sentences'][0], theirs['sentences'][0])
    assert set(ours) == set(theirs)

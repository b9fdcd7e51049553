"""MSR-VTT's partitions and MSRVTT-QA: layouts and documented complaints."""

import json
import zipfile

import pytest

from finsta.datasets import MSRVTT, MSRVTTQA
from finsta.utils.annotation_files import AnnotationError

SPLITS = {0: 'train', 1: 'train', 2: 'validate', 3: 'test', 4: 'test'}


@pytest.fixture
def root(tmp_path, clip_file):
    clips = tmp_path / 'videos' / 'all'
    clips.mkdir(parents=True)
    for k in SPLITS:
        (clips / f'video{k}.mp4').symlink_to(clip_file)
    for name, keep in (('train_val', ('train', 'validate')), ('test', ('test',))):
        videos = [k for k, split in SPLITS.items() if split in keep]
        sentences = [{'caption': f'{word} {k}', 'video_id': f'video{k}',
                      'sen_id': 10 * k + (word == 'second')}
                     for word in ('second', 'first') for k in reversed(videos)]
        (tmp_path / f'{name}_videodatainfo.json').write_text(json.dumps({
            'info': {}, 'sentences': sentences,
            'videos': [{'video_id': f'video{k}', 'split': SPLITS[k], 'id': k, 'category': 1}
                       for k in videos]}))
    (tmp_path / 'test_1kA.csv').write_text('key,vid_key,video_id,sentence\n'
                                           'ret0,msr4,video4,"a pair, with a comma"\n')
    return tmp_path


def samples(data):
    return [data.get_sample(i) for i in range(len(data))]


def videos(root, split, partition, **kwargs):
    return [s.video_id for s in samples(MSRVTT(data_root=str(root), split=split, rows='video',
                                               partition=partition, **kwargs))]


def test_partitions(root):
    assert videos(root, 'train', 'full') == ['video0', 'video1']
    assert videos(root, 'val', 'full') == ['video2']
    assert videos(root, 'test', 'full') == ['video3', 'video4']
    assert videos(root, 'train', '7k') == ['video0', 'video1', 'video2']
    assert videos(root, 'train', '1k-A') == ['video0', 'video1', 'video2', 'video3']
    assert videos(root, 'test', '1k-A') == videos(root, 'val', '7k') == ['video4']
    (root / 'train_list_jsfusion.txt').write_text('video1\nvideo3\n')
    assert videos(root, 'train', '1k-A') == ['video1', 'video3']
    with pytest.raises(ValueError, match="use 'full'"):
        MSRVTT(data_root=str(root), partition='1k-B')
    with pytest.raises(ValueError, match='different kinds'):
        videos(root, ('train', 'test'), '1k-A')


def test_captions_are_ordered_by_their_number(root):
    rows = samples(MSRVTT(data_root=str(root), split='test', test_mode=True))
    assert rows[0].captions == ('first 3', 'second 3')
    assert rows[0].caption_ids == ('video3#30', 'video3#31')
    single = samples(MSRVTT(data_root=str(root)))
    assert [(s.text, s.sample_id) for s in single[:2]] == [('first 0', 'video0#0'),
                                                           ('second 0', 'video0#1')]
    pair = samples(MSRVTT(data_root=str(root), split='test', partition='1k-A', test_mode=True))
    assert pair[0].captions == ('a pair, with a comma',)


def test_zipped_info_files(root):
    plain = videos(root, 'train', 'full')
    for name in ('train_val', 'test'):
        path = root / f'{name}_videodatainfo.json'
        with zipfile.ZipFile(root / f'{name}.zip', 'w') as file:
            file.write(path, path.name)
        path.unlink()
    found = videos(root, 'train', 'full', ann_file=[
        'train_val.zip/train_val_videodatainfo.json', 'test.zip/test_videodatainfo.json'])
    assert found == plain


def edit(path, change):
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


def test_contradictions_are_named(root):
    path = root / 'test_videodatainfo.json'
    edit(path, lambda d: d['sentences'].append({'caption': 'x', 'video_id': 'video9',
                                                'sen_id': 99}))
    with pytest.raises(AnnotationError, match=r'sentences\[4\].*video9 is not among'):
        MSRVTT(data_root=str(root))
    edit(path, lambda d: d['sentences'].__setitem__(4, d['sentences'][0]))
    with pytest.raises(AnnotationError, match=r'test_videodatainfo.json.*sentences\[4\].*twice'):
        MSRVTT(data_root=str(root))
    edit(path, lambda d: d.update(sentences=[], videos=[d['videos'][0]] * 2))
    with pytest.raises(AnnotationError, match='video3 is listed twice'):
        MSRVTT(data_root=str(root))
    edit(path, lambda d: d.update(videos=[{'video_id': 'video3', 'split': 'dev'}]))
    with pytest.raises(AnnotationError, match="'dev', expected one of"):
        MSRVTT(data_root=str(root))


def test_questions_in_both_forms(root):
    rows = [{'answer': 'dog', 'id': 7, 'question': 'what barks?', 'video_id': 1}]
    (root / 'train_qa.json').write_text(json.dumps(rows))
    (sample,) = samples(MSRVTTQA(data_root=str(root)))
    assert (sample.video_id, sample.answer, sample.answer_id) == ('video1', 'dog', 0)
    (root / 'train_qa.json').unlink()
    (root / 'train.csv').write_text('video,question,answer,qid,type\n1,what barks,dog,7,3\n')
    (sample,) = samples(MSRVTTQA(data_root=str(root)))
    assert (sample.video_id, sample.text, sample.sample_id) == ('video1', 'what barks', 'qa7')


def test_the_published_partitions_have_their_sizes(shared_data, tmp_path, monkeypatch):
    """Rows counted on the real files, no video needed."""
    notes = shared_data / 'annotations' / 'msrvtt'
    if not (notes / 'train_val_annotation.zip').is_file():
        pytest.skip(f'no MSR-VTT annotations in {notes}')
    files = [f'{notes}/train_val_annotation.zip/train_val_videodatainfo.json',
             f'{notes}/test_videodatainfo.json.zip/test_videodatainfo.json']

    def count(split, partition):
        data = MSRVTT(ann_file=files, split=split, partition=partition, rows='video',
                      data_root=str(notes), lazy_init=True)
        return sum(1 for _ in data.load_rows())

    assert [count(s, 'full') for s in ('train', 'val', 'test')] == [6513, 497, 2990]
    assert (count('train', '1k-A'), count('test', '1k-A')) == (9000, 1000)


def test_a_pair_without_a_sentence_is_counted(root):
    path = root / 'test_1kA.csv'
    path.write_text(path.read_text().rstrip('\n') + '\nret9,msr3,video3,"  "\n')
    data = MSRVTT(data_root=str(root), split='test', partition='1k-A', test_mode=True)
    assert all(s.text for s in samples(data))
    assert data.tally.summary() == {'empty_caption': 1}
    train = MSRVTT(data_root=str(root), partition='1k-A')
    assert 'video3' not in {s.video_id for s in samples(train)}  # still held out


def test_a_test_pair_in_the_training_list_is_counted(root):
    (root / 'train_list_jsfusion.txt').write_text('video1\nvideo4\n')
    data = MSRVTT(data_root=str(root), partition='1k-A', rows='video')
    assert data.tally.summary() == {'video_in_two_splits': 1} and len(data) == 2
    (root / 'test_1kA.csv').unlink()  # training needs no pairs
    assert not MSRVTT(data_root=str(root), partition='1k-A').tally.summary()

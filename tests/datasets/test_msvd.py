"""MSVD captions: rows, merging, and every documented complaint."""

import gzip
import json

import pytest

from finsta.datasets import MSVD
from finsta.utils.annotation_files import AnnotationError


def edit(path, change):
    rows = json.loads(path.read_text())
    change(rows)
    path.write_text(json.dumps(rows))


def test_rows_by_caption_and_by_video(msvd_root):
    by_caption = MSVD(data_root=str(msvd_root))
    assert [by_caption.get_sample(i).sample_id for i in range(len(by_caption))] == [
        'aa_0_1#0', 'aa_0_1#1', 'bb_0_2#0', 'bb_0_2#1', 'cc-d_3_4#0', 'cc-d_3_4#1']
    assert by_caption.get_sample(3).text == 'bb_0_2 goes left'
    test = MSVD(data_root=str(msvd_root), split='test', test_mode=True)
    sample = test.get_sample(0)
    assert len(test) == 1 and sample.video_id == 'ee_5_9'
    assert sample.captions == ('a thing ee_5_9 moves', 'ee_5_9 goes left')
    assert sample.caption_ids == ('ee_5_9#0', 'ee_5_9#1') and sample.text == sample.captions[0]


def test_caption_files_are_merged_and_read_packed(msvd_root):
    more = msvd_root / 'more.json.gz'
    more.write_bytes(gzip.compress(json.dumps(
        [{'id': 'aa_0_1.avi', 'caption': ['aa_0_1 goes left', 'another one']}]).encode()))
    data = MSVD(['training_label.json', 'more.json'], data_root=str(msvd_root), rows='video')
    assert data.get_sample(0).captions == ('a thing aa_0_1 moves', 'aa_0_1 goes left',
                                           'another one')


def test_odd_captions_are_kept_and_empty_ones_counted(msvd_root):
    long = 'word ' * 10_000
    odd = ['', '  ', '😀', '一只猫', long.strip()]
    edit(msvd_root / 'training_label.json', lambda r: r[0].update(caption=odd))
    edit(msvd_root / 'training_label.json', lambda r: r[1].update(caption=['']))
    data = MSVD(data_root=str(msvd_root), rows='video')
    assert data.get_sample(0).captions == tuple(odd[2:])
    assert data.tally.summary() == {'empty_caption': 3, 'video_without_caption': 1}
    assert [data.get_sample(i).video_id for i in range(len(data))] == ['aa_0_1', 'cc-d_3_4']


@pytest.mark.parametrize('change,words', [
    (lambda r: r[1].pop('caption'), "row 1, key 'caption': is missing"),
    (lambda r: r[1].update(caption='a cat'), "row 1, key 'caption': is 'a cat'.*expected list"),
    (lambda r: r[1].update(caption=['a', 3]), "row 1, key 'caption': caption 1 is a int"),
    (lambda r: r[2].update(id=7), "row 2, key 'id'"),
    (lambda r: r.append(dict(r[0])), 'aa_0_1 stands in rows 0 and 3'),
    (lambda r: r.append('text'), 'row 3: is a str')])
def test_bad_annotation_names_file_row_and_key(msvd_root, change, words):
    edit(msvd_root / 'training_label.json', change)
    with pytest.raises(AnnotationError, match=words) as caught:
        MSVD(data_root=str(msvd_root))
    assert caught.value.path == str(msvd_root / 'training_label.json')


def test_video_listed_twice(msvd_root):
    with open(msvd_root / 'train_list.txt', 'a') as file:
        file.write('aa_0_1.avi\n')
    with pytest.raises(AnnotationError, match=r'aa_0_1 is listed twice \(rows 0 and 3\)'):
        MSVD(data_root=str(msvd_root))


def test_unreadable_json(msvd_root):
    (msvd_root / 'training_label.json').write_text('[{"id": ')
    with pytest.raises(AnnotationError, match='not valid JSON'):
        MSVD(data_root=str(msvd_root))


@pytest.mark.parametrize('line', ['aa_0_1 bb_0_2', 'zz_0_1.avi  extra', 'a video.avi'])
def test_a_list_line_with_blanks_is_named(msvd_root, line):
    with open(msvd_root / 'train_list.txt', 'a') as file:
        file.write(line + '\n')
    with pytest.raises(AnnotationError, match=f"train_list.txt, row 3: '{line}' is no video id"):
        MSVD(data_root=str(msvd_root))


def test_a_video_in_two_split_lists_is_counted_and_kept(msvd_root):
    with open(msvd_root / 'test_list.txt', 'a') as file:
        file.write('aa_0_1\n')
    train = MSVD(data_root=str(msvd_root), rows='video')
    test = MSVD(data_root=str(msvd_root), split='test', test_mode=True)
    for data in (train, test):
        assert data.tally.summary() == {'video_in_two_splits': 1}
        assert 'aa_0_1' in {data.get_sample(i).video_id for i in range(len(data))}
    assert not MSVD(data_root=str(msvd_root), split='val').tally.summary()
    (msvd_root / 'test_list.txt').unlink()  # a list that is not there is not asked for
    assert not MSVD(data_root=str(msvd_root)).tally.summary()

"""Minimal pairs: two rows a pair, whole pairs only."""

import json

import pytest

from finsta.datasets import MinimalPairs
from finsta.utils.annotation_files import AnnotationError

PAIRS = [dict(pair_id='p0', factor='order', videos=['aa_0_1', 'bb_0_2.avi'],
              captions=['a then b', 'b then a']),
         dict(pair_id=1, factor='adverb', videos=['cc-d_3_4', 'dd_0_1'],
              captions=['slowly', 'quickly'])]


def make(root, pairs=PAIRS, **kwargs):
    (root / 'minimal_pairs.json').write_text(json.dumps(pairs))
    return MinimalPairs(data_root=str(root), **kwargs)


def test_rows(msvd_root):
    data = make(msvd_root)
    rows = [data.get_sample(i) for i in range(len(data))]
    assert [(s.video_id, s.text, s.meta) for s in rows] == [
        ('aa_0_1', 'a then b', dict(pair_id='p0', factor='order', video=0)),
        ('bb_0_2', 'b then a', dict(pair_id='p0', factor='order', video=1)),
        ('cc-d_3_4', 'slowly', dict(pair_id='1', factor='adverb', video=0)),
        ('dd_0_1', 'quickly', dict(pair_id='1', factor='adverb', video=1))]
    assert all(rows[k].captions == ('a then b', 'b then a') for k in (0, 1))
    assert data.test_mode and len(make(msvd_root, factors=['adverb'])) == 2


def test_half_a_pair_is_left_out_and_counted(msvd_root):
    next((msvd_root / 'YouTubeClips').glob('dd_0_1.*')).unlink()
    data = make(msvd_root)
    assert len(data) == 2 and data.tally['half_a_pair'] == 1
    with pytest.raises(FileNotFoundError, match='both of its videos'):
        make(msvd_root, PAIRS[1:])


@pytest.mark.parametrize('change,words', [
    (dict(captions=['same', 'same']), 'two different strings'),
    (dict(captions=['one']), 'two different strings'), (dict(videos=['aa_0_1', 3]), 'videos'),
    (dict(factor=None), "key 'factor'")])
def test_bad_pairs(msvd_root, change, words):
    with pytest.raises(AnnotationError, match=words):
        make(msvd_root, [PAIRS[0] | change])


def test_pair_named_twice(msvd_root):
    with pytest.raises(AnnotationError, match="'p0/0' stands in rows 0 and 2"):
        make(msvd_root, [PAIRS[0], PAIRS[0]])

from itertools import islice

import pytest

from finsta.datasets.samplers import ResumableSampler


def _take(sampler, count):
    return [(int(i), i.seed) for i in islice(iter(sampler), count)]


def test_every_pass_is_another_permutation():
    drawn = [i for i, _ in _take(ResumableSampler(range(7), seed=0), 21)]
    passes = [drawn[k:k + 7] for k in (0, 7, 14)]
    assert all(sorted(p) == list(range(7)) for p in passes)
    assert passes[0] != passes[1] != passes[2]
    assert drawn != [i for i, _ in _take(ResumableSampler(range(7), seed=1), 21)]


def test_unshuffled_order():
    assert [i for i, _ in _take(ResumableSampler(range(3), shuffle=False, seed=0), 5)] \
        == [0, 1, 2, 0, 1]


def test_a_sample_gets_another_seed_in_each_pass():
    drawn = _take(ResumableSampler(range(5), seed=0), 15)
    assert len({seed for _, seed in drawn}) == 15


@pytest.mark.parametrize('iteration', [0, 1, 2, 5])
def test_seek_continues_where_the_uninterrupted_stream_is(iteration):
    whole = _take(ResumableSampler(range(7), seed=3), 40)
    sampler = ResumableSampler(range(7), seed=99)
    sampler.seek(iteration, batch_size=4, seed=3)
    assert _take(sampler, 12) == whole[iteration * 4:iteration * 4 + 12]


def test_processes_share_the_stream_without_overlap():
    whole = _take(ResumableSampler(range(7), seed=0), 24)
    parts = []
    for rank in range(2):
        sampler = ResumableSampler(range(7), seed=0)
        sampler.rank, sampler.world_size = rank, 2
        sampler.seek(1, batch_size=4, seed=0)
        parts.append(_take(sampler, 8))
    # iteration 1 of two processes with 4 each = positions 8..15 of the stream
    assert sorted(parts[0][:4] + parts[1][:4]) == sorted(whole[8:16])


def test_empty_data_set():
    with pytest.raises(ValueError, match='training set is empty'):
        ResumableSampler([], seed=0)

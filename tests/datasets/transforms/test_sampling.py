"""Which frames are chosen: segments, centres, randomness by seed."""

import numpy as np
import pytest

from finsta.datasets.transforms.sampling import sample_indices, segment_frames


@pytest.mark.parametrize('num_frames,num', [(8, 8), (9, 4), (100, 8), (7, 3), (1, 1), (3, 8)])
def test_indices_increase_and_stay_inside(num_frames, num):
    for mode in ('uniform', 'random', 'consecutive'):
        for training in (False, True):
            index = sample_indices(num_frames, num, mode, 2, training, np.random.RandomState(0))
            assert len(index) == min(num, num_frames)
            assert index[0] >= 0 and index[-1] < num_frames and (np.diff(index) > 0).all()


def test_uniform_takes_segment_centres():
    """Independent reference: the centre of [i n / k, (i + 1) n / k), in exact fractions."""
    from fractions import Fraction
    for n, k in ((16, 4), (17, 5), (100, 7)):
        expected = [int(Fraction(2 * i + 1, 2 * k) * n) for i in range(k)]
        assert sample_indices(n, k).tolist() == expected


def test_random_takes_one_of_each_segment_and_reaches_all():
    rng = np.random.RandomState(3)
    seen = set()
    for _ in range(300):
        index = sample_indices(10, 5, 'random', training=True, rng=rng)
        assert (index // 2).tolist() == [0, 1, 2, 3, 4]
        seen.update(index.tolist())
    assert seen == set(range(10))


def test_random_is_fixed_by_the_seed_and_uniform_in_test():
    draws = [sample_indices(50, 8, 'random', training=True, rng=np.random.RandomState(s)).tolist()
             for s in (1, 1, 2)]
    assert draws[0] == draws[1] != draws[2]
    np.random.seed(1)
    assert sample_indices(50, 8, 'random', training=True).tolist() == draws[0]
    assert sample_indices(50, 8, 'random').tolist() == sample_indices(50, 8).tolist()


def test_consecutive_keeps_its_stride_or_shrinks_it():
    assert sample_indices(30, 4, 'consecutive', 3).tolist() == [10, 13, 16, 19]
    assert np.diff(sample_indices(7, 4, 'consecutive', 9)).tolist() == [2, 2, 2]
    starts = {int(sample_indices(10, 4, 'consecutive', 2, True, np.random.RandomState(s))[0])
              for s in range(50)}
    assert starts == {0, 1, 2, 3}


def test_segments_in_seconds():
    times = np.arange(20) / 4
    assert segment_frames(times, None, None).tolist() == list(range(20))
    assert segment_frames(times, 1., 2.).tolist() == [4, 5, 6, 7, 8]
    assert segment_frames(times, 4., None).tolist() == [16, 17, 18, 19]
    assert segment_frames(times, 1.1, 1.15).tolist() in ([4], [5])  # between two frames
    assert segment_frames(times, 90., 99.).tolist() == [19]         # beyond the end
    with pytest.raises(ValueError, match='before it starts'):
        segment_frames(times, 3., 1.)


@pytest.mark.parametrize('kwargs', [dict(mode='dense'), dict(num=0), dict(stride=0),
                                    dict(num_frames=0)])
def test_bad_arguments(kwargs):
    with pytest.raises(ValueError):
        sample_indices(**{'num_frames': 5, 'num': 2, **kwargs})

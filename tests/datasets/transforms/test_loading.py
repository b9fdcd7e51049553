"""LoadVideoFrames: what it adds, segments, determinism, unreadable files."""

import numpy as np
import pytest

from finsta.datasets.transforms.loading import LoadVideoFrames
from finsta.datasets.transforms.video import VideoError, open_video
from finsta.structures import VideoTextSample
from tests.datasets.conftest import read_number

pytest.importorskip('av')


def load(path, test_mode=True, start=None, end=None, **kwargs):
    sample = VideoTextSample('v', str(path), sample_id='s', start=start, end=end)
    return LoadVideoFrames(**kwargs)({'sample': sample, 'test_mode': test_mode})


@pytest.mark.parametrize('cached', [False, True])
def test_adds_frames_mask_times_and_crop(clip_file, tmp_path, cached):
    cache = dict(root=str(tmp_path), short_side=64) if cached else None
    results = load(clip_file, num_frames=5, cache=cache)
    assert [read_number(f) for f in results['frames']] == [3, 9, 15, 21, 27]
    assert results['frames'].dtype == np.uint8 and results['frames'].shape == (5, 64, 96, 3)
    assert results['frame_mask'].tolist() == [True] * 5
    assert np.allclose(results['frame_times'], [.3, .9, 1.5, 2.1, 2.7], atol=.02)
    assert results['crop'].tolist() == [0, 0, 1, 1]


def test_segment_of_the_video(clip_file):
    results = load(clip_file, num_frames=3, start=.95, end=1.55)
    assert [read_number(f) for f in results['frames']] == [11, 13, 15]
    assert (results['frame_times'] >= .95).all() and (results['frame_times'] <= 1.55).all()


def test_short_video_gives_fewer_frames(clip_file):
    assert len(load(clip_file, num_frames=50)['frames']) == 30


def test_random_in_training_by_seed_and_fixed_in_test(clip_file):
    def draw(seed, test_mode):
        np.random.seed(seed)
        return load(clip_file, test_mode, num_frames=4, sampling='random')['frame_times'].tolist()
    assert draw(0, False) == draw(0, False) != draw(1, False)
    assert draw(0, True) == draw(1, True)


def test_in_test_mode_questions_in_a_row_decode_their_video_once(clip_file, monkeypatch):
    opened = []
    monkeypatch.setattr('finsta.datasets.transforms.loading.open_video',
                        lambda path, *args: opened.append(path) or open_video(path, *args))
    transform = LoadVideoFrames(num_frames=3)

    def frames(start=None, test_mode=True):
        sample = VideoTextSample('v', str(clip_file), start=start)
        return transform({'sample': sample, 'test_mode': test_mode})['frames']
    first = frames()
    whole = first.copy()
    first[:] = 0   # what a later transform does to its frames is its own
    assert np.array_equal(frames(), whole) and len(opened) == 1
    assert not np.array_equal(frames(start=1.), whole) and len(opened) == 2
    frames(test_mode=False), frames(test_mode=False)
    assert len(opened) == 4


def test_bad_segment_and_bad_file_raise_video_errors(clip_file, tmp_path):
    with pytest.raises(VideoError, match='row \'s\''):
        load(clip_file, num_frames=2, start=2., end=1.)
    with pytest.raises(VideoError, match='no such file'):
        load(tmp_path / 'none.mp4', num_frames=2)


@pytest.mark.parametrize('kwargs', [dict(num_frames=0), dict(num_frames=2, sampling='all')])
def test_bad_arguments(kwargs):
    with pytest.raises(ValueError):
        LoadVideoFrames(**kwargs)


def test_a_blank_video_fits_the_batch(clip_file, tmp_path):
    """With a cache and no ResizeFrames, frames have the cache's short side."""
    transform = LoadVideoFrames(num_frames=2, cache=dict(root=str(tmp_path), short_side=48))
    frames = transform({'sample': None, 'blank_video': True})['frames']
    assert frames.shape == (2, 48, 48, 3) and not frames.any()

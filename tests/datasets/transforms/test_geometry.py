"""Resizing and cropping keep book of the region that is still seen."""

import numpy as np
import pytest

from finsta.datasets.transforms.geometry import (
    CenterCropFrames,
    PadFrames,
    RandomCropFrames,
    ResizeFrames,
)
from finsta.datasets.transforms.video import VideoError
from finsta.structures import VideoTextSample

pytest.importorskip('cv2')


def make(height=60, width=120, num=3, test_mode=False):
    """Frames whose red is the column's and green the row's fraction of the source, times 200."""
    frames = np.zeros((num, height, width, 3), np.uint8)
    frames[..., 0] = (np.arange(width) + .5) / width * 200
    frames[..., 1] = ((np.arange(height) + .5) / height * 200)[:, None]
    return {'frames': frames, 'crop': np.array([0., 0., 1., 1.]), 'test_mode': test_mode,
            'frame_mask': np.ones(num, bool), 'frame_times': np.arange(num) / 2.}


def assert_crop_true(results):
    """The pixels in the corners say where they came from: that must be what ``crop`` says."""
    x0, y0, x1, y1 = results['crop']
    frame = results['frames'][0].astype(float) / 200
    height, width = frame.shape[:2]
    for i, j in ((0, 0), (0, width - 1), (height - 1, 0), (height - 1, width - 1)):
        assert frame[i, j, 0] == pytest.approx(x0 + (x1 - x0) * (j + .5) / width, abs=.03)
        assert frame[i, j, 1] == pytest.approx(y0 + (y1 - y0) * (i + .5) / height, abs=.03)


@pytest.mark.parametrize('pipeline', [
    [ResizeFrames(40)], [ResizeFrames((30, 30))], [ResizeFrames(90)],
    [ResizeFrames(40), CenterCropFrames(32)], [CenterCropFrames((20, 50)), CenterCropFrames(10)],
    [RandomCropFrames(48)], [RandomCropFrames(32, (.3, .7))], [RandomCropFrames((20, 60), (1, 1))],
    [ResizeFrames((50, 50)), RandomCropFrames(32, (.2, .9)), ResizeFrames(64)]])
@pytest.mark.parametrize('seed', range(3))
def test_crop_says_what_is_seen(pipeline, seed):
    np.random.seed(seed)
    results = make()
    before = results['frames'].copy()
    source = results['frames']
    for transform in pipeline:
        results = transform(results)
    assert_crop_true(results)
    assert np.array_equal(source, before)  # the input is not written to


def test_sizes():
    assert ResizeFrames(30)(make())['frames'].shape == (3, 30, 60, 3)
    assert ResizeFrames((24, 40))(make())['frames'].shape == (3, 24, 40, 3)
    assert CenterCropFrames((10, 20))(make())['crop'].tolist() == pytest.approx(
        [50 / 120, 25 / 60, 70 / 120, 35 / 60])
    out = RandomCropFrames((32, 16), (.1, .5))(make())
    assert out['frames'].shape == (3, 32, 16, 3)
    x0, y0, x1, y1 = out['crop']
    assert (x1 - x0) * 120 / ((y1 - y0) * 60) == pytest.approx(.5, rel=.1)  # aspect is kept


def test_random_crop_by_seed_same_for_all_frames_and_centred_in_test():
    def crop(seed, test_mode=False):
        np.random.seed(seed)
        out = RandomCropFrames(32)(make(test_mode=test_mode))
        assert (out['frames'] == out['frames'][0]).all()
        return out['crop'].tolist()
    assert crop(0) == crop(0) != crop(1)
    assert crop(0, True) == crop(1, True) == CenterCropFrames(32)(make())['crop'].tolist()


def test_padding_is_masked():
    out = PadFrames(5)(make())
    assert out['frames'].shape == (5, 60, 120, 3) and not out['frames'][3:].any()
    assert out['frame_mask'].tolist() == [True] * 3 + [False] * 2
    assert out['frame_times'].tolist() == [0., .5, 1., 1., 1.]


def test_what_does_not_fit_raises():
    with pytest.raises(ValueError, match='ResizeFrames before'):
        CenterCropFrames(61)(make())
    with pytest.raises(ValueError, match='ResizeFrames before'):
        RandomCropFrames(61)(make())
    with pytest.raises(ValueError, match='PadFrames'):
        PadFrames(2)(make())
    with pytest.raises(ValueError, match='scale'):
        RandomCropFrames(32, (.5, 1.5))
    with pytest.raises(ValueError, match='size'):
        ResizeFrames((0, 5))


@pytest.mark.parametrize('shape', [(1, 40_000), (40_000, 1)])
def test_a_strip_of_pixels_is_a_bad_video_not_a_full_memory(shape):
    """Scaled to its short side, a 40000 x 1 picture would have 2.6 gigapixels a frame."""
    results = make(*shape, num=1)
    results['sample'] = VideoTextSample('v', 'strip.mp4', '')
    with pytest.raises(VideoError, match=r'strip\.mp4.*ResizeFrames') as caught:
        ResizeFrames(256)(results)
    assert caught.value.kind == 'too_large'
    assert ResizeFrames((32, 32))(make(*shape, num=1))['frames'].shape == (1, 32, 32, 3)

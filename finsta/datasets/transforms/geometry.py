"""Resizing, cropping and padding of frames, with the crop written down.

``crop`` (x0, y0, x1, y1) says as fractions which region of the source frame is still seen, so
that boxes of the scene graph find their patches. There is no horizontal flip: left and right are
words of the captions.
"""

from typing import Any

import numpy as np

from finsta.datasets.transforms.base import Transform
from finsta.datasets.transforms.video_files import VideoError, VideoLimits
from finsta.registry import TRANSFORMS
from finsta.utils.optional import require


def crop_frames(results: dict[str, Any], x: int, y: int, width: int, height: int) -> None:
    """Cut (x, y, width, height) pixels out of ``frames`` and narrow ``crop`` accordingly."""
    frames = results['frames']
    full_h, full_w = frames.shape[1:3]
    results['frames'] = frames[:, y:y + height, x:x + width]
    x0, y0, x1, y1 = results['crop']
    results['crop'] = np.array([x0 + (x1 - x0) * x / full_w, y0 + (y1 - y0) * y / full_h,
                                x0 + (x1 - x0) * (x + width) / full_w,
                                y0 + (y1 - y0) * (y + height) / full_h])


def _pair(size: int | tuple[int, int]) -> tuple[int, int]:
    """(height, width); a single number is a square."""
    height, width = (size, size) if isinstance(size, int) else size
    if height < 1 or width < 1:
        raise ValueError(f'size={size!r}: (height, width) of at least 1 pixel')
    return int(height), int(width)


def _resize(frames: np.ndarray, height: int, width: int) -> np.ndarray:
    if frames.shape[1:3] == (height, width):
        return frames
    cv2 = require('cv2', 'resizing frames')
    shrink = height * width < frames.shape[1] * frames.shape[2]
    how = cv2.INTER_AREA if shrink else cv2.INTER_LINEAR
    out = np.empty((len(frames), height, width, 3), np.uint8)
    for k, frame in enumerate(frames):
        out[k] = cv2.resize(np.ascontiguousarray(frame), (width, height), interpolation=how)
    return out


@TRANSFORMS.register_module()
class ResizeFrames(Transform):
    """Scales all frames.

    Args:
        size: an int is the new short side at the old aspect ratio; (height, width) is exact, and
            changes the aspect ratio.

    Raises:
        VideoError: a strip of pixels whose scaled frames would exceed ``VideoLimits``.
    """

    def __init__(self, size: int | tuple[int, int]) -> None:
        _pair(size)
        self.size = size

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        height, width = results['frames'].shape[1:3]
        if isinstance(self.size, int):
            ratio = self.size / min(height, width)
            target = (max(1, round(height * ratio)), max(1, round(width * ratio)))
            if target[0] * target[1] > VideoLimits().max_pixels:
                raise VideoError(results['sample'].video_path, 'too_large', 'ResizeFrames('
                                 f'{self.size}) makes {width}x{height} frames {target[1]}x'
                                 f'{target[0]}', 'cut the video, or give ResizeFrames '
                                 '(height, width)')
        else:
            target = _pair(self.size)
        results['frames'] = _resize(results['frames'], *target)
        return results


@TRANSFORMS.register_module()
class CenterCropFrames(Transform):
    """Cuts the middle out.

    Args:
        size: int or (height, width).

    Raises:
        ValueError: when the frames are smaller.
    """

    def __init__(self, size: int | tuple[int, int]) -> None:
        self.size = _pair(size)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        height, width = _fitting(results, self.size, 'CenterCropFrames')
        full_h, full_w = results['frames'].shape[1:3]
        crop_frames(results, (full_w - width) // 2, (full_h - height) // 2, width, height)
        return results


@TRANSFORMS.register_module()
class RandomCropFrames(Transform):
    """Cuts the same random region out of all frames; the middle in test mode.

    Args:
        size: (height, width) or int of the result.
        scale: range of the cut's area as a part of the frame; the cut keeps the aspect ratio of
            ``size`` and is resized to it. None cuts ``size`` itself.

    Raises:
        ValueError: when ``scale`` is None and the frames are smaller than ``size``.
    """

    def __init__(self, size: int | tuple[int, int], scale: tuple[float, float] | None = None
                 ) -> None:
        self.size = _pair(size)
        if scale is not None and not 0 < scale[0] <= scale[1] <= 1:
            raise ValueError(f'scale={scale!r}: 0 < low <= high <= 1')
        self.scale = scale

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        full_h, full_w = results['frames'].shape[1:3]
        training = not results.get('test_mode', False)
        if self.scale is None:
            height, width = _fitting(results, self.size, 'RandomCropFrames')
        else:
            area = np.random.uniform(*self.scale) if training else self.scale[1]
            height, width = self._cut(full_h, full_w, area)
        x = np.random.randint(full_w - width + 1) if training else (full_w - width) // 2
        y = np.random.randint(full_h - height + 1) if training else (full_h - height) // 2
        crop_frames(results, int(x), int(y), width, height)
        results['frames'] = _resize(results['frames'], *self.size)
        return results

    def _cut(self, full_h: int, full_w: int, area: float) -> tuple[int, int]:
        """Largest region of the wanted aspect within a share of the frame."""
        aspect = self.size[1] / self.size[0]
        height = (area * full_h * full_w / aspect) ** 0.5
        shrink = min(1., full_h / height, full_w / (height * aspect))
        return (max(1, min(full_h, round(height * shrink))),
                max(1, min(full_w, round(height * aspect * shrink))))


@TRANSFORMS.register_module()
class PadFrames(Transform):
    """Fills ``frames`` up to ``num_frames`` with black ones, masked out.

    Args:
        num_frames: frames of the result; more than that is an error.
    """

    def __init__(self, num_frames: int) -> None:
        self.num_frames = num_frames

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        missing = self.num_frames - len(results['frames'])
        if missing < 0:
            raise ValueError(f'{len(results["frames"])} frames do not fit PadFrames(num_frames='
                             f'{self.num_frames}); read fewer in LoadVideoFrames')
        pad = ((0, missing), (0, 0), (0, 0), (0, 0))
        results['frames'] = np.pad(results['frames'], pad)
        results['frame_mask'] = np.pad(results['frame_mask'], (0, missing))
        times = results['frame_times']
        results['frame_times'] = np.pad(times, (0, missing), mode='edge')
        return results


def _fitting(results: dict[str, Any], size: tuple[int, int], who: str) -> tuple[int, int]:
    full = results['frames'].shape[1:3]
    if full[0] < size[0] or full[1] < size[1]:
        raise ValueError(f'{who}: frames of {full} (height, width) are smaller than {size}; put '
                         'ResizeFrames before it')
    return size

"""Video file -> frames."""

from typing import Any

import numpy as np

from finsta.datasets.transforms.base import Transform
from finsta.datasets.transforms.frame_cache import FrameCache
from finsta.datasets.transforms.sampling import SAMPLING, sample_indices, segment_frames
from finsta.datasets.transforms.video import VideoError, VideoLimits, open_video
from finsta.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadVideoFrames(Transform):
    """Reads frames of ``results['sample'].video_path``, within its segment.

    Adds ``frames`` uint8 (F, H, W, 3), ``frame_mask`` (F,) all True, ``frame_times`` (F,) seconds
    and ``crop`` (0, 0, 1, 1). F is ``num_frames``, or less where the segment has fewer frames
    (``PadFrames`` and the collate function fill up). In test mode the clip read last is kept: the
    questions of a video follow one another, and it is decoded once for all of them.

    Args:
        num_frames: frames to read.
        sampling: ``uniform``, ``random`` (uniform in test mode) or ``consecutive``.
        stride: of ``consecutive``.
        backend: of :func:`open_video`.
        cache: arguments of :class:`FrameCache`; None reads the file every time.
        limits: arguments of :class:`VideoLimits`.
        allow_truncated: read the readable part of a cut-off file.

    Raises:
        VideoError: the video cannot be read. A data set decides what that means.
    """

    def __init__(self, num_frames: int, sampling: str = 'uniform', stride: int = 1,
                 backend: str = 'auto', cache: dict | None = None, limits: dict | None = None,
                 allow_truncated: bool = False) -> None:
        if sampling not in SAMPLING:
            raise ValueError(f'sampling={sampling!r} is none of {SAMPLING}')
        if num_frames < 1:
            raise ValueError(f'num_frames={num_frames}: at least 1')
        self.num_frames, self.sampling, self.stride = num_frames, sampling, stride
        self.backend, self.allow_truncated = backend, allow_truncated
        self.cache = FrameCache(**cache) if cache is not None else None
        self.limits = VideoLimits(**(limits or {}))
        self._last: tuple[Any, tuple[np.ndarray, np.ndarray] | None] = (None, None)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        sample = results['sample']
        if results.get('blank_video'):
            # where nothing scales the frames after this, they have the cache's size
            side = 64 if self.cache is None else self.cache.short_side
            frames = np.zeros((self.num_frames, side, side, 3), np.uint8)
            times = np.arange(self.num_frames, dtype=np.float64)
        else:
            frames, times = self._tested(sample) if results.get('test_mode', False) \
                else self._read(sample, training=True)
        results.update(frames=frames, frame_times=times, crop=np.array([0., 0., 1., 1.]),
                       frame_mask=np.ones(len(frames), bool))
        return results

    def _tested(self, sample: Any) -> tuple[np.ndarray, np.ndarray]:
        key = (sample.video_path, sample.start, sample.end)
        if self._last[0] != key:
            self._last = (key, self._read(sample, training=False))
        frames, times = self._last[1]
        return frames.copy(), times.copy()

    def _read(self, sample: Any, training: bool) -> tuple[np.ndarray, np.ndarray]:
        path = sample.video_path
        if self.cache is not None:
            reader = self.cache.open(path, self.backend, self.limits, self.allow_truncated)
        else:
            reader = open_video(path, self.backend, self.limits, self.allow_truncated)
        with reader:
            try:
                inside = segment_frames(reader.times, sample.start, sample.end)
            except ValueError as error:
                raise VideoError(path, 'no_frames', str(error),
                                 f'correct row {sample.sample_id!r}') from error
            index = inside[sample_indices(len(inside), self.num_frames, self.sampling,
                                          self.stride, training)]
            return reader.get_batch(index), reader.times[index]

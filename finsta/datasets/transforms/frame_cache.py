"""Decoded small clips on disk, so that decoding does not dominate a small training run (ours).

One clip is two files: ``<key>.times.npy`` (N,) float64 seconds and ``<key>.npy`` uint8
(N, h, w, 3), read through a memory map. The key is a hash of the video's path, modification time
and size and of the cache's parameters; a changed video gets a new entry. Files are written aside,
synced and renamed, frames last, so an entry is there whole or not at all.
"""

import hashlib
import os
import uuid
from pathlib import Path

import numpy as np

from finsta.datasets.tally import Tally
from finsta.datasets.transforms.sampling import sample_indices
from finsta.datasets.transforms.video import VideoError, VideoLimits, VideoReader, open_video
from finsta.registry import VIDEO_READERS
from finsta.utils.optional import require

_VERSION = 1


@VIDEO_READERS.register_module()
class CachedReader(VideoReader):
    """A cache entry behind the interface of a reader."""

    backend = 'cache'

    def __init__(self, path: str, frames: np.ndarray, times: np.ndarray) -> None:
        super().__init__(path)
        self._frames = frames
        self.times, self._size = times, (frames.shape[2], frames.shape[1])
        span = times[-1] - times[0] if len(times) > 1 else 0.
        self.fps = (len(times) - 1) / span if span > 0 else 1.

    def _decode(self, index: np.ndarray) -> np.ndarray:
        return np.array(self._frames[index])

    def close(self) -> None:
        self._frames = np.zeros((0, *self._frames.shape[1:]), np.uint8)


class FrameCache:
    """Opens videos through the cache.

    Args:
        root: folder of the cache; made when needed.
        short_side: frames are scaled down to this short side, never up.
        max_frames: a longer clip is kept as this many frames at equal distances; the samplers
            then choose among those.
        max_bytes: a clip whose entry would be larger is decoded every time, and counted.

    Attributes:
        tally: hit, miss, damaged, too_large.
    """

    def __init__(self, root: str | os.PathLike, short_side: int = 128, max_frames: int = 64,
                 max_bytes: int = 64 << 20) -> None:
        if short_side < 8 or max_frames < 1:
            raise ValueError(f'short_side={short_side} (at least 8), max_frames={max_frames} (at '
                             'least 1)')
        self.root, self.short_side = Path(root), short_side
        self.max_frames, self.max_bytes = max_frames, max_bytes
        self.tally = Tally('frame cache')

    def open(self, path: str, backend: str = 'auto', limits: VideoLimits | None = None,
             allow_truncated: bool = False) -> VideoReader:
        """A reader of the cached clip, or of the file where it is too large.

        The readable part of a cut-off file (``allow_truncated``) has an entry of its own, which
        those who want whole files do not see.

        Raises:
            VideoError: as :func:`open_video`.
        """
        try:
            entry = self._entry(path, allow_truncated)
        except OSError:
            return open_video(path, backend, limits)  # raises what is wrong with the file
        reader = self._load(path, entry)
        if reader is not None:
            self.tally.counts['hit'] += 1
            return reader
        self.tally.counts['miss'] += 1
        source = open_video(path, backend, limits, allow_truncated)
        width, height = self._scaled(*source.size)
        count = min(len(source), self.max_frames)
        if count * width * height * 3 > self.max_bytes:
            self.tally.add('too_large', f'{path}: {count} frames of {width}x{height}')
            return source
        with source:
            index = sample_indices(len(source), count)
            frames, times = self._decode(source, index, width, height), source.times[index]
        self._write(entry, frames, times)
        return CachedReader(path, frames, times)

    def _scaled(self, width: int, height: int) -> tuple[int, int]:
        ratio = min(1., self.short_side / min(width, height))
        return max(1, round(width * ratio)), max(1, round(height * ratio))

    @staticmethod
    def _decode(source: VideoReader, index: np.ndarray, width: int, height: int) -> np.ndarray:
        out = np.empty((len(index), height, width, 3), np.uint8)
        cv2 = require('cv2', 'scaling frames for the cache')
        for start in range(0, len(index), 16):   # a batch at a time bounds the memory
            for k, frame in enumerate(source.get_batch(index[start:start + 16]), start):
                same = frame.shape[:2] == (height, width)
                out[k] = frame if same else cv2.resize(frame, (width, height),
                                                       interpolation=cv2.INTER_AREA)
        return out

    def _entry(self, path: str, allow_truncated: bool) -> Path:
        stat = os.stat(path)
        text = '\x1f'.join(map(str, (_VERSION, os.path.abspath(path), stat.st_mtime_ns,
                                     stat.st_size, self.short_side, self.max_frames)))
        text += '\x1fpart' if allow_truncated else ''
        name = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
        return self.root / name[:2] / f'{name}.npy'

    def _load(self, path: str, entry: Path) -> CachedReader | None:
        if not entry.exists():
            return None
        try:
            frames = np.load(entry, mmap_mode='r', allow_pickle=False)
            times = np.load(_times(entry), allow_pickle=False)
            if frames.dtype != np.uint8 or frames.ndim != 4 or not len(frames) \
                    or times.shape != frames.shape[:1]:
                raise ValueError(f'holds {frames.dtype} {frames.shape} and {times.shape}')
        except (OSError, ValueError, EOFError) as error:
            self.tally.add('damaged', f'{entry} ({error}); it is made again')
            return None
        return CachedReader(path, frames, times)

    def _write(self, entry: Path, frames: np.ndarray, times: np.ndarray) -> None:
        entry.parent.mkdir(parents=True, exist_ok=True)
        for target, array in ((_times(entry), times), (entry, frames)):
            # not tempfile's: its files are closed to everybody else, and a cache may be shared
            aside = target.with_name(f'{target.name}.{uuid.uuid4().hex}.tmp')
            try:
                with aside.open('xb') as file:
                    np.save(file, array, allow_pickle=False)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(aside, target)
            except BaseException:
                aside.unlink(missing_ok=True)
                raise


def _times(entry: Path) -> Path:
    return entry.with_suffix('.times.npy')


__all__ = ['CachedReader', 'FrameCache', 'VideoError']

"""Video readers behind one narrow interface; the only module that imports decord.

Which reader: decord (one thread) for mp4, webm and mkv; PyAV, decoding in order, for avi (decord
shows wrong frames after a seek, in MSVD's own clips among others), MPEG-TS (decord hangs on it),
AV1, gif, files cut by an edit list and whatever decord refuses. The route follows the file's
bytes, not its extension. The measurements behind this are ours.

Shapes: F frames of the file, n asked frames. A reader is opened in the process that reads: a
decord reader carried over a fork hangs, so that raises.
"""

import os
from collections import deque
from collections.abc import Sequence

import numpy as np

from finsta.datasets.tally import Tally
from finsta.datasets.transforms.video_files import (
    VideoError,
    VideoInfo,
    VideoLimits,
    check_complete,
    check_file,
    extension_fits,
    inspect_video,
    open_stream,
)
from finsta.registry import VIDEO_READERS
from finsta.utils.optional import require

__all__ = ['DecordReader', 'PyAVReader', 'VideoError', 'VideoLimits', 'VideoReader', 'open_video',
           'reader_tally']

_DECORD_CONTAINERS = ('mp4', 'matroska')
_DECORD_REFUSES = ('av1', 'libdav1d', 'libaom-av1')
# of this process: decord_failed, no_decord, no_pyav, wrong_extension, damaged, tail_repeated
reader_tally = Tally('video reader')


class VideoReader:
    """One open video.

    Args:
        path: a local file.
        limits: what is accepted.
        allow_truncated: read the readable part of a cut-off file instead of raising.

    Attributes:
        path: the file. fps: mean frames per second. times: (F,) float64 seconds since the first
            frame. backend: short name of the reader.

    Raises:
        VideoError: naming file, cause and remedy.
    """

    backend = ''

    def __init__(self, path: str | os.PathLike, limits: VideoLimits | None = None,
                 allow_truncated: bool = False) -> None:
        self.path = str(path)
        self.limits = limits or VideoLimits()
        self.allow_truncated = allow_truncated
        self.fps = 0.
        self.times = np.zeros(0)
        self._size: tuple[int, int] | None = None
        self._stored: tuple[int, int] | None = None  # by the header, perhaps not upright
        self._pid = os.getpid()

    def __len__(self) -> int:
        return len(self.times)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of an upright frame; decodes one where none was decoded yet."""
        if self._size is None:
            height, width = self._decode(np.zeros(1, np.int64)).shape[1:3]
            self._size = (width, height)
        return self._size

    def get_batch(self, indices: Sequence[int]) -> np.ndarray:
        """Frames ``indices`` (any order, repeats allowed) -> uint8 RGB (n, H, W, 3).

        Raises:
            IndexError: for an index outside 0..F-1. VideoError: corrupt, truncated, too_large,
                wrong_process.
        """
        if os.getpid() != self._pid:
            raise VideoError(self.path, 'wrong_process', 'was opened in another process',
                             'open the reader inside the loader worker')
        index = np.asarray(indices, dtype=np.int64).reshape(-1)
        if index.size and (index.min() < 0 or index.max() >= len(self)):
            bad = index.min() if index.min() < 0 else index.max()
            raise IndexError(f'{self.path}: frame {bad} is outside 0..{len(self) - 1}')
        self.limits.check_batch(self.path, index.size, *(self._size or self._stored or self.size))
        if not index.size:
            return np.zeros((0, self.size[1], self.size[0], 3), np.uint8)
        unique, inverse = np.unique(index, return_inverse=True)
        frames = self._decode(unique)
        self._size = (frames.shape[2], frames.shape[1])
        return frames if np.array_equal(unique, index) else frames[inverse]

    def _decode(self, index: np.ndarray) -> np.ndarray:
        """Strictly increasing ``index`` -> (n, H, W, 3)."""
        raise NotImplementedError

    def close(self) -> None:
        """Release the decoder; a second call does nothing."""

    def __enter__(self) -> 'VideoReader':
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


@VIDEO_READERS.register_module()
class DecordReader(VideoReader):
    """decord with one thread; with more it fails on VP9.

    Args:
        info: headers, where they were read already: saves decoding a frame for its size.
    """

    backend = 'decord'

    def __init__(self, path: str | os.PathLike, limits: VideoLimits | None = None,
                 allow_truncated: bool = False, info: VideoInfo | None = None) -> None:
        super().__init__(path, limits, allow_truncated)
        check_file(path, self.limits)
        if info is not None and info.width and info.height:
            self._stored = (info.width, info.height)
        decord = require('decord', f'reading {path}')
        decord.logging.set_level(decord.logging.QUIET)
        try:
            self._reader = decord.VideoReader(self.path, num_threads=1)
            count = len(self._reader)
            self.fps = float(self._reader.get_avg_fps()) if count else 0.
            stamps = self._reader.get_frame_timestamp(np.arange(count)) if count else None
        except (RuntimeError, decord.DECORDError) as error:
            raise VideoError(path, 'corrupt', f'decord cannot open it ({_first_line(error)})',
                             'read it with PyAV or fetch it again') from error
        self.limits.check_frame(self.path, *(self._stored or (1, 1)), count)
        self.times = _clean_times(stamps[:, 0], self.fps)
        if self._stored is None:
            self.limits.check_frame(self.path, *self.size, count)

    def _decode(self, index: np.ndarray) -> np.ndarray:
        decord = require('decord', f'reading {self.path}')
        try:
            return _to_numpy(self._reader.get_batch(index.tolist()))
        except (RuntimeError, decord.DECORDError) as error:
            raise VideoError(self.path, 'corrupt', 'decord cannot decode frames '
                             f'{index[0]}..{index[-1]} ({_first_line(error)})',
                             'read it with PyAV or fetch it again') from error

    def close(self) -> None:
        self._reader = None


@VIDEO_READERS.register_module()
class PyAVReader(VideoReader):
    """PyAV, decoding in order from the start: right on every container we tried.

    Packets are counted without decoding on opening. Asking for frames in increasing order over
    several calls goes on where the last call stopped; going back starts over.
    """

    backend = 'pyav'

    def __init__(self, path: str | os.PathLike, limits: VideoLimits | None = None,
                 allow_truncated: bool = False) -> None:
        super().__init__(path, limits, allow_truncated)
        check_file(path, self.limits)
        info = inspect_video(self.path)
        pts, hidden = self._scan()
        self.limits.check_frame(self.path, info.width, info.height, len(pts))
        first = next(self._raw_frames(), None)
        if first is None:
            raise VideoError(self.path, 'corrupt', 'no frame can be decoded',
                             'fetch the file again')
        height, width = _rgb(first).shape[:2]
        self._size = (width, height)
        self.times = _clean_times(pts, self.fps)
        if not allow_truncated:
            check_complete(self.path, len(pts) + hidden, self.fps, info)
        self._at, self._stream, self._held = 0, None, None

    def _scan(self) -> tuple[np.ndarray, int]:
        """Seconds of the shown frames (sorted) and the number of hidden packets."""
        container, stream = open_stream(self.path)
        with container:
            self.fps = float(stream.average_rate or stream.guessed_rate or 0)
            base, pts, hidden = float(stream.time_base or 0), [], 0
            for packet in self._guard(container.demux(stream)):
                if not packet.size:
                    continue
                if packet.is_discard or (packet.pts is not None and packet.pts < 0):
                    hidden += 1
                    continue
                pts.append(np.nan if packet.pts is None else packet.pts * base)
                if len(pts) > self.limits.max_frames:
                    break
        if self.fps <= 0:
            span = np.nanmax(pts) - np.nanmin(pts) if np.isfinite(pts).sum() > 1 else 0
            self.fps = (len(pts) - 1) / span if span > 0 else 25.
        return np.sort(np.array(pts, dtype=np.float64)), hidden

    def _guard(self, items):
        """Iterate; an FFmpeg error ends the readable part of the file."""
        av = require('av', f'reading {self.path}')
        try:
            yield from items
        except av.error.FFmpegError as error:
            reader_tally.add('damaged', f'{self.path}: reading stops at {_first_line(error)}')

    def _raw_frames(self):
        """Frames in order of presentation; ``_rgb`` converts those that are wanted."""
        container, stream = open_stream(self.path)
        with container:
            stream.thread_type = 'NONE'
            yield from self._guard(container.decode(stream))

    def _decode(self, index: np.ndarray) -> np.ndarray:
        if self._stream is None or index[0] < self._at - 1:
            self.close()
            self._stream, self._at, self._held = self._raw_frames(), 0, None
        out: list[np.ndarray] = []
        wanted = iter(index.tolist())
        want = next(wanted)
        if want == self._at - 1 and self._held is not None:
            out.append(self._held)
            want = next(wanted, None)
        while want is not None:
            frame = next(self._stream, None)
            if frame is None:
                break
            if self._at == want:
                self._held = _rgb(frame, self.size)
                out.append(self._held)
                want = next(wanted, None)
            self._at += 1
        if len(out) < len(index):
            out += [self._beyond(want)] * (len(index) - len(out))
        return np.stack(out)

    def _beyond(self, want: int) -> np.ndarray:
        """The last frame for the one or two that a container counts but a decoder withholds.

        Raises:
            VideoError: truncated, when more than that is missing and it is not allowed.
        """
        end, total = self._at, len(self)
        last = deque(self._raw_frames(), maxlen=1)
        self.close()
        if not last or (total - end > max(2, 0.02 * total) and not self.allow_truncated):
            raise VideoError(self.path, 'truncated', f'frame {want} of {total} cannot be decoded, '
                             f'the readable part ends at {end}',
                             'fetch it again, or read the part with allow_truncated=True')
        reader_tally.add('tail_repeated', f'{self.path}: {end} of {total} frames decoded, the '
                         'last one stands for the rest')
        return _rgb(last[0], self.size)

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
        self._stream, self._held, self._at = None, None, 0


def open_video(path: str | os.PathLike, backend: str = 'auto', limits: VideoLimits | None = None,
               allow_truncated: bool = False) -> VideoReader:
    """Open a video with the reader that reads it right.

    Args:
        backend: ``auto``, ``decord`` or ``pyav``; a named reader is taken without a fallback.

    Raises:
        VideoError: naming file, cause and remedy. ImportError: neither package is installed.
        ValueError: an unknown ``backend``.
    """
    path, limits = str(path), limits or VideoLimits()
    if backend not in ('auto', 'decord', 'pyav'):
        raise ValueError(f"backend={backend!r}: use 'auto', 'decord' or 'pyav'")
    if backend != 'auto':
        return (DecordReader if backend == 'decord' else PyAVReader)(path, limits,
                                                                     allow_truncated)
    container = check_file(path, limits)
    if not extension_fits(path, container):
        reader_tally.add('wrong_extension', f'{path}: the content is {container}; read as that')
    if container not in _DECORD_CONTAINERS:
        return PyAVReader(path, limits, allow_truncated)
    info = _info_or_none(path)
    if info is not None and (info.codec in _DECORD_REFUSES or info.has_edits):
        return PyAVReader(path, limits, allow_truncated)
    try:
        reader = DecordReader(path, limits, allow_truncated, info)
    except ImportError as error:
        reader_tally.add('no_decord', f'{path}: {error}; PyAV reads it')
    except VideoError as error:
        if error.kind == 'too_large' or info is None:
            raise
        reader_tally.add('decord_failed', f'{error}; PyAV is tried')
    else:
        if info is not None and not allow_truncated:
            check_complete(path, len(reader), reader.fps, info)
        return reader if info is None else _Fallback(reader)
    return PyAVReader(path, limits, allow_truncated)


class _Fallback(VideoReader):
    """A decord reader that PyAV replaces at the first batch that decord cannot decode."""

    def __init__(self, reader: DecordReader) -> None:
        super().__init__(reader.path, reader.limits, reader.allow_truncated)
        self._inner: VideoReader = reader
        self.fps, self.times, self._stored = reader.fps, reader.times, reader._stored

    @property
    def backend(self) -> str:
        return self._inner.backend

    def _decode(self, index: np.ndarray) -> np.ndarray:
        try:
            return self._inner._decode(index)
        except VideoError as error:
            if self._inner.backend != 'decord':
                raise
            reader_tally.add('decord_failed', f'{error}; PyAV is tried')
        self._inner.close()
        self._inner = PyAVReader(self.path, self.limits, self.allow_truncated)
        if index[-1] >= len(self._inner):
            raise VideoError(self.path, 'truncated', f'frame {index[-1]} cannot be decoded, only '
                             f'{len(self._inner)} of {len(self)} can', 'fetch the file again')
        return self._inner._decode(index)

    def close(self) -> None:
        self._inner.close()


def _info_or_none(path: str):
    """Headers by PyAV; None when PyAV is absent (decord alone must do)."""
    try:
        return inspect_video(path)
    except ImportError as error:
        reader_tally.add('no_pyav', f'{path}: {error}; decord reads it unchecked')
        return None


def _to_numpy(batch: object) -> np.ndarray:
    """decord's array, whichever bridge the application has set."""
    return batch.asnumpy() if hasattr(batch, 'asnumpy') else np.asarray(batch)


def _rgb(frame: object, size: tuple[int, int] | None = None) -> np.ndarray:
    """A PyAV frame upright as (H, W, 3); a stream that changes its size keeps the first one."""
    array = frame.to_ndarray(format='rgb24')
    if getattr(frame, 'rotation', 0):
        array = np.ascontiguousarray(np.rot90(array, frame.rotation // 90))
    if size is not None and (array.shape[1], array.shape[0]) != size:
        cv2 = require('cv2', 'resizing a stream that changes its size')
        array = cv2.resize(array, size, interpolation=cv2.INTER_AREA)
    return array


def _clean_times(stamps: np.ndarray, fps: float) -> np.ndarray:
    """Seconds since the first frame, never decreasing; from ``fps`` where stamps are unusable."""
    stamps = np.asarray(stamps, dtype=np.float64)
    by_rate = np.arange(stamps.size) / (fps if fps > 0 else 25.)
    if stamps.size < 2 or not np.isfinite(stamps).all():
        return by_rate
    # decord gives garbage stamps for some AVI files; a real rate varies by less than 100 x
    if not 0.01 <= (stamps[-1] - stamps[0]) / by_rate[-1] <= 100:
        return by_rate
    return np.maximum.accumulate(stamps - stamps[0])


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:160] if lines else type(error).__name__

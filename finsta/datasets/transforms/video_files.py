"""What a video file is before anyone decodes it: its container, its limits, its faults (ours).

Containers are told by their first bytes, never by the file's extension.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from finsta.utils.optional import require

# magic -> container; the table of the formats that a reader accepts
_MAGIC = (
    (0, b'\x1a\x45\xdf\xa3', 'matroska'), (4, b'ftyp', 'mp4'), (4, b'moov', 'mp4'),
    (4, b'mdat', 'mp4'), (4, b'wide', 'mp4'), (4, b'free', 'mp4'), (8, b'AVI ', 'avi'),
    (0, b'GIF8', 'gif'), (0, b'\x00\x00\x01\xba', 'mpeg'), (0, b'\x00\x00\x01\xb3', 'mpeg'),
    (0, b'FLV', 'flv'), (0, b'\x30\x26\xb2\x75', 'asf'), (0, b'OggS', 'ogg'),
)
_EXTENSIONS = {
    'mp4': {'.mp4', '.m4v', '.mov', '.3gp', '.3g2', '.qt'}, 'matroska': {'.mkv', '.webm'},
    'avi': {'.avi', '.divx'}, 'gif': {'.gif'}, 'mpegts': {'.ts', '.m2ts', '.mts'},
    'mpeg': {'.mpg', '.mpeg', '.vob'}, 'flv': {'.flv'}, 'asf': {'.wmv', '.asf'},
    'ogg': {'.ogv', '.ogg'},
}
_NOT_VIDEO = (
    (0, b'\xff\xd8\xff', 'a JPEG picture'), (0, b'\x89PNG', 'a PNG picture'),
    (0, b'PK\x03\x04', 'a zip archive'), (0, b'\x1f\x8b', 'a gzip archive'),
    (0, b'%PDF', 'a PDF'), (0, b'ID3', 'an MP3 sound file'), (8, b'WAVE', 'a WAV sound file'),
    (0, b'fLaC', 'a FLAC sound file'), (8, b'WEBP', 'a WebP picture'),
    (0, b'#EXTM3U', 'a playlist, which is never followed'),
    (0, b'ffconcat', 'a playlist, which is never followed'),
    (0, b'<', 'an HTML or XML page, as a failed download leaves it'),
    (0, b'version https://git-lfs', 'a Git LFS pointer; run `git lfs pull`'),
)
_AGAIN = 'download or copy the file again'


class VideoError(RuntimeError):
    """A video that cannot be read.

    Attributes:
        path: the file. kind: one of missing, directory, empty, not_video, audio_only, no_frames,
            truncated, corrupt, too_large, wrong_process. cause, remedy: the two halves of the
            message.
    """

    def __init__(self, path: str | os.PathLike, kind: str, cause: str, remedy: str) -> None:
        super().__init__(f'{path}: {cause}; {remedy}')
        self.path, self.kind, self.cause, self.remedy = str(path), kind, cause, remedy

    def __reduce__(self) -> tuple:
        return type(self), (self.path, self.kind, self.cause, self.remedy)


@dataclass(frozen=True)
class VideoLimits:
    """What a reader accepts; a crafted or mistaken file must not exhaust the machine.

    Attributes:
        max_bytes: size of the file. max_pixels: width * height of a frame. max_frames: frames of
            the file. max_batch_bytes: decoded bytes of one ``get_batch``.
    """

    max_bytes: int = 16 << 30
    max_pixels: int = 8192 * 4320
    max_frames: int = 2_000_000
    max_batch_bytes: int = 4 << 30

    def check_frame(self, path: str, width: int, height: int, num_frames: int) -> None:
        """Raises VideoError(too_large or no_frames)."""
        if num_frames <= 0 or width <= 0 or height <= 0:
            raise VideoError(path, 'no_frames', f'holds no frame ({num_frames} frames of '
                             f'{width}x{height})', _AGAIN)
        if width * height > self.max_pixels:
            raise VideoError(path, 'too_large', f'frames of {width}x{height} exceed the limit of '
                             f'{self.max_pixels} pixels', 'scale it down or raise max_pixels')
        if num_frames > self.max_frames:
            raise VideoError(path, 'too_large', f'{num_frames} frames exceed the limit of '
                             f'{self.max_frames}', 'cut it or raise max_frames')

    def check_batch(self, path: str, num_frames: int, width: int, height: int) -> None:
        """Raises VideoError(too_large) when one batch would not fit ``max_batch_bytes``."""
        if num_frames * width * height * 3 > self.max_batch_bytes:
            raise VideoError(path, 'too_large', f'{num_frames} frames of {width}x{height} at once '
                             f'exceed {self.max_batch_bytes} bytes',
                             'ask for fewer frames at once or raise max_batch_bytes')


@dataclass(frozen=True)
class VideoInfo:
    """What the headers of a file say (PyAV).

    Attributes:
        codec: name of the video codec. width, height: pixels of a stored frame.
        has_edits: packets lie before the shown start, so counting from the file's first packet
            gives wrong frames.
        declared_frames: frames by the header, 0 when it does not say.
        declared_seconds: length of the video stream, 0 when unknown.
    """

    codec: str
    width: int
    height: int
    has_edits: bool
    declared_frames: int
    declared_seconds: float


def check_file(path: str | os.PathLike, limits: VideoLimits) -> str:
    """Container of a regular, non-empty file, by its first bytes.

    Returns:
        One of mp4, matroska, avi, gif, mpegts, mpeg, flv, asf, ogg or ``unknown``.

    Raises:
        VideoError: missing, directory, empty, too_large, not_video.
    """
    path = str(path)
    if os.path.isdir(path):
        raise VideoError(path, 'directory', 'is a directory, not a video', 'name the file in it')
    if not os.path.isfile(path):
        raise VideoError(path, 'missing', 'no such file',
                         'check the data root, or prepare the videos as tools/datasets says')
    size = os.path.getsize(path)
    if size == 0:
        raise VideoError(path, 'empty', 'the file has 0 bytes', _AGAIN)
    if size > limits.max_bytes:
        raise VideoError(path, 'too_large', f'{size} bytes exceed the limit of '
                         f'{limits.max_bytes}', 'cut it or raise max_bytes')
    try:
        with open(path, 'rb') as file:
            head = file.read(1024)
    except OSError as error:
        raise VideoError(path, 'corrupt', f'cannot be opened ({error})',
                         'check permissions and the disk') from error
    for at, magic, what in _NOT_VIDEO:
        if head[at:at + len(magic)] == magic:
            raise VideoError(path, 'not_video', f'is {what}', 'put the video in its place')
    for at, magic, container in _MAGIC:
        if head[at:at + len(magic)] == magic:
            return container
    if _is_mpegts(head):
        return 'mpegts'
    return 'unknown'


def extension_fits(path: str | os.PathLike, container: str) -> bool:
    """False when the file's extension promises another container than its bytes show."""
    return Path(path).suffix.lower() in _EXTENSIONS.get(container, {Path(path).suffix.lower()})


def inspect_video(path: str) -> VideoInfo:
    """Headers and first packet of a file.

    Raises:
        VideoError: not_video, audio_only, no_frames. ImportError: without PyAV.
    """
    container, stream = open_stream(path)
    with container:
        packet = next((p for p in container.demux(stream) if p.size), None)
        if packet is None:
            raise VideoError(path, 'no_frames', 'its video stream holds no frame', _AGAIN)
        # B-frame delay gives negative dts; only a cut by edit list gives a negative pts
        edits = packet.is_discard or (packet.pts is not None and packet.pts < 0)
        codec = stream.codec_context
        return VideoInfo(codec.name, codec.width, codec.height, bool(edits),
                         int(stream.frames or 0), stream_seconds(container, stream))


def open_stream(path: str):
    """(container, first real video stream), opened by PyAV for local files only.

    Raises:
        VideoError: not_video, audio_only. ImportError: without PyAV.
    """
    av = require('av', f'reading {path}')
    try:
        container = av.open(path, options={'protocol_whitelist': 'file'})
    except (av.error.FFmpegError, ValueError) as error:
        raise VideoError(path, 'not_video', f'no decoder recognises it ({error})',
                         f'{_AGAIN}; it may be cut off or no video at all') from error
    names = set(container.format.name.split(','))
    streams = [s for s in container.streams.video if 'attached_pic' not in str(s.disposition)]
    if not streams or names & {'tty', 'hls', 'concat', 'image2'} \
            or any(n.endswith('_pipe') for n in names):
        sound, name = bool(container.streams.audio), container.format.name
        container.close()
        if sound:
            raise VideoError(path, 'audio_only', 'holds sound but no video stream',
                             'fetch the video with its picture')
        raise VideoError(path, 'not_video', f'is no video (read as {name!r})',
                         'put the video in its place')
    return container, streams[0]


def stream_seconds(container: object, stream: object) -> float:
    """Length of a video stream by its header; 0 when only other streams say."""
    if stream.duration:
        return float(stream.duration * stream.time_base)
    tag = stream.metadata.get('DURATION', '')
    if tag.count(':') == 2:
        hours, minutes, seconds = tag.split(':')
        try:
            return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
        except ValueError:
            return 0.
    if container.duration and not container.streams.audio:
        return container.duration / 1e6
    return 0.


def check_complete(path: str, num_frames: int, fps: float, info: VideoInfo) -> None:
    """Raises VideoError(truncated) when more than a tenth of the declared frames is missing."""
    # a header counts the frames that an edit list hides too
    expected = 0 if info.has_edits else info.declared_frames
    if not expected and fps > 0:
        expected = round(info.declared_seconds * fps)
    if expected - num_frames > max(2, 0.1 * expected):
        raise VideoError(path, 'truncated', f'{num_frames} of about {expected} frames can be read',
                         f'{_AGAIN}, or read the part with allow_truncated=True')


def _is_mpegts(head: bytes) -> bool:
    for start, step in ((0, 188), (4, 192)):
        if len(head) > start + 2 * step and all(head[start + k * step] == 0x47 for k in range(3)):
            return True
    return False

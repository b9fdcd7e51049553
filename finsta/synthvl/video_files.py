"""Frames -> a real video file with PyAV, byte-identical from run to run."""

import os
from fractions import Fraction
from pathlib import Path

import numpy as np

from finsta.utils.optional import require

# container suffix -> (codec, options); single-threaded, so that bytes do not depend on the machine
CODECS = {'.avi': ('mpeg4', {'qmin': '2', 'qmax': '3', 'threads': '1'}),
          '.mp4': ('mpeg4', {'qmin': '2', 'qmax': '3', 'threads': '1'})}


def write_video(path: Path, frames: np.ndarray, fps: int) -> None:
    """Encode (F, H, W, 3) uint8 RGB frames; written aside and renamed, so never half there.

    Raises:
        ValueError: for a suffix other than .avi or .mp4, or frames of another form.
    """
    if path.suffix not in CODECS:
        raise ValueError(f'{path}: suffix {path.suffix!r} is none of {sorted(CODECS)}')
    if frames.ndim != 4 or frames.shape[3] != 3 or frames.dtype != np.uint8 or not len(frames):
        raise ValueError(f'{path}: expected frames (F, H, W, 3) uint8 with F >= 1, got '
                         f'{frames.shape} {frames.dtype}')
    av = require('av', 'writing a video')
    codec, options = CODECS[path.suffix]
    aside = path.with_name(f'.{path.stem}.part{path.suffix}')
    with av.open(str(aside), 'w', options={'fflags': '+bitexact'}) as container:
        stream = container.add_stream(codec, rate=fps)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt, stream.time_base = 'yuv420p', Fraction(1, fps)
        stream.options = {**options, 'flags': '+bitexact'}
        stream.bit_rate = 2_000_000
        stream.gop_size = 12
        for image in frames:
            for packet in stream.encode(av.VideoFrame.from_ndarray(image, format='rgb24')):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    os.replace(aside, path)

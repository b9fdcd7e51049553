"""Frames per second of the loader against bare decord, in one run, as a ratio.

    python tools/analysis/benchmark_reader.py [--videos FILE ...] [--num-frames 8]
        [--out docs/en/results/benchmark_reader.json]

Without --videos, test clips are encoded first (H.264 mp4 320x240 and 640x360, 10 s). Each
measurement opens the file, reads --num-frames frames spread over it, and closes it: what a loader
does with every sample. Bare decord is ``decord.VideoReader(path, num_threads=1).get_batch``; the
loader is LoadVideoFrames, plain, with the frame cache (cold, warm), and with resizing and crop.
Variants take turns so that a busy machine slows all of them; the median over --rounds is kept.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np

from finsta.datasets.transforms import (
    CenterCropFrames,
    LoadVideoFrames,
    ResizeFrames,
    open_video,
)
from finsta.evaluation.metrics.base import write_json
from finsta.structures import VideoTextSample
from finsta.utils.arguments import positive
from finsta.utils.errors import add_debug_argument, errors_in_sentences
from finsta.utils.optional import require
from finsta.utils.provenance import provenance


def make_clip(path: Path, width: int, height: int, seconds: int = 10, fps: int = 30) -> Path:
    """A moving textured clip, H.264 with the usual key-frame distance of 250."""
    av = require('av', 'encoding test clips')
    rng = np.random.default_rng(0)
    texture = rng.integers(0, 255, (height // 8 + 1, width // 4, 3), dtype=np.uint8)
    texture = texture.repeat(8, 0).repeat(8, 1)
    with av.open(str(path), 'w') as out:
        stream = out.add_stream('libx264', rate=fps, options={'g': '250', 'preset': 'veryfast'})
        stream.width, stream.height, stream.pix_fmt = width, height, 'yuv420p'
        for i in range(seconds * fps):
            shift = 2 * i % width
            image = np.ascontiguousarray(texture[:height, shift:shift + width])
            frame = av.VideoFrame.from_ndarray(image, format='rgb24')
            frame.pts, frame.time_base = i, Fraction(1, fps)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def bare_decord(path: str, num_frames: int) -> int:
    """What one would write without this package."""
    decord = require('decord', 'the reference of this benchmark')
    reader = decord.VideoReader(path, num_threads=1)
    index = (2 * np.arange(num_frames) + 1) * len(reader) // (2 * num_frames)
    return len(reader.get_batch(index.tolist()).asnumpy())


def variants(num_frames: int, folder: Path) -> dict[str, Callable[[str], int]]:
    """Name -> function that reads one file and returns the number of frames."""
    plain = LoadVideoFrames(num_frames)
    cached = LoadVideoFrames(num_frames, cache=dict(root=str(folder / 'warm'), short_side=128))
    shrink, cut = ResizeFrames(128), CenterCropFrames(112)
    count = iter(range(1 << 30))

    def load(transform: LoadVideoFrames, path: str) -> dict:
        return transform({'sample': VideoTextSample('v', path), 'test_mode': True})

    def cold(path: str) -> int:
        root = str(folder / f'cold{next(count)}')
        return len(load(LoadVideoFrames(num_frames, cache=dict(root=root, short_side=128)),
                        path)['frames'])

    return {'bare_decord': lambda p: bare_decord(p, num_frames),
            'loader': lambda p: len(load(plain, p)['frames']),
            'loader_resize_crop': lambda p: len(cut(shrink(load(plain, p)))['frames']),
            'cache_cold': cold,
            'cache_warm': lambda p: len(load(cached, p)['frames'])}


def measure(path: str, num_frames: int, rounds: int, folder: Path) -> dict:
    """Frames per second of every variant on one file, and the ratio to bare decord."""
    functions = variants(num_frames, folder)
    with open_video(path) as reader:
        about = dict(file=Path(path).name, backend=reader.backend, size=list(reader.size),
                     frames=len(reader))
    for function in functions.values():  # page cache, decoders, the warm cache's entry
        function(path)
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            start = time.perf_counter()
            number = function(path)
            seconds[name].append((time.perf_counter() - start) / number)
    rate = {name: 1 / statistics.median(values) for name, values in seconds.items()}
    # of each round, so that a slow moment hits both sides of the ratio
    ratio = {name: statistics.median([b / v for b, v in zip(seconds['bare_decord'], values,
                                                            strict=True)])
             for name, values in seconds.items()}
    return dict(about, frames_per_second={k: round(v, 1) for k, v in rate.items()},
                ratio_to_bare_decord={k: round(v, 2) for k, v in ratio.items()})


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--videos', nargs='*', default=[],
                        help='files to read (default: two clips that are encoded first)')
    parser.add_argument('--num-frames', type=positive, default=8,
                        help='read of each video (default: %(default)s)')
    parser.add_argument('--rounds', type=positive, default=7,
                        help='turns of all variants (default: %(default)s)')
    parser.add_argument('--out', default='docs/en/results/benchmark_reader.json',
                        help='JSON file (default: %(default)s)')
    add_debug_argument(parser)
    args = parser.parse_args(argv)
    with errors_in_sentences(args.debug):
        run(args, provenance(__file__, argv))
    return 0


def run(args: argparse.Namespace, facts: dict) -> None:
    """Measure every file, write, print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = list(args.videos) or [str(make_clip(folder / f'{w}x{h}.mp4', w, h))
                                      for w, h in ((320, 240), (640, 360))]
        rows = [measure(path, args.num_frames, args.rounds, folder) for path in files]
    result = dict(facts, num_frames=args.num_frames, rounds=args.rounds, files=rows)
    write_json(args.out, result)
    json.dump(result, sys.stdout, indent=1)
    print()


if __name__ == '__main__':
    sys.exit(main())

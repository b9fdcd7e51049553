"""Seconds of an STGT training step with the frozen tower run, and with its outputs from disk.

    python tools/analysis/benchmark_features.py --size tiny --batch 32
    python tools/analysis/benchmark_features.py --size vit-b16 --batch 1

Random weights and frames; processor seconds, so that other work on the machine counts little.
The cached step includes reading the features (from the page cache of the system).
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

from finsta.datasets.feature_store import FeatureRow, FeatureStore, Key
from finsta.evaluation.metrics.base import write_json
from finsta.registry import BACKBONES
from finsta.structures import FrameFeatures
from finsta.utils.arguments import positive
from finsta.utils.errors import add_debug_argument, errors_in_sentences

TINY = Path(__file__).resolve().parents[2] / 'configs/_base_/backbones/stgt_tiny.py'
VIT_B16 = dict(
    tokenizer='tiny', num_queries=32, embed_dim=256, num_frames=8,
    vision=dict(hidden_size=768, intermediate_size=3072, num_hidden_layers=12,
                num_attention_heads=12, image_size=224, patch_size=16),
    text=dict(hidden_size=768, intermediate_size=3072, num_hidden_layers=12,
              num_attention_heads=12, max_position_embeddings=64),
    adapter=dict(num_layers=1, num_heads=16))


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('--size', choices=('tiny', 'vit-b16'), default='tiny',
                        help='of the frame tower (default: %(default)s)')
    parser.add_argument('--batch', type=positive, default=8,
                        help='videos at a time (default: %(default)s)')
    parser.add_argument('--repeats', type=positive, default=3,
                        help='timed runs; the median is kept (default: %(default)s)')
    parser.add_argument('--dtype', choices=('fp16', 'fp32'), default='fp16',
                        help='of the stored features (default: %(default)s)')
    parser.add_argument('--out', help='JSON file')
    add_debug_argument(parser)
    return parser.parse_args(argv)


def timed(step: Callable[[], None], repeats: int) -> float:
    """Median processor seconds."""
    step()
    seconds = []
    for _ in range(repeats):
        started = time.process_time()
        step()
        seconds.append(time.process_time() - started)
    return statistics.median(seconds)


def measure(args: argparse.Namespace, folder: str) -> dict:
    """Seconds of both steps, and bytes of a video."""
    sizes = Config.fromfile(TINY).stgt_tiny.to_dict() if args.size == 'tiny' else VIT_B16
    torch.manual_seed(0)
    model = BACKBONES.build({**sizes, 'type': 'STGT', 'freeze_vision': True}).train()
    size, frames = model.frame_size[0], model.num_frames
    pixels = torch.randint(0, 256, (args.batch, frames, 3, size, size), dtype=torch.uint8)
    texts = [f'a red circle number {i} moves left' for i in range(args.batch)]
    tower = model.tower_fingerprint()
    with torch.no_grad():
        tokens = model.frame_tokens(model.preprocess_frames(pixels)).numpy()
    with FeatureStore(folder, [], tower, readonly=False, dtype=args.dtype) as store:
        times, crop = np.arange(frames, dtype=np.float64), np.array([0., 0., 1., 1.])
        for i, row in enumerate(tokens):
            store.put(Key(str(i)), FeatureRow(row, np.ones(frames, bool), times, crop))
    store = FeatureStore(folder, [])

    def step(given: Callable[[], torch.Tensor | FrameFeatures]) -> None:
        video = model.encode_video(model.preprocess_frames(given()))
        sum(model.host_loss(model.encode_text(texts), video).values()).backward()
        model.zero_grad()

    def read() -> FrameFeatures:
        rows = np.stack([store.get(Key(str(i))).tokens for i in range(args.batch)])
        return FrameFeatures(torch.from_numpy(rows), store.tower)

    found = {'size': args.size, 'batch': args.batch, 'dtype': args.dtype,
             'threads': torch.get_num_threads(), 'pixels_s': timed(lambda: step(lambda: pixels),
                                                                   args.repeats),
             'cached_s': timed(lambda: step(read), args.repeats), 'read_s': timed(read,
                                                                                  args.repeats)}
    found['faster_by'] = found['pixels_s'] / found['cached_s']
    found['bytes_a_video'] = sum(f.stat().st_size for f in Path(folder).rglob('*.parquet')
                                 ) // args.batch
    return found


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    init_default_scope('finsta')
    with errors_in_sentences(args.debug):
        with tempfile.TemporaryDirectory() as folder:
            found = measure(args, folder)
        print(json.dumps(found, indent=1))
        if args.out:
            write_json(args.out, found)


if __name__ == '__main__':
    main()

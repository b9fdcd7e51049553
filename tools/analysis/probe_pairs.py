"""Can a backbone tell minimal pairs apart, when nothing else is asked of it?

    python tools/analysis/probe_pairs.py --factors motion_direction
    python tools/analysis/probe_pairs.py --steps 600 --pairs 350      (all nine factors)

Trains the backbone on fresh pairs of SynthVL (both videos, both captions; each video has to
choose its caption, with every score the backbone has) and tests it on pairs of another seed. A
backbone that fails here cannot be taught by any post-training; one that succeeds has the capacity,
and what a post-training lacks is signal or data. Ours.
"""

import argparse
import json
import math
from pathlib import Path

import numpy as np
import torch
from mmengine.registry import init_default_scope
from torch import Tensor

from finsta.datasets.transforms.sampling import sample_indices
from finsta.evaluation.functional import pair_scores
from finsta.models.alignment import CaptionChoice
from finsta.models.backbones.base import VideoLanguageBackbone
from finsta.registry import BACKBONES
from finsta.synthvl.minimal_pairs import FACTORS, make_pair
from finsta.synthvl.render import render
from finsta.utils.arguments import positive
from finsta.utils.compat import fp32_attention_on_cpu
from finsta.utils.errors import add_debug_argument, errors_in_sentences
from finsta.utils.optional import require
from finsta.utils.provenance import provenance

TEST_SEED = 777


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('--backbone', default='alpro_tiny', help='folder or shipped name')
    parser.add_argument('--factors', nargs='+', default=list(FACTORS), choices=FACTORS,
                        help='what the two halves of a pair differ in (default: all)')
    parser.add_argument('--pairs', type=int, default=1500, help='for training, of each factor')
    parser.add_argument('--test-pairs', type=positive, default=32, help='of each factor')
    parser.add_argument('--steps', type=positive, default=400,
                        help='of training (default: %(default)s)')
    parser.add_argument('--batch-size', type=positive, default=24, help='pairs')
    parser.add_argument('--lr', type=float, default=1e-3,
                        help='learning rate (default: %(default)s)')
    parser.add_argument('--seed', type=int, default=0,
                        help='of what is drawn (default: %(default)s)')
    parser.add_argument('--threads', type=positive, default=torch.get_num_threads(),
                        help='of torch (default: %(default)s)')
    parser.add_argument('--out', type=Path, help='JSON file')
    add_debug_argument(parser)
    return parser.parse_args(argv)


def draw(factors: list[str], count: int, seed: int, size: int, frames: int
         ) -> tuple[Tensor, list[tuple[str, str]], list[str]]:
    """(P, 2, F, 3, size, size) uint8 clips, captions and factors of ``count`` pairs each."""
    from tqdm import tqdm
    cv2 = require('cv2', 'scaling frames')
    clips, captions, names = [], [], []
    for k in tqdm(range(len(factors) * count), desc=f'pairs of seed {seed}', leave=False):
        pair = make_pair(factors[k // count], seed, k % count)
        both = []
        for scene in pair.scenes:
            video = render(scene)
            shown = video[sample_indices(len(video), frames)]
            both.append(np.stack([cv2.resize(f, (size, size), interpolation=cv2.INTER_AREA)
                                  for f in shown]))
        clips.append(np.stack(both))
        captions.append(pair.captions)
        names.append(pair.factor)
    return torch.from_numpy(np.stack(clips)).permute(0, 1, 2, 5, 3, 4), captions, names


def scores(backbone: VideoLanguageBackbone, clips: Tensor, captions: list[tuple[str, str]]
           ) -> dict[str, Tensor]:
    """kind -> (P, 2, 2) logits of caption c for video k of each pair."""
    pairs = len(captions)
    video = backbone.encode_video(backbone.preprocess_frames(clips.flatten(0, 1)))
    text = backbone.encode_text([c for pair in captions for _ in (0, 1) for c in pair])
    owner = torch.arange(2 * pairs).repeat_interleave(2)
    found = backbone.pair_scores(text, video, owner)
    if 'itc' in found:
        found['itc'] = found['itc'] * backbone.logit_scale()
    return {kind: s.float().view(pairs, 2, 2) for kind, s in found.items()}


def train(backbone: VideoLanguageBackbone, clips: Tensor, captions: list[tuple[str, str]],
          args: argparse.Namespace) -> None:
    """AdamW, cosine schedule, bf16."""
    from tqdm import tqdm
    choice, rng = CaptionChoice(), np.random.default_rng(args.seed)
    optimizer = torch.optim.AdamW(backbone.parameters(), lr=args.lr, betas=(.9, .98),
                                  weight_decay=0.05)
    warm = max(1, args.steps // 10)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda k: min(
        (k + 1) / warm, 0.51 + 0.49 * math.cos(math.pi * k / args.steps)))
    rows = torch.arange(2 * args.batch_size)
    # the true caption of the first video is the first one, of the second the second
    owner = torch.cat([rows, rows])
    bar = tqdm(range(args.steps), desc='training')
    for _ in bar:
        pick = rng.integers(len(captions), size=args.batch_size)
        with fp32_attention_on_cpu(), torch.autocast('cpu', torch.bfloat16):
            table = scores(backbone, clips[pick], [captions[i] for i in pick])
        flat = {kind: torch.cat([s[:, [0, 1], [0, 1]].flatten(), s[:, [0, 1], [1, 0]].flatten()])
                for kind, s in table.items()}
        losses = choice(flat, owner, 2 * args.batch_size)
        optimizer.zero_grad()
        sum(v for k, v in losses.items() if k.startswith('loss')).backward()
        torch.nn.utils.clip_grad_norm_(backbone.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        bar.set_postfix({k: f'{float(v):.2f}' for k, v in losses.items() if 'acc' in k})


@torch.no_grad()
def test(backbone: VideoLanguageBackbone, clips: Tensor, captions: list[tuple[str, str]],
         names: list[str]) -> dict[str, dict[str, float]]:
    """kind of score -> text, video, group, match, over all and by factor, percent."""
    backbone.eval()
    parts = [scores(backbone, clips[i:i + 32], captions[i:i + 32])
             for i in range(0, len(captions), 32)]
    return {kind: pair_scores(torch.cat([p[kind] for p in parts]), names) for kind in parts[0]}


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    with errors_in_sentences(args.debug):
        run(args, provenance(__file__, argv))


def run(args: argparse.Namespace, facts: dict) -> None:
    """Train, test before and after, report."""
    init_default_scope('finsta')
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    backbone = BACKBONES.build(dict(type='SavedBackbone', pretrained=args.backbone))
    size, frames = backbone.frame_size[0], backbone.num_frames
    clips, captions, _ = draw(args.factors, args.pairs, args.seed, size, frames)
    held = draw(args.factors, args.test_pairs, TEST_SEED, size, frames)
    before = test(backbone, *held)
    backbone.train()
    train(backbone, clips, captions, args)
    after = test(backbone, *held)
    for kind, found in after.items():
        by_factor = ', '.join(f'{f} {found[f + "_group"]:.0f}' for f in args.factors)
        print(f'{kind}: group {before[kind]["mean_group"]:.1f} -> {found["mean_group"]:.1f} %, '
              f'match {before[kind]["mean_match"]:.1f} -> {found["mean_match"]:.1f} %; group by '
              f'factor: {by_factor}')
    if args.out:
        settings = {k: v for k, v in vars(args).items() if k not in ('out', 'debug')}
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps({**facts, 'settings': settings, 'before': before,
                                        'after': after}, indent=1) + '\n')


if __name__ == '__main__':
    main()

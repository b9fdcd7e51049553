"""A video parser against gold dynamic scene graphs.

    python tools/analysis/eval_video_parser.py --data data/synthvl/msvd --parser MotionVideoParser
    python tools/analysis/eval_video_parser.py --data data/synthvl/msvd --pixel-noise 5 --noise 0.1

``--data`` is a SynthVL root (``gold/videos.jsonl.gz`` and ``YouTubeClips/``). Prints object recall
at IoU 0.5, IDF1, predicate F1 and attribute accuracy (``finsta/parsing/video/scoring.py`` says how
each is counted), in all and by kind of background where the gold names it, then per predicate.
``--pixel-noise`` parses the clips once more for each standard deviation (grey levels of 255), with
Gaussian noise on every frame that the parser looks at. ``--noise`` corrupts the gold instead, at
each rate, and scores that: what such errors cost on the same scale. Figures are those of the
parser on this data set and no other.
"""

import argparse
import json
import sys
import time
import zlib
from collections import Counter
from collections.abc import Iterable
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from finsta.parsing.makers import check_parser
from finsta.parsing.video.layouts.common import load_jsonl, need
from finsta.parsing.video.scoring import Score, f1
from finsta.registry import SG_PARSERS
from finsta.structures import DynamicSceneGraph
from finsta.structures.noise import add_noise
from finsta.utils.arguments import KeyValueAction, positive
from finsta.utils.errors import add_debug_argument, errors_in_sentences
from finsta.utils.provenance import provenance

KNOBS = ('drop', 'relabel', 'jitter', 'split_tracks')
_SUFFIXES = ('.avi', '.mp4', '.mkv', '.webm', '.gif')
_parser = None


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    args = _arguments().parse_args(argv)
    with errors_in_sentences(args.debug):
        check_parser(args.parser, args.cfg_options or {}, 'video', ('--parser', '--cfg-options'))
        if args.pixel_noise and not hasattr(SG_PARSERS.get(args.parser), 'read'):
            raise ValueError(f'--pixel-noise: {args.parser} looks at no frames; leave it out')
        run(args, provenance(__file__, argv))
    return 0


def run(args: argparse.Namespace, results: dict) -> None:
    """Read, score, show, write; ``results`` is what the file says of its making."""
    videos = find_videos(args.data)
    rows = read_gold(args.data, videos, args.limit)
    kinds = Counter(row.get('background', 'unknown') for row in rows)
    print(f'{args.data}: {len(rows)} videos, by background {dict(sorted(kinds.items()))}')
    if not rows:
        raise FileNotFoundError(f'no video of gold/videos.jsonl.gz lies under {args.data}; write '
                                'them with tools/datasets/make_synthvl.py')
    results.update(data=str(args.data), parser=args.parser, options=args.cfg_options or {},
                   videos=len(rows), backgrounds=kinds)
    if not args.only_noise:
        cfg = dict(type=args.parser, **(args.cfg_options or {}))
        results.update(evaluate_parser(cfg, rows, videos, args.workers, args.pixel_noise,
                                       args.seed))
        print_table('parser', results['scores'])
        print(f'{results["videos_per_s"]:.1f} videos/s with {args.workers} process(es), reading '
              'included')
        print_predicates(results['predicates'])
    if args.noise:
        results['noise'] = evaluate_noise(rows, args.noise, args.seed)
        print_table('noise on gold', results['noise'])
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(results, indent=1) + '\n', encoding='utf-8')


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--data', type=Path, required=True, help='root of a SynthVL data set')
    parser.add_argument('--parser', default='MotionVideoParser', help='name in SG_PARSERS')
    parser.add_argument('--cfg-options', nargs='+', action=KeyValueAction,
                        help='arguments of the parser, key=value')
    parser.add_argument('--pixel-noise', type=float, nargs='*', default=(), metavar='SD',
                        help='also parse frames with noise of these standard deviations')
    parser.add_argument('--noise', type=float, nargs='*', default=(), metavar='RATE',
                        help='also score gold corrupted at these rates')
    parser.add_argument('--only-noise', action='store_true', help='do not run the parser')
    parser.add_argument('--limit', type=positive, help='first so many videos of each background')
    parser.add_argument('--workers', type=int, default=1, help='processes')
    parser.add_argument('--seed', type=int, default=0, help='of the noise')
    parser.add_argument('--json', type=Path, help='write the figures here')
    add_debug_argument(parser)
    return parser


def read_gold(root: Path, videos: Iterable[str], limit: int | None = None) -> list[dict]:
    """Rows of the gold file whose video is among ``videos``, the first ``limit`` of each
    background; GraphError names the line and key."""
    rows, kinds = [], Counter()
    for where, row in load_jsonl(root / 'gold' / 'videos.jsonl.gz'):
        need(row, 'video_id', str, where)
        kind = row.get('background')
        if row['video_id'] not in videos or (limit and kinds[kind] >= limit):
            continue
        kinds[kind] += 1
        row['dsg'] = DynamicSceneGraph.from_dict(need(row, 'dsg', dict, where), where)
        rows.append(row)
    return rows


def find_videos(root: Path) -> dict[str, str]:
    """Id -> path of the video files under ``YouTubeClips`` (or the root itself).

    Raises:
        FileNotFoundError: there is no such folder.
    """
    if not root.is_dir():
        raise FileNotFoundError(f'there is no folder {root}; --data is the root of a SynthVL data '
                                'set, which tools/datasets/make_synthvl.py writes')
    folder = root / 'YouTubeClips'
    folder = folder if folder.is_dir() else root
    return {p.stem: str(p) for p in sorted(folder.iterdir()) if p.suffix in _SUFFIXES}


def evaluate_parser(cfg: dict, rows: list[dict], videos: dict[str, str], workers: int,
                    pixel_noise: Iterable[float] = (), seed: int = 0) -> dict:
    """Scores in all and by background, again for each noise, and what the clean run gave per
    predicate and in videos/s."""
    scores: dict[str, dict[str, float]] = {}
    for noise in (0.0, *pixel_noise):
        start = time.perf_counter()
        found = _score(cfg, rows, videos, workers, noise, seed)
        if not noise:
            seconds, clean = time.perf_counter() - start, found['all']
        suffix = f', pixel noise {noise:g}' if noise else ''
        scores.update({kind + suffix: s.summary() for kind, s in sorted(found.items())})
    return {'scores': scores,
            'predicates': {k: [f1(v), *map(int, v)] for k, v in sorted(clean.predicates.items())},
            'videos_per_s': len(rows) / seconds}


def _score(cfg: dict, rows: list[dict], videos: dict[str, str], workers: int, noise: float,
           seed: int) -> dict[str, Score]:
    """'all' and each background that the gold names -> counts."""
    from mmengine.utils import ProgressBar
    scores = {'all': Score()}
    bar = ProgressBar(len(rows))
    paths = [videos[row['video_id']] for row in rows]
    with _stream((cfg, noise, seed), paths, workers) as graphs:
        for row, parsed in zip(rows, graphs, strict=True):
            for kind in {'all', row.get('background', 'all')}:
                scores.setdefault(kind, Score()).add(row['dsg'], parsed)
            bar.update()
    print()
    return scores


class _stream:
    """Parsed graphs in order, from this process or from a pool."""

    def __init__(self, setting: tuple, paths: list[str], workers: int) -> None:
        self.setting, self.paths = setting, paths
        self.pool = None if workers < 2 else get_context('spawn').Pool(workers, _start, setting)

    def __enter__(self):
        if self.pool is not None:
            return self.pool.imap(_parse, self.paths, chunksize=4)
        _start(*self.setting)
        return map(_parse, self.paths)

    def __exit__(self, *exc: object) -> None:
        if self.pool is not None:
            self.pool.terminate()


def _start(cfg: dict, noise: float, seed: int) -> None:
    """Build the parser of this process; with noise, what it reads is disturbed."""
    global _parser
    _parser = SG_PARSERS.build(dict(cfg))
    if noise:
        clean = _parser.read

        def read(path: str) -> tuple[np.ndarray, np.ndarray]:
            frames, times = clean(path)
            # the same whatever the order and the number of processes
            rng = np.random.default_rng([seed, zlib.crc32(Path(path).stem.encode())])
            return add_pixel_noise(frames, noise, rng), times
        _parser.read = read


def add_pixel_noise(frames: np.ndarray, sd: float, rng: np.random.Generator) -> np.ndarray:
    """uint8 frames plus Gaussian noise of ``sd`` grey levels, independent in every value."""
    return np.clip(np.rint(frames + rng.normal(0, sd, frames.shape)), 0, 255).astype(np.uint8)


def _parse(path: str) -> DynamicSceneGraph:
    return _parser.parse([path])[0]


def evaluate_noise(rows: list[dict], rates: list[float], seed: int) -> dict:
    """Scores of corrupted gold against gold, per knob and rate, and of all knobs together."""
    out = {}
    for rate in rates:
        for names in (*((k,) for k in KNOBS), KNOBS):
            score, rng = Score(), np.random.default_rng(seed)
            for row in rows:
                score.add(row['dsg'], add_noise(row['dsg'], rng, **dict.fromkeys(names, rate)))
            label = names[0] if len(names) == 1 else 'all four'
            out[f'{label} {rate:g}'] = score.summary()
    return out


def print_table(title: str, scores: dict[str, dict[str, float]]) -> None:
    """One row a set."""
    columns = list(next(iter(scores.values())))
    width = max(len(title), *(len(k) for k in scores)) + 2
    print('\n' + title.ljust(width) + '  '.join(columns))
    for name, row in scores.items():
        print(name.ljust(width) + '  '.join(f'{row[c]:.3f}'.rjust(len(c)) for c in columns))


def print_predicates(rows: dict[str, list[float]]) -> None:
    """One row a predicate."""
    print('\npredicate            F1     both  parsed only  gold only')
    for name, (value, both, parsed, gold) in rows.items():
        print(f'{name:20s} {value:.3f}  {both:5d}  {parsed:11d}  {gold:9d}')


if __name__ == '__main__':
    sys.exit(main())

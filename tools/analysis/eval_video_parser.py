"""A video parser against gold dynamic scene graphs.

    python tools/analysis/eval_video_parser.py --data data/synthvl/msvd --parser MotionVideoParser
    python tools/analysis/eval_video_parser.py --data data/synthvl/msvd --noise 0.1 0.3

``--data`` is a SynthVL root (``gold/videos.jsonl.gz`` and ``YouTubeClips/``). Prints object recall
at IoU 0.5, IDF1, predicate F1 and attribute accuracy (``finsta/parsing/video/scoring.py`` says how
each is counted), by kind of background where the gold names it, then per predicate. With
``--noise`` the gold itself is corrupted at each rate and scored: what such noise costs on the same
scale. Figures are those of the parser on this data set and no other.
"""

import argparse
import json
import sys
import time
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from mmengine.config import DictAction

from finsta.parsing.video.layouts.common import load_jsonl, need
from finsta.parsing.video.scoring import Score, f1
from finsta.registry import SG_PARSERS
from finsta.structures import DynamicSceneGraph
from finsta.structures.noise import add_noise

KNOBS = ('drop', 'relabel', 'jitter', 'split_tracks')
_SUFFIXES = ('.avi', '.mp4', '.mkv', '.webm', '.gif')
_parser = None


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    args = _arguments().parse_args(argv)
    rows = read_gold(args.data, args.limit)
    videos = find_videos(args.data)
    present = [r for r in rows if r['video_id'] in videos]
    print(f'{args.data}: {len(present)} of {len(rows)} videos with gold are on disk')
    if not present:
        print(f'no video of gold/videos.jsonl.gz lies under {args.data}; write them with '
              'tools/datasets/make_synthvl.py', file=sys.stderr)
        return 1
    command = f'python tools/analysis/eval_video_parser.py --data {args.data}'
    results = {'command': command + (f' --limit {args.limit}' if args.limit else '')
               + (f' --noise {" ".join(map(str, args.noise))}' if args.noise else ''),
               'data': str(args.data), 'parser': args.parser, 'videos': len(present),
               'options': args.cfg_options or {}}
    if not args.only_noise:
        cfg = dict(type=args.parser, **(args.cfg_options or {}))
        results.update(evaluate_parser(cfg, present, videos, args.workers))
        print_table('parser', results['scores'])
        print(f'{results["videos_per_s"]:.1f} videos/s with {args.workers} process(es), reading '
              'included')
        print_predicates(results['predicates'])
    if args.noise:
        results['noise'] = evaluate_noise(present, args.noise, args.seed)
        print_table('noise on gold', results['noise'])
    if args.json:
        args.json.write_text(json.dumps(results, indent=1) + '\n', encoding='utf-8')
    return 0


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--data', type=Path, required=True, help='root of a SynthVL data set')
    parser.add_argument('--parser', default='MotionVideoParser', help='name in SG_PARSERS')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction,
                        help='arguments of the parser, key=value')
    parser.add_argument('--noise', type=float, nargs='*', default=(),
                        help='also score gold corrupted at these rates')
    parser.add_argument('--only-noise', action='store_true', help='do not run the parser')
    parser.add_argument('--limit', type=int, help='first so many videos')
    parser.add_argument('--workers', type=int, default=1, help='processes')
    parser.add_argument('--seed', type=int, default=0, help='of the noise')
    parser.add_argument('--json', type=Path, help='write the figures here')
    return parser


def read_gold(root: Path, limit: int | None = None) -> list[dict]:
    """Rows of the gold file; GraphError names the line and key."""
    rows = []
    for where, row in load_jsonl(root / 'gold' / 'videos.jsonl.gz'):
        need(row, 'video_id', str, where)
        row['dsg'] = DynamicSceneGraph.from_dict(need(row, 'dsg', dict, where), where)
        rows.append(row)
        if limit and len(rows) >= limit:
            break
    return rows


def find_videos(root: Path) -> dict[str, str]:
    """Id -> path of the video files under ``YouTubeClips`` (or the root itself)."""
    folder = root / 'YouTubeClips'
    folder = folder if folder.is_dir() else root
    return {p.stem: str(p) for p in sorted(folder.iterdir()) if p.suffix in _SUFFIXES}


def evaluate_parser(cfg: dict, rows: list[dict], videos: dict[str, str], workers: int) -> dict:
    """Scores by background and in all, per predicate, and videos/s."""
    from mmengine.utils import ProgressBar
    scores: dict[str, Score] = {'all': Score()}
    bar = ProgressBar(len(rows))
    start = time.perf_counter()
    paths = [videos[r['video_id']] for r in rows]
    with _stream(cfg, paths, workers) as graphs:
        for row, parsed in zip(rows, graphs, strict=True):
            for kind in {'all', row.get('background', 'all')}:
                scores.setdefault(kind, Score()).add(row['dsg'], parsed)
            bar.update()
    seconds = time.perf_counter() - start
    print()
    return {'scores': {k: s.summary() for k, s in scores.items()},
            'predicates': {k: [f1(v), *map(int, v)]
                           for k, v in sorted(scores['all'].predicates.items())},
            'videos_per_s': len(rows) / seconds}


class _stream:
    """Parsed graphs in order, from this process or from a pool."""

    def __init__(self, cfg: dict, paths: list[str], workers: int) -> None:
        self.cfg, self.paths = cfg, paths
        self.pool = None if workers < 2 else get_context('spawn').Pool(workers, _start, (cfg,))

    def __enter__(self):
        if self.pool is not None:
            return self.pool.imap(_parse, self.paths, chunksize=4)
        _start(self.cfg)
        return map(_parse, self.paths)

    def __exit__(self, *exc: object) -> None:
        if self.pool is not None:
            self.pool.terminate()


def _start(cfg: dict) -> None:
    global _parser
    _parser = SG_PARSERS.build(dict(cfg))


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

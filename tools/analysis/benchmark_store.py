"""Rows per second of the graph store: writing, opening, and reading in random order.

    python tools/analysis/benchmark_store.py --out docs/en/results/benchmark_store.json

The graphs are SynthVL's gold graphs, made on the spot: text graphs of its captions, and video
graphs of ``--frames`` key frames. Writing ends when all rows are on the disk (fsync). *Cold*
reads every key once, in random order, in a store that was just opened, so that each look-up
decodes its row group where it is not kept; *warm* reads the same keys once more, from the cache of
decoded graphs. The pages of the files are in the system's memory in both. One process and thread;
``wall`` seconds hold whatever else the machine did, ``processor`` seconds do not (nor the wait for
the disk). The median over ``--rounds`` is kept, each in a new folder.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from finsta.evaluation.metrics.base import write_json
from finsta.parsing.store import GraphStore
from finsta.structures import DynamicSceneGraph, SceneGraph
from finsta.synthvl import describe, dynamic_graph, make_scene
from finsta.utils.arguments import positive
from finsta.utils.errors import add_debug_argument, errors_in_sentences
from finsta.utils.provenance import provenance

CLOCKS = {'wall': time.perf_counter, 'processor': time.process_time}
Rows = list[tuple[str, SceneGraph | DynamicSceneGraph]]


def make_rows(scenes: int, rows: int, frames: int, seed: int) -> dict[str, Rows]:
    """``rows`` (key, graph) of each table, from ``scenes`` scenes in turn."""
    texts, videos = [], []
    for i in range(scenes):
        scene = make_scene(seed, i)
        videos.append(dynamic_graph(scene))
        texts.append(describe(scene, np.random.default_rng([seed, i]))[1])
    for i, video in enumerate(videos):
        picks = np.linspace(0, len(video.frames) - 1, frames).round().astype(int)
        videos[i] = video.sample(np.unique(picks))
    return {'texts': [(f'{i}: {texts[i % scenes].text}', texts[i % scenes]) for i in range(rows)],
            'videos': [(f'video{i}', videos[i % scenes]) for i in range(rows)]}


def measure(table: str, rows: Rows, folder: Path, seed: int) -> dict[str, float]:
    """Seconds of each step by both clocks ('write wall', ...), and bytes on disk."""
    put, get = (('put_text', 'get_text') if table == 'texts' else ('put_video', 'get_video'))
    seconds: dict[str, float] = {}

    @contextmanager
    def timed(step: str) -> Iterator[None]:
        start = [clock() for clock in CLOCKS.values()]
        yield
        for (name, clock), begun in zip(CLOCKS.items(), start, strict=True):
            seconds[f'{step} {name}'] = clock() - begun

    with timed('write'), GraphStore(folder, readonly=False) as store:
        for key, graph in rows:
            getattr(store, put)(key, graph)
    order = np.random.default_rng(seed).permutation(len(rows))
    with timed('open'):
        # room for all graphs, so that the second pass reads what the first one decoded
        store = GraphStore(folder, cache_nodes=1 << 40)
        count = getattr(store, 'num_' + table)
    found = 0
    for step in ('cold', 'warm'):
        with timed(step):
            found += sum(getattr(store, get)(rows[i][0]) is not None for i in order)
    if count != len(rows) or found != 2 * count:
        raise RuntimeError(f'{count} {table} indexed and {found} read of {len(rows)} written')
    return {**seconds, 'bytes': sum(f.stat().st_size for f in folder.rglob('*.parquet'))}


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--rows', type=positive, default=2000, help='of each table')
    parser.add_argument('--scenes', type=positive, default=200, help='different graphs among them')
    parser.add_argument('--frames', type=positive, default=8, help='key frames of a video graph')
    parser.add_argument('--rounds', type=positive, default=3,
                        help='the median of so many is kept (default: %(default)s)')
    parser.add_argument('--seed', type=int, default=0,
                        help='of what is drawn (default: %(default)s)')
    parser.add_argument('--out', help='write the figures here')
    add_debug_argument(parser)
    args = parser.parse_args(argv)
    with errors_in_sentences(args.debug):
        run(args, provenance(__file__, argv))
    return 0


def run(args: argparse.Namespace, facts: dict) -> None:
    """Measure both tables, print, write."""
    found: dict[str, dict[str, float]] = {}
    for table, rows in make_rows(args.scenes, args.rows, args.frames, args.seed).items():
        rounds = []
        for _ in range(args.rounds):
            with tempfile.TemporaryDirectory() as folder:
                rounds.append(measure(table, rows, Path(folder), args.seed))
        median = {k: statistics.median(r[k] for r in rounds) for k in rounds[0]}
        nodes = [len(g.nodes) if isinstance(g, SceneGraph) else sum(len(f.nodes) for f in g.frames)
                 for _, g in rows]
        found[table] = {
            'nodes_a_row': sum(nodes) / len(nodes), 'bytes_a_row': median['bytes'] / len(rows),
            **{f'open_{clock}_seconds': median[f'open {clock}'] for clock in CLOCKS},
            **{f'{step}_rows_per_{clock}_second': len(rows) / median[f'{step} {clock}']
               for step in ('write', 'cold', 'warm') for clock in CLOCKS}}
        print(table, {k: round(v, 2) for k, v in found[table].items()})
    if args.out:
        write_json(args.out, dict(facts, rows=args.rows, tables=found))


if __name__ == '__main__':
    raise SystemExit(main())

"""STGT's graph attention: banded, sparse and auto against dense, one training step, in one run.

    python tools/analysis/benchmark_stgt.py --out docs/en/results/benchmark_stgt.json

First table: forward and backward pass of the whole module, a process for each measurement. Peak
is the resident memory of the first step above the state before it; times are the fastest of the
``--steps`` that follow, as in a training that runs. ``cpu_s`` is the processor time of all
threads, which says more than the clock where other work runs beside. The dense form holds all
frames against all frames. The tokens need no gradient, as behind a frozen tower (``--trained``:
they do). The module adds positions, which alone make nearly every pair of tokens an edge; they are
taken off the tokens before, unless ``--positions`` keeps them. ``density`` and ``formed`` of a row
are of the graph that the step has seen. Second table: the attention alone, banded and sparse in
turn, from graphs where every pair is an edge down to almost none, and the density of edges below
which sparse wins.
"""

import argparse
import json
import math
import multiprocessing
import re
import resource
import time
from pathlib import Path
from typing import Any

import torch

from finsta.utils.arguments import positive
from finsta.utils.errors import add_debug_argument, errors_in_sentences

# the dense form of more frames than these needs tens of GB
DENSE_LIMIT = 16
SHARES = ('density', 'formed')
TIMES = ('forward_s', 'step_s', 'cpu_s')


def clustered_tokens(batch: int, frames: int, cells: int, dim: int, clusters: int,
                     noise: float) -> torch.Tensor:
    """(B, T, 1 + N, d): every token is a prototype plus noise."""
    generator = torch.Generator().manual_seed(0)
    prototypes = torch.randn(clusters, dim, generator=generator)
    index = torch.randint(clusters, (batch, frames, 1 + cells), generator=generator)
    return prototypes[index] + noise * torch.randn(batch, frames, 1 + cells, dim,
                                                   generator=generator)


def module(args: argparse.Namespace, form: str) -> torch.nn.Module:
    """The same weights for every form; theta works on tokens that are left as they are."""
    from finsta.models.stgt import SpatioTemporalGraphTransformer
    torch.manual_seed(0)
    model = SpatioTemporalGraphTransformer(args.dim, num_heads=args.heads, attention=form,
                                           sim_threshold=args.threshold, dropout=0.0)
    with torch.no_grad():
        for layer in model.layers:
            layer.proj.weight.copy_(torch.eye(args.dim))
    return model


def shares(graph: Any) -> dict[str, float]:
    """Of a graph's band: which are edges (density), which lie in tiles (formed)."""
    from finsta.models.stgt.sparse import tiles
    b, t, n = graph.shape
    formed = sum(weights.numel() for *_, weights in tiles(graph))
    return dict(density=graph.density(), formed=formed / (b * (3 * t - 2) * n * n))


def one_step(model: torch.nn.Module, tokens: torch.Tensor, side: int) -> dict[str, float]:
    """Seconds of a forward and backward pass."""
    model.zero_grad()
    start, cpu = time.perf_counter(), time.process_time()
    pooled = model(tokens, side, side).pooled
    forward = time.perf_counter() - start
    pooled.square().mean().backward()
    return dict(forward_s=forward, step_s=time.perf_counter() - start,
                cpu_s=time.process_time() - cpu)


def peak_mb() -> float:
    """Highest resident memory of this program so far. Not ``ru_maxrss`` where Linux tells it
    apart: that one starts at the peak of the process which started this one."""
    status = Path('/proc/self/status')
    found = re.search(r'VmHWM:\s+(\d+) kB', status.read_text()) if status.is_file() else None
    return (int(found[1]) if found
            else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) / 1024


def steps(args: argparse.Namespace, form: str, frames: int, pipe: Any) -> None:
    """Memory of the first step, times of the fastest of the others; a process of its own."""
    from finsta.models.stgt.positions import sincos_2d
    torch.set_num_threads(args.threads)
    side = round(args.cells ** 0.5)
    model = module(args, form)
    tokens = clustered_tokens(args.batch, frames, side * side, args.dim, args.clusters, args.noise)
    if not args.positions:
        tokens -= sincos_2d(side, side, args.dim)
    one_step(model, tokens[:, :1], side)
    tokens.requires_grad_(args.trained)
    before = peak_mb()
    one_step(model, tokens, side)
    peak = peak_mb() - before
    found = [one_step(model, tokens, side) for _ in range(args.steps)]
    seen: list[Any] = []
    model.layers[0].graph.register_forward_pre_hook(lambda _, given: seen.append(given[3]))
    with torch.no_grad():
        model(tokens, side, side)
    pipe.send({name: min(x[name] for x in found) for name in TIMES} | dict(peak_mb=peak)
              | shares(seen[0]))


def measure(args: argparse.Namespace, form: str, frames: int) -> dict[str, float]:
    """:func:`steps` in a new process."""
    context = multiprocessing.get_context('spawn')
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=steps, args=(args, form, frames, theirs))
    process.start()
    theirs.close()
    try:
        return ours.recv()
    except EOFError:
        raise RuntimeError(f'{form} with T = {frames} did not finish; lower --frames or --batch '
                           'if memory ran out') from None
    finally:
        process.join()


def over_frames(args: argparse.Namespace) -> list[dict[str, Any]]:
    """One row per number of frames."""
    rows = []
    for frames in args.frames:
        forms = ['banded', 'sparse', 'auto'] + (['dense'] if frames <= DENSE_LIMIT else [])
        row: dict[str, Any] = dict(frames=frames)
        row |= {form: measure(args, form, frames) for form in forms}
        for form in forms:                             # the same graph for all
            row |= {name: row[form].pop(name) for name in SHARES}
        for form in ('banded', 'sparse', 'auto') if 'dense' in row else ():
            dense, ours = row['dense'], row[form]
            row |= {f'{form}_speedup': dense['step_s'] / ours['step_s'],
                    f'{form}_cpu_speedup': dense['cpu_s'] / ours['cpu_s'],
                    # too small a step takes no page more than the program held already
                    f'{form}_memory': (ours['peak_mb'] / dense['peak_mb']
                                       if dense['peak_mb'] else None)}
        rows.append(row)
        print(json.dumps(row), flush=True)
    return rows


def over_density(args: argparse.Namespace) -> list[dict[str, Any]]:
    """One row per number of clusters: density of edges, share of the band's logits in tiles, and
    seconds of the attention alone, forward and backward, fastest of the repeats in turn."""
    from finsta.models.stgt import build_graph
    from finsta.models.stgt.attention import banded_attention
    from finsta.models.stgt.sparse import sparse_attention
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    b, t, n, h = args.batch, args.density_frames, round(args.cells ** 0.5) ** 2, args.heads
    # laid out token-major, as the module does
    up, *leaves = torch.randn(4, b, t, n, h, args.dim // h).permute(0, 1, 4, 2, 3, 5)
    leaves = [x.detach().requires_grad_() for x in leaves]
    rows = []
    for clusters in args.density_clusters:
        tokens = clustered_tokens(b, t, n, args.dim, clusters, args.noise)[:, :, 1:]
        graph = build_graph(tokens, args.density_threshold)
        row: dict[str, Any] = dict(clusters=clusters, **shares(graph), banded_s=math.inf,
                                   sparse_s=math.inf)
        for _ in range(args.repeats):
            for name, attend in (('banded_s', banded_attention), ('sparse_s', sparse_attention)):
                clock = time.process_time if args.cpu else time.perf_counter
                start = clock()
                torch.autograd.grad(attend(*leaves, graph), leaves, up)
                row[name] = min(row[name], clock() - start)
        rows.append(row)
        print(json.dumps(row), flush=True)
    return rows


def crossing(rows: list[dict[str, Any]], of: str) -> float | None:
    """Value of ``of`` below which the sparse form takes less time: where log(sparse / banded)
    is zero on the line between the last measured win and the next row. None: no win at the
    lowest; the largest value where it always wins."""
    rows = sorted(rows, key=lambda row: row[of])
    gains = [math.log(row['sparse_s'] / row['banded_s']) for row in rows]
    lost = next((i for i, gain in enumerate(gains) if gain >= 0), len(rows))
    if lost in (0, len(rows)):
        return rows[-1][of] if lost else None
    low, high = rows[lost - 1][of], rows[lost][of]
    return low + (high - low) * gains[lost - 1] / (gains[lost - 1] - gains[lost])


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('--batch', type=positive, default=2, help='videos (default: %(default)s)')
    parser.add_argument('--frames', type=int, nargs='*', default=[8, 16, 32, 64],
                        help='numbers of frames, a row each; none: skip this table')
    parser.add_argument('--cells', type=positive, default=256, help='patches a frame, a square')
    parser.add_argument('--dim', type=positive, default=768,
                        help='width of the tokens (default: %(default)s)')
    parser.add_argument('--heads', type=positive, default=16,
                        help='of attention (default: %(default)s)')
    parser.add_argument('--clusters', type=positive, default=32,
                        help='different tokens of the first table (default: %(default)s)')
    parser.add_argument('--threshold', type=float, default=0.1,
                        help='similarity from which tokens are joined, first table')
    parser.add_argument('--density-clusters', type=int, nargs='*',
                        default=[1, 2, 3, 4, 6, 8, 16, 32, 64, 256, 4096],
                        help='of the second table, a row each: more clusters, fewer edges')
    parser.add_argument('--density-frames', type=positive, default=8,
                        help='of the second table (default: %(default)s)')
    parser.add_argument('--density-threshold', type=float, default=0.5,
                        help='of the second table (default: %(default)s)')
    parser.add_argument('--noise', type=float, default=0.5,
                        help='Gaussian, on every token (default: %(default)s)')
    parser.add_argument('--positions', action='store_true',
                        help='keep what positions add to the graph of the first table')
    parser.add_argument('--trained', action='store_true', help='the tokens need a gradient')
    parser.add_argument('--threads', type=positive, default=2,
                        help='of torch (default: %(default)s)')
    parser.add_argument('--steps', type=positive, default=2, help='timed steps after the first')
    parser.add_argument('--repeats', type=positive, default=3, help='of the second table')
    parser.add_argument('--cpu', action='store_true',
                        help='processor time in the second table, for a busy machine')
    parser.add_argument('--out', type=Path, help='JSON file')
    add_debug_argument(parser)
    args = parser.parse_args(argv)
    with errors_in_sentences(args.debug):
        run(args)


def run(args: argparse.Namespace) -> None:
    """Both tables, the crossing points, the file."""
    result = dict(settings={k: v for k, v in vars(args).items() if k not in ('out', 'debug')},
                  torch=torch.__version__, frames=over_frames(args), density=over_density(args))
    if result['density']:
        result |= {f'sparse_wins_below_{of}': crossing(result['density'], of)
                   for of in ('density', 'formed')}
        print(json.dumps({k: v for k, v in result.items() if k.startswith('sparse_wins')}))
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(result, indent=2) + '\n')


if __name__ == '__main__':
    main()

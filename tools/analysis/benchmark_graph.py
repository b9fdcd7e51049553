"""Time of graph attention, by back end, and of R-GTrm's recurrence.

    python tools/analysis/benchmark_graph.py --out docs/en/results/benchmark_graph.json

One attention layer (projections to q, k, v, attention over the graph, output projection) forward
and backward, each back end and the automatic choice, against dgl 1.1.3 and PyG's TransformerConv;
then the time per key frame of an R-GTrm layer. Contenders are interleaved inside every repeat;
medians and quartiles over repeats; ratios are against dgl in the same run and mode. PyG is
measured where ``torch_geometric`` can be imported, dgl where ``dgl`` can.

glibc gives large blocks back to the kernel after every use, and the page faults dominate what is
measured on a CPU. The script therefore starts itself again with the MALLOC_* variables of
``MALLOC`` unless ``--malloc default`` is given; training on a CPU gains from them too.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

from finsta.utils.arguments import positive
from finsta.utils.errors import add_debug_argument, errors_in_sentences

MALLOC = {'MALLOC_MMAP_THRESHOLD_': '4294967296', 'MALLOC_TRIM_THRESHOLD_': '8589934592',
          'MALLOC_TOP_PAD_': '268435456'}
# name: (units, nodes of a unit, undirected edges per node)
CASES = {'64x30': (64, 30, 1.4), '64x320': (64, 320, 2.25), '1024x20': (1024, 20, 1.3)}
BACK_ENDS = ('dgl', 'dense', 'segment', 'segment-traced', 'auto', 'pyg')


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--out', type=Path, default=None, help='JSON file; .md is put beside it')
    parser.add_argument('--cases', nargs='*', default=list(CASES), choices=list(CASES),
                        help='graphs x nodes of each (default: all)')
    parser.add_argument('--dtypes', nargs='*', default=['fp32', 'bf16'], choices=['fp32', 'bf16'],
                        help='default: both')
    parser.add_argument('--modes', nargs='*', default=['eager', 'compiled'],
                        choices=['eager', 'compiled'],
                        help='with and without torch.compile (default: both)')
    parser.add_argument('--back-ends', nargs='*', default=list(BACK_ENDS), choices=BACK_ENDS,
                        help='default: all that are installed')
    parser.add_argument('--frames', nargs='*', type=int, default=[4, 8, 16, 32],
                        help='T of the recurrence part; none: skip it')
    parser.add_argument('--dim', type=positive, default=256,
                        help='width of the layer (default: %(default)s)')
    parser.add_argument('--heads', type=positive, default=8,
                        help='of attention (default: %(default)s)')
    parser.add_argument('--repeats', type=positive, default=9,
                        help='at most, of each row (default: %(default)s)')
    parser.add_argument('--budget', type=float, default=7., help='seconds for one row, at most')
    parser.add_argument('--threads', type=positive, default=2,
                        help='of torch (default: %(default)s)')
    parser.add_argument('--clock', choices=['wall', 'cpu'], default='wall',
                        help='cpu: time of this process only, for a machine with other work')
    parser.add_argument('--malloc', choices=['tuned', 'default'], default='tuned',
                        help='tuned: large blocks of memory stay with the process')
    parser.add_argument('--seed', type=int, default=0,
                        help='of what is drawn (default: %(default)s)')
    add_debug_argument(parser)
    return parser.parse_args(argv)


def with_malloc(args: argparse.Namespace) -> None:
    """Start this script again with ``MALLOC`` set, since glibc reads it at start-up only."""
    if args.malloc == 'tuned' and any(os.environ.get(k) != v for k, v in MALLOC.items()):
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **MALLOC})


def random_topology(units: int, nodes: int, degree: float, seed: int):
    """Units of equal size with self loops and both directions of random edges."""
    import torch

    from finsta.models.graph import Topology
    from finsta.structures import NUM_EDGE_TYPES
    generator = torch.Generator().manual_seed(seed)
    total = units * nodes
    count = int(total * degree)
    unit = torch.randint(units, (count,), generator=generator) * nodes
    a, b = (unit + torch.randint(nodes, (count,), generator=generator) for _ in range(2))
    loop = torch.arange(total)
    src, dst = torch.cat([loop, a, b]), torch.cat([loop, b, a])
    order = torch.argsort(dst, stable=True)
    kind = torch.randint(NUM_EDGE_TYPES, (len(order),), generator=generator)
    return Topology(src[order], dst[order], kind, [nodes] * units)


def contender(name: str, dim: int, heads: int, topology) -> Callable | None:
    """A function states (N, D) -> states (N, D) with parameters of its own; None where its
    package is missing."""
    import torch

    from finsta.models.graph.gtrm import GraphSelfAttention
    if name == 'pyg':
        try:
            from torch_geometric.nn import TransformerConv
        except ImportError as error:
            print(f'pyg is left out: {error}. pip install torch_geometric brings it.')
            return None
        conv = TransformerConv(dim, dim // heads, heads, edge_dim=heads, root_weight=False)
        out, edge = torch.nn.Linear(dim, dim), torch.nn.Embedding(64, heads)
        index = torch.stack([topology.src, topology.dst])
        return lambda x: out(conv(x, index, edge(topology.edge_type)))
    ops = {'type': 'SegmentGraphAttention', 'form': 'traced'} if name == 'segment-traced' else name
    try:
        layer = GraphSelfAttention(dim, heads, ops)
    except ImportError as error:
        print(f'{name} is left out: {error}')
        return None

    def forward(x):
        q, k, v = layer.project(x).unbind(1)
        return layer(q, k, v, topology, layer.edge_terms(topology))
    return forward


def step(function: Callable, x, half: bool) -> None:
    """One forward and backward."""
    import torch
    with torch.autocast('cpu', torch.bfloat16, enabled=half):
        out = function(x)
    out.float().square().mean().backward()


def interleave(functions: dict[str, Callable], args: argparse.Namespace) -> dict[str, dict]:
    """Times of each function in ms: one warm-up, then rounds of one call each."""
    clock = time.process_time if args.clock == 'cpu' else time.perf_counter
    times: dict[str, list[float]] = {name: [] for name in functions}
    for function in functions.values():
        function()
    began = time.perf_counter()
    for repeat in range(args.repeats):
        for name, function in functions.items():
            start = clock()
            function()
            times[name].append((clock() - start) * 1e3)
        if repeat >= 2 and time.perf_counter() - began > args.budget:
            break
    return {name: summary(values) for name, values in times.items()}


def summary(values: list[float]) -> dict:
    """Median and quartiles."""
    low, middle, high = statistics.quantiles(values, n=4, method='inclusive')
    return {'median_ms': round(middle, 3), 'q1_ms': round(low, 3), 'q3_ms': round(high, 3),
            'repeats': len(values)}


def back_end_rows(args: argparse.Namespace) -> list[dict]:
    """One row per (mode, dtype, case)."""
    import torch

    from finsta.models.graph.select import choose
    rows = []
    for mode in args.modes:
        for case in args.cases:
            units, nodes, degree = CASES[case]
            topology = random_topology(units, nodes, degree, args.seed)
            x = torch.randn(units * nodes, args.dim, requires_grad=True)
            layers = {n: contender(n, args.dim, args.heads, topology) for n in args.back_ends}
            layers = {n: f for n, f in layers.items() if f is not None}
            for dtype in args.dtypes:
                torch.compiler.reset()
                for function in layers.values():  # index forms are made once per batch
                    step(function, x, dtype == 'bf16')
                ready = {n: torch.compile(f) if mode == 'compiled' else f
                         for n, f in layers.items()}
                calls = {n: lambda f=f, x=x, half=dtype == 'bf16': step(f, x, half)
                         for n, f in ready.items()}
                row = {'mode': mode, 'dtype': dtype, 'case': case, 'nodes': units * nodes,
                       'edges': topology.num_edges, 'times': interleave(calls, args),
                       'auto_chose': choose(x.device, topology.width)}
                judge(row)
                rows.append(row)
                print(line(row), flush=True)
    return rows


def judge(row: dict) -> None:
    """Ratios: of all against dgl, and of the automatic choice against the fastest of ours."""
    median = {n: t['median_ms'] for n, t in row['times'].items()}
    if 'dgl' in median:
        row['over_dgl'] = {n: round(m / median['dgl'], 3) for n, m in median.items()}
    own = [m for n, m in median.items() if n not in ('auto', 'pyg')]
    if 'auto' in median and own:
        row['auto_over_fastest'] = round(median['auto'] / min(own), 3)


def recurrence_rows(args: argparse.Namespace) -> list[dict]:
    """Time per key frame of one R-GTrm layer, forward and backward, 16 samples x 20 nodes."""
    import torch

    from finsta.models.graph import GraphContext
    from finsta.models.graph.recurrence import RECURRENCES
    from finsta.models.graph.rgtrm import RGTrmLayer
    from finsta.structures import DynamicSceneGraph, GraphBatch, Node, SceneGraph
    frame = SceneGraph(tuple(Node('object', f'o{i}', box=(i / 20, .5, .1, .1), entity=i)
                             for i in range(20)))
    layers = {name: RGTrmLayer(args.dim, args.heads, recurrence=name) for name in RECURRENCES}
    rows = []
    for frames in args.frames:
        video = DynamicSceneGraph((frame,) * frames, tuple(range(frames)))
        context = GraphContext(GraphBatch.from_video([video] * 16))
        x = torch.randn(context.num_nodes, args.dim, requires_grad=True)
        calls = {n: lambda f=f, c=context, x=x: step(lambda h: f(h, c), x, False)
                 for n, f in layers.items()}
        times = interleave(calls, args)
        rows.append({'frames': frames, 'times': times, 'ms_per_frame': {
            n: round(t['median_ms'] / frames, 3) for n, t in times.items()}})
        print(f'R-GTrm, T={frames}: ' + ', '.join(
            f'{n} {v} ms a frame' for n, v in rows[-1]['ms_per_frame'].items()), flush=True)
    return rows


def line(row: dict) -> str:
    """A row for the terminal."""
    times = ', '.join(f"{n} {t['median_ms']:.1f}" + (
        f" ({row['over_dgl'][n]:.2f})" if 'over_dgl' in row else '')
        for n, t in row['times'].items())
    return (f"{row['mode']} {row['dtype']} {row['case']}: {times}; auto = {row['auto_chose']}, "
            f"{row.get('auto_over_fastest', '-')} x fastest")


def cell(row: dict, name: str) -> str:
    """One time in the table."""
    t = row['times'][name]
    ratio = f" ({row['over_dgl'][name]:.2f})" if 'over_dgl' in row else ''
    return f"{t['median_ms']:.1f} [{t['q1_ms']:.1f}, {t['q3_ms']:.1f}]{ratio}"


def markdown(result: dict) -> str:
    """The result as tables."""
    env = result['environment']
    out = ['# Graph attention: time by back end', '',
           f"Command: `{result['command']}`. torch {env['torch']}, dgl {env['dgl']}, "
           f"{env['threads']} threads, {env['cpu']}, clock: {env['clock']}, "
           f"malloc: {env['malloc']}. Median ms [quartiles] of forward + backward of one "
           'attention layer; in brackets the ratio to dgl in the same row.', '']
    names = list(dict.fromkeys(n for row in result['rows'] for n in row['times']))
    out += ['| mode | dtype | graphs | ' + ' | '.join(names) + ' | auto is | auto / fastest |',
            '|' + '---|' * (len(names) + 5)]
    for row in result['rows']:
        cells = ['-' if n not in row['times'] else cell(row, n) for n in names]
        out.append(f"| {row['mode']} | {row['dtype']} | {row['case']} | " + ' | '.join(cells)
                   + f" | {row['auto_chose']} | {row.get('auto_over_fastest', '-')} |")
    if result['recurrence']:
        names = list(result['recurrence'][0]['ms_per_frame'])
        out += ['', 'R-GTrm layer, ms per key frame (16 samples x 20 nodes, forward + backward):',
                '', '| T | ' + ' | '.join(names) + ' |', '|' + '---|' * (len(names) + 1)]
        out += [f"| {row['frames']} | " + ' | '.join(
            str(row['ms_per_frame'][n]) for n in names) + ' |' for row in result['recurrence']]
    return '\n'.join(out) + '\n'


def environment(args: argparse.Namespace) -> dict:
    """What the figures depend on."""
    from importlib.metadata import PackageNotFoundError, version

    import torch

    def installed(name: str) -> str | None:
        try:
            return version(name)
        except PackageNotFoundError:
            return None
    cpu = platform.processor() or platform.machine()
    info = Path('/proc/cpuinfo')
    if info.exists():
        cpu = next((x.split(':', 1)[1].strip() for x in info.read_text().splitlines()
                    if x.startswith('model name')), cpu)
    return {'torch': torch.__version__, 'dgl': installed('dgl'),
            'torch_geometric': installed('torch_geometric'), 'threads': args.threads, 'cpu': cpu,
            'clock': args.clock, 'malloc': args.malloc, 'seed': args.seed, 'dim': args.dim,
            'heads': args.heads, 'load': [round(x, 2) for x in os.getloadavg()]}


def main(argv: list[str] | None = None) -> dict:
    """Run, print, and write the files."""
    args = parse_args(argv)
    if argv is None:
        with_malloc(args)
    with errors_in_sentences(args.debug):
        import torch
        torch.set_num_threads(args.threads)
        torch.manual_seed(args.seed)
        result = {'command': ' '.join(['python', *sys.argv]), 'environment': environment(args),
                  'rows': back_end_rows(args), 'recurrence': recurrence_rows(args)}
        if args.out:
            args.out.parent.mkdir(parents=True, exist_ok=True)
            args.out.write_text(json.dumps(result, indent=1) + '\n')
            args.out.with_suffix('.md').write_text(markdown(result))
    return result


if __name__ == '__main__':
    main()

"""STGT's graph attention: banded and sparse against dense, one training step, in one run.

    python tools/analysis/benchmark_stgt.py --out docs/en/results/benchmark_stgt.json

Each measurement is a forward and backward pass of the whole module in a process of its own (peak
resident memory above the state before the step). ``cpu_s`` is the processor time of all threads,
which says more than the clock where other work runs beside. Forms are interleaved and the fastest
of ``--repeats`` counts, so that a busy machine touches all alike. The dense form holds all frames
against all frames, as the released module does. The second table lowers the number of edges
(clusters of tokens) until the sparse form wins.
"""

import argparse
import json
import multiprocessing
import resource
import time
from pathlib import Path
from typing import Any

import torch

# the dense form of more frames than these needs tens of GB
DENSE_LIMIT = 16


def clustered_tokens(batch: int, frames: int, cells: int, dim: int, clusters: int,
                     noise: float) -> torch.Tensor:
    """(B, T, 1 + N, d): every token is a prototype plus noise."""
    generator = torch.Generator().manual_seed(0)
    prototypes = torch.randn(clusters, dim, generator=generator)
    index = torch.randint(clusters, (batch, frames, 1 + cells), generator=generator)
    return prototypes[index] + noise * torch.randn(batch, frames, 1 + cells, dim,
                                                   generator=generator)


def module(args: argparse.Namespace, form: str, threshold: float) -> torch.nn.Module:
    """The same weights for every form; theta works on tokens that are left as they are."""
    from finsta.models.stgt import SpatioTemporalGraphTransformer
    torch.manual_seed(0)
    model = SpatioTemporalGraphTransformer(args.dim, num_heads=args.heads, attention=form,
                                           sim_threshold=threshold, dropout=0.0)
    with torch.no_grad():
        for layer in model.layers:
            layer.proj.weight.copy_(torch.eye(args.dim))
    return model


def one_step(args: argparse.Namespace, form: str, frames: int, clusters: int,
             threshold: float, pipe: Any) -> None:
    """Time and memory of a step after a warm-up at one frame."""
    torch.set_num_threads(args.threads)
    side = round(args.cells ** 0.5)
    model = module(args, form, threshold)
    tokens = clustered_tokens(args.batch, frames, side * side, args.dim, clusters, args.noise)
    model(tokens[:, :1], side, side).pooled.sum().backward()
    tokens.requires_grad_()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start, cpu = time.perf_counter(), time.process_time()
    pooled = model(tokens, side, side).pooled
    forward = time.perf_counter() - start
    pooled.square().mean().backward()
    step, cpu = time.perf_counter() - start, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    pipe.send(dict(forward_s=forward, step_s=step, cpu_s=cpu, peak_mb=(peak - before) / 1024))


def measure(args: argparse.Namespace, forms: list[str], frames: int, clusters: int,
            threshold: float) -> dict[str, dict[str, float]]:
    """Fastest of the repeats and largest peak of each form, forms interleaved."""
    context = multiprocessing.get_context('spawn')
    best: dict[str, dict[str, float]] = {}
    for _ in range(args.repeats):
        for form in forms:
            ours, theirs = context.Pipe(duplex=False)
            process = context.Process(target=one_step, args=(args, form, frames, clusters,
                                                             threshold, theirs))
            process.start()
            theirs.close()
            try:
                found = ours.recv()
            except EOFError:
                raise RuntimeError(f'{form} with T = {frames} did not finish; lower --frames or '
                                   '--batch if memory ran out') from None
            finally:
                process.join()
            old = best.get(form, found)
            best[form] = dict(forward_s=min(old['forward_s'], found['forward_s']),
                              step_s=min(old['step_s'], found['step_s']),
                              cpu_s=min(old['cpu_s'], found['cpu_s']),
                              peak_mb=max(old['peak_mb'], found['peak_mb']))
    return best


def density(args: argparse.Namespace, frames: int, clusters: int, threshold: float) -> float:
    """Share of edges in the frame blocks that the band keeps."""
    from finsta.models.stgt import build_graph
    model = module(args, 'banded', threshold)
    side = round(args.cells ** 0.5)
    tokens = clustered_tokens(1, frames, side * side, args.dim, clusters, args.noise)
    with torch.no_grad():
        z = model.layers[0].proj(tokens)
    return build_graph(z[:, :, 1:], threshold).density()


def over_frames(args: argparse.Namespace) -> list[dict[str, Any]]:
    """One row per number of frames."""
    rows = []
    for frames in args.frames:
        forms = ['banded', 'sparse'] + (['dense'] if frames <= DENSE_LIMIT else [])
        found = measure(args, forms, frames, args.clusters, 0.1)
        row = dict(frames=frames, density=density(args, frames, args.clusters, 0.1), **found)
        if 'dense' in found:
            row |= {f'{form}_speedup': found['dense']['step_s'] / found[form]['step_s']
                    for form in ('banded', 'sparse')}
            row |= {f'{form}_cpu_speedup': found['dense']['cpu_s'] / found[form]['cpu_s']
                    for form in ('banded', 'sparse')}
            row |= {f'{form}_memory': found[form]['peak_mb'] / found['dense']['peak_mb']
                    for form in ('banded', 'sparse')}
        rows.append(row)
        print(json.dumps(row), flush=True)
    return rows


def over_density(args: argparse.Namespace) -> list[dict[str, Any]]:
    """One row per number of clusters, from one (every pair is an edge) to many."""
    rows = []
    for clusters in args.density_clusters:
        found = measure(args, ['banded', 'sparse'], args.frames[0], clusters, 0.5)
        row = dict(clusters=clusters, density=density(args, args.frames[0], clusters, 0.5),
                   sparse_wins=found['sparse']['cpu_s'] < found['banded']['cpu_s'], **found)
        rows.append(row)
        print(json.dumps(row), flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('--batch', type=int, default=2)
    parser.add_argument('--frames', type=int, nargs='+', default=[8, 16, 32, 64])
    parser.add_argument('--cells', type=int, default=256, help='patches a frame, a square')
    parser.add_argument('--dim', type=int, default=768)
    parser.add_argument('--heads', type=int, default=16)
    parser.add_argument('--clusters', type=int, default=32)
    parser.add_argument('--density-clusters', type=int, nargs='*',
                        default=[1, 2, 4, 8, 16, 32, 64])
    parser.add_argument('--noise', type=float, default=0.5)
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--repeats', type=int, default=3)
    parser.add_argument('--quick', action='store_true',
                        help='T = 8 only, one repeat, three densities')
    parser.add_argument('--out', type=Path, help='JSON file')
    args = parser.parse_args()
    if args.quick:
        args.frames, args.repeats, args.density_clusters = [8], 1, [4, 16, 64]
    result = dict(settings={k: v for k, v in vars(args).items() if k != 'out'},
                  torch=torch.__version__, frames=over_frames(args), density=over_density(args))
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(result, indent=2) + '\n')


if __name__ == '__main__':
    main()

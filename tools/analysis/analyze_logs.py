"""Read the training logs of one or several runs: table, curves, speed.

examples:
  python tools/analysis/analyze_logs.py table work_dirs/a work_dirs/b
  python tools/analysis/analyze_logs.py plot work_dirs/a work_dirs/b --keys loss recall_at_1 \\
      --out curves.png
  python tools/analysis/analyze_logs.py speed work_dirs/a

A run is a work directory; the scalars.json files of all its starts are joined, and where a
resumed run repeats a step the later start counts.
"""

import argparse
import json
from pathlib import Path

from finsta.engine.launch import UsageError, errors_in_sentences
from finsta.utils.arguments import positive
from finsta.utils.errors import add_debug_argument
from finsta.utils.optional import require

# step -> value of one scalar
Curve = dict[int, float]
_NOT_RESULTS = ('step', 'iter', 'epoch', 'memory')


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.split('\n', maxsplit=1)[0], epilog=__doc__.split('\n\n', 1)[1],
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('what', choices=['table', 'plot', 'speed'],
                        help='numbers, curves or seconds an iteration')
    parser.add_argument('runs', nargs='+', help='work directories')
    parser.add_argument('--keys', nargs='+', help='scalars (default: all; plot: loss)')
    parser.add_argument('--last', type=positive, default=5, help='entries that the table averages '
                        'at the end of a curve')
    parser.add_argument('--out', default='curves.png', help='picture of plot')
    add_debug_argument(parser)
    return parser.parse_args(argv)


def read_run(folder: str) -> dict[str, Curve]:
    """All scalars of a work directory.

    Raises:
        FileNotFoundError: when it has no log. UsageError: naming file and line of a broken one;
            a last line that was cut off by a kill is left out.
    """
    files = sorted(Path(folder).rglob('scalars.json'))
    if not files:
        raise FileNotFoundError(f'no scalars.json under {folder}; is it the work directory of a '
                                'training?')
    curves: dict[str, Curve] = {}
    for file in files:
        lines = file.read_text().splitlines()
        for number, line in enumerate(lines, 1):
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                if number == len(lines):
                    continue
                raise UsageError(f'{file}, line {number}: {error}') from error
            for key, value in row.items():
                if key not in _NOT_RESULTS and isinstance(value, int | float):
                    curves.setdefault(key, {})[int(row['step'])] = float(value)
    return curves


def chosen(curves: dict[str, Curve], keys: list[str] | None, run: str) -> dict[str, Curve]:
    """The asked-for scalars, in order.

    Raises:
        UsageError: for a name that the log does not have, with those it has.
    """
    missing = [key for key in keys or [] if key not in curves]
    if missing:
        raise UsageError(f'{run} has no {", ".join(missing)}; it has {", ".join(sorted(curves))}')
    return {key: curves[key] for key in keys or sorted(curves)}


def table(runs: list[str], keys: list[str] | None, last: int) -> list[str]:
    """Lines with first, best-of-range and final values of each scalar."""
    lines = [f'{"run":24s} {"scalar":32s} {"steps":>7s} {"first":>11s} {"min":>11s} {"max":>11s} '
             f'{f"mean of last {last}":>15s}']
    for run in runs:
        for key, curve in chosen(read_run(run), keys, run).items():
            values = [curve[step] for step in sorted(curve)]
            tail = values[-last:]
            lines.append(f'{Path(run).name[:24]:24s} {key[:32]:32s} {max(curve):7d} '
                         f'{values[0]:11.5g} {min(values):11.5g} {max(values):11.5g} '
                         f'{sum(tail) / len(tail):15.5g}')
    return lines


def speed(runs: list[str]) -> list[str]:
    """Lines with seconds per iteration, without the first logged one."""
    lines = []
    for run in runs:
        curves = chosen(read_run(run), ['time', 'data_time'], run)
        values = {key: [curve[s] for s in sorted(curve)][1:] or list(curve.values())
                  for key, curve in curves.items()}
        mean = {key: sum(v) / len(v) for key, v in values.items()}
        lines.append(f'{Path(run).name}: {mean["time"]:.4f} s per iteration, of which '
                     f'{mean["data_time"]:.4f} s waiting for data '
                     f'({min(values["time"]):.4f} to {max(values["time"]):.4f})')
    return lines


def plot(runs: list[str], keys: list[str], out: str) -> None:
    """One panel per scalar, one line per run."""
    require('matplotlib', 'plotting logs').use('Agg')
    plt = require('matplotlib.pyplot', 'plotting logs')
    figure, axes = plt.subplots(1, len(keys), figsize=(6 * len(keys), 4), squeeze=False)
    for run in runs:
        for axis, (key, curve) in zip(axes[0], chosen(read_run(run), keys, run).items(),
                                      strict=True):
            steps = sorted(curve)
            axis.plot(steps, [curve[s] for s in steps], label=Path(run).name,
                      marker='.' if len(steps) < 20 else None)
            axis.set(title=key, xlabel='iteration')
            axis.grid(alpha=0.3)
    axes[0][0].legend()
    figure.tight_layout()
    figure.savefig(out, dpi=120)
    plt.close(figure)


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    with errors_in_sentences(args.debug):
        if args.what == 'plot':
            plot(args.runs, args.keys or ['loss'], args.out)
            print(args.out)
            return
        lines = table(args.runs, args.keys, args.last) if args.what == 'table' \
            else speed(args.runs)
        print('\n'.join(lines))


if __name__ == '__main__':
    main()

"""Write a SynthVL data set in the layout of a real one.

    python tools/datasets/make_synthvl.py --layout msvd --size small --out data/synthvl/msvd

A killed run is resumed by the same command; a finished one is left alone.
"""

import argparse
import json
import os
import time
from pathlib import Path

from finsta.synthvl.difficulty import BACKGROUNDS, CAMERAS, HELD_OUT, LONG
from finsta.synthvl.layouts import LAYOUTS
from finsta.synthvl.writing import SIZE_DIFFICULTY, SIZES, Plan, generate
from finsta.utils.arguments import positive
from finsta.utils.errors import add_debug_argument, errors_in_sentences


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--layout', choices=sorted(LAYOUTS), default='msvd',
                        help='whose files and folders (default: %(default)s)')
    parser.add_argument('--size', choices=sorted(SIZES), default='small',
                        help='how many clips and pairs (default: %(default)s)')
    parser.add_argument('--out', type=Path, required=True, help='data root to write')
    parser.add_argument('--seed', type=int, default=0,
                        help='same seed, same files (default: %(default)s)')
    parser.add_argument('--workers', type=int, default=os.cpu_count() or 1,
                        help='processes (default: the cores)')
    parser.add_argument('--num-train', type=int, help='training clips (default: that of --size)')
    parser.add_argument('--num-val', type=int, help='validation clips (default: that of --size)')
    parser.add_argument('--num-test', type=int, help='test clips (default: that of --size)')
    parser.add_argument('--pairs', type=int, help='minimal pairs of each factor')
    parser.add_argument('--background', nargs='+', choices=BACKGROUNDS, help='drawn from these')
    parser.add_argument('--camera', nargs='+', choices=CAMERAS,
                        help='how the camera moves, drawn from these')
    parser.add_argument('--canvas', type=positive, help='pixels of a side')
    parser.add_argument('--fps', type=positive, help='frames a second')
    parser.add_argument('--objects', nargs=2, type=int, metavar=('LEAST', 'MOST'),
                        help='things in a clip that captions speak of')
    parser.add_argument('--events', nargs=2, type=int, metavar=('LEAST', 'MOST'),
                        help='what happens in a clip')
    parser.add_argument('--distractors', type=int, help='further things that nothing is said of')
    parser.add_argument('--long', action='store_true', help='clips of 30-50 s with cuts')
    parser.add_argument('--held-out', choices=sorted(HELD_OUT),
                        help='val and test differ from train in this')
    parser.add_argument('--quiet', action='store_true', help='no progress bar')
    add_debug_argument(parser)
    return parser.parse_args(argv)


def make_plan(args: argparse.Namespace) -> Plan:
    """The plan that the arguments ask for."""
    sizes = SIZES[args.size]
    given = (args.num_train, args.num_val, args.num_test)
    counts = tuple(d if g is None else g for g, d in zip(given, sizes[:3], strict=True))
    difficulty = {**SIZE_DIFFICULTY.get(args.size, {}), **(LONG if args.long else {})}
    for name, value in (('backgrounds', args.background), ('cameras', args.camera),
                        ('canvas', args.canvas), ('fps', args.fps), ('objects', args.objects),
                        ('events', args.events), ('distractors', args.distractors)):
        if value is not None:
            difficulty[name] = value
    held_out = HELD_OUT[args.held_out] if args.held_out else {}
    if args.held_out == 'combinations':
        difficulty['combinations'] = 'train'
    return Plan(args.layout, args.size, args.seed, counts,
                sizes[3] if args.pairs is None else args.pairs,
                captions=LAYOUTS[args.layout].captions, difficulty=difficulty,
                test_difficulty=held_out)


def main(argv: list[str] | None = None) -> None:
    """Write and report."""
    args = parse_args(argv)
    start = time.perf_counter()
    with errors_in_sentences(args.debug):
        summary = generate(make_plan(args), args.out, args.workers, not args.quiet)
    seconds = time.perf_counter() - start
    print(json.dumps({k: v for k, v in summary.items() if k != 'plan'}))
    print(f'{args.out}: complete after {seconds:.1f} s')


if __name__ == '__main__':
    main()

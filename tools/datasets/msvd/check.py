"""Compare data/msvd with what was published: 1,200 / 100 / 670 videos.

    python tools/datasets/msvd/check.py [data/msvd] [--open] [--captions FILE ...]

Exit status 0 when everything is there.
"""

import argparse
import sys

from finsta.datasets import MSVD
from finsta.datasets.check import check_splits, print_report

PUBLISHED = {'train': 1200, 'val': 100, 'test': 670}


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('root', nargs='?', default='data/msvd',
                        help='folder of the data set (default: %(default)s)')
    parser.add_argument('--captions', nargs='+', help='caption files, relative to the root')
    parser.add_argument('--open', action='store_true', help='decode two frames of every video')
    args = parser.parse_args()
    report = check_splits(MSVD, args.root, PUBLISHED, args.open, ann_file=args.captions)
    return 0 if print_report('MSVD', report) else 1


if __name__ == '__main__':
    sys.exit(main())

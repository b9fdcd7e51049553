"""Compare MSVD-QA with what was published: 30,933 / 6,415 / 13,157 questions.

    python tools/datasets/msvd_qa/check.py [data/msvd] [--open]

Exit status 0 when everything is there.
"""

import argparse
import sys

from finsta.datasets import MSVDQA
from finsta.datasets.check import check_splits, print_report

PUBLISHED = {'train': 30933, 'val': 6415, 'test': 13157}


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('root', nargs='?', default='data/msvd',
                        help='folder of the data set (default: %(default)s)')
    parser.add_argument('--open', action='store_true', help='decode two frames of every video')
    args = parser.parse_args()
    report = check_splits(MSVDQA, args.root, PUBLISHED, args.open)
    return 0 if print_report('MSVD-QA', report) else 1


if __name__ == '__main__':
    sys.exit(main())

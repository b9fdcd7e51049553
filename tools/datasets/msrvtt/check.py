"""Compare data/msrvtt with what was published: 6,513 / 497 / 2,990 videos.

    python tools/datasets/msrvtt/check.py [data/msrvtt] [--open] [--captions FILE ...]

Exit status 0 when everything is there.
"""

import sys

from finsta.datasets import MSRVTT
from finsta.datasets.check import check_command

PUBLISHED = {'train': 6513, 'val': 497, 'test': 2990}

if __name__ == '__main__':
    sys.exit(check_command(MSRVTT, 'data/msrvtt', PUBLISHED, __doc__, captions=True))

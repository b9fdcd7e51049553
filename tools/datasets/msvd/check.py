"""Compare data/msvd with what was published: 1,200 / 100 / 670 videos.

    python tools/datasets/msvd/check.py [data/msvd] [--open] [--captions FILE ...]

Exit status 0 when everything is there.
"""

import sys

from finsta.datasets import MSVD
from finsta.datasets.check import check_command

PUBLISHED = {'train': 1200, 'val': 100, 'test': 670}

if __name__ == '__main__':
    sys.exit(check_command(MSVD, 'data/msvd', PUBLISHED, __doc__, captions=True))

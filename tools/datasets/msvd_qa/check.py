"""Compare MSVD-QA with what was published: 30,933 / 6,415 / 13,157 questions.

    python tools/datasets/msvd_qa/check.py [data/msvd] [--open]

Exit status 0 when everything is there.
"""

import sys

from finsta.datasets import MSVDQA
from finsta.datasets.check import check_command

PUBLISHED = {'train': 30933, 'val': 6415, 'test': 13157}

if __name__ == '__main__':
    sys.exit(check_command(MSVDQA, 'data/msvd', PUBLISHED, __doc__))

"""Compare MSRVTT-QA with what was published: 158,581 / 12,278 / 72,821 questions.

    python tools/datasets/msrvtt_qa/check.py [data/msrvtt] [--open]

Exit status 0 when everything is there.
"""

import sys

from finsta.datasets import MSRVTTQA
from finsta.datasets.check import check_command

PUBLISHED = {'train': 158581, 'val': 12278, 'test': 72821}

if __name__ == '__main__':
    sys.exit(check_command(MSRVTTQA, 'data/msrvtt', PUBLISHED, __doc__))

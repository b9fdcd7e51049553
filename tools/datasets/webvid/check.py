"""Look through a WebVid-like corpus. Rows are counted, not compared: each corpus has its own.

    python tools/datasets/webvid/check.py [data/webvid] [--open]

Exit status 0 when everything is there.
"""

import sys

from finsta.datasets import WebVid
from finsta.datasets.check import check_command

PUBLISHED = {'train': None}

if __name__ == '__main__':
    sys.exit(check_command(WebVid, 'data/webvid', PUBLISHED, __doc__))

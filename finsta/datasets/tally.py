"""Counted, logged exceptions to the rule: fallbacks, skipped rows, refetches (ours)."""

import logging
from collections import Counter

from mmengine.logging import print_log


class Tally:
    """Counts what went another way than usual and says so without flooding the log.

    The first ``loud`` messages of each kind are logged as warnings, then the 2^k-th ones with
    the count so far. Counts are per process: each loader worker has its own.

    Args:
        name: what is counted, for the log line.
        loud: messages of each kind that are logged in full.
    """

    def __init__(self, name: str, loud: int = 5) -> None:
        self.name = name
        self.loud = loud
        self.counts: Counter[str] = Counter()

    def add(self, kind: str, message: str) -> int:
        """Count one event of ``kind``; returns the count so far."""
        self.counts[kind] += 1
        count = self.counts[kind]
        if count <= self.loud or count & (count - 1) == 0:
            print_log(f'{self.name}, {kind} (no. {count}): {message}', logger='current',
                      level=logging.WARNING)
        return count

    def __getitem__(self, kind: str) -> int:
        return self.counts[kind]

    def summary(self) -> dict[str, int]:
        """kind -> count."""
        return dict(self.counts)

"""A cache that keeps what was used last, up to a total weight."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

V = TypeVar('V')


class WeightedLRU(Generic[V]):
    """Least-recently-used cache with a budget.

    Args:
        budget: largest sum of weights; 0 keeps nothing. An item heavier than the budget is
            not kept.
    """

    def __init__(self, budget: int) -> None:
        self.budget, self.total = budget, 0
        self._items: OrderedDict[Hashable, tuple[V, int]] = OrderedDict()

    def get(self, key: Hashable) -> V | None:
        """The value, now the most recent; None if absent."""
        item = self._items.get(key)
        if item is None:
            return None
        self._items.move_to_end(key)
        return item[0]

    def put(self, key: Hashable, value: V, weight: int) -> None:
        """Keep a value, dropping the oldest ones beyond the budget."""
        self.discard(key)
        if weight > self.budget:
            return
        self._items[key] = (value, weight)
        self.total += weight
        while self.total > self.budget:
            _, (_, dropped) = self._items.popitem(last=False)
            self.total -= dropped

    def discard(self, key: Hashable) -> None:
        """Forget a key if it is there."""
        item = self._items.pop(key, None)
        if item is not None:
            self.total -= item[1]

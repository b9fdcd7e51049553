"""Randomness that depends on *what* is computed, not on what was computed before.

A killed run that resumes must see the same random numbers as the run that was not killed, with
any number of data workers and whether or not a validation ran in between. So no generator's state
is carried over: before each training step, and around each sample, the global generators are
seeded from a hash of (run seed, position). (ours)
"""

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset


def derive_seed(*parts: int | str) -> int:
    """A 63-bit seed from any integers and strings; the same on every machine.

    ``derive_seed(0, 'sample', 12)`` and ``derive_seed(0, 'sample', 13)`` are unrelated.
    """
    text = '\x1f'.join(f'{type(part).__name__}:{part}' for part in parts)
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, 'little') >> 1


def seed_all(seed: int) -> None:
    """Seed the global generators of python, numpy (its lower 32 bits) and torch, all devices."""
    random.seed(seed)
    np.random.seed(seed & 0xFFFFFFFF)
    torch.manual_seed(seed)


@contextmanager
def isolated_seed(seed: int) -> Iterator[None]:
    """Seed the CPU generators inside the block and put their former states back after it."""
    states = random.getstate(), np.random.get_state(), torch.random.get_rng_state()
    random.seed(seed)
    np.random.seed(seed & 0xFFFFFFFF)
    torch.random.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.random.set_rng_state(states[2])


class SeededIndex(int):
    """A data set index that carries the seed for the sample's random transforms.

    The same sample gets another seed in every pass over the data.
    """

    seed: int

    def __new__(cls, index: int, seed: int) -> 'SeededIndex':
        value = super().__new__(cls, index)
        value.seed = seed
        return value

    def __reduce__(self) -> tuple:
        return SeededIndex, (int(self), self.seed)


class PerSampleSeed(Dataset):
    """Wraps a data set: each ``SeededIndex`` is read with the generators seeded from it.

    A plain int is handed through untouched. Every other attribute is the wrapped data set's.

    Args:
        dataset: a map-style data set.
    """

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Any:
        seed = getattr(index, 'seed', None)
        if seed is None:
            return self.dataset[index]
        with isolated_seed(seed):
            return self.dataset[int(index)]

    def __getattr__(self, name: str) -> Any:
        if name == 'dataset':     # not set yet: while unpickling in a spawned worker
            raise AttributeError(name)
        return getattr(self.dataset, name)

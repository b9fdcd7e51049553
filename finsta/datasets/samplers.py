"""A training sampler whose order is a function of (seed, position) alone.

Position p of the endless stream lies in pass ``p // size``; that pass is a permutation drawn from
(seed, pass). Process r of W reads positions r, r + W, ... (of blocks, where some samples must stay
together), so the global batch at an iteration is the same set of samples for every W with the same
total batch. ``seek`` jumps to any iteration
without reading what lies before it. (ours)
"""

from collections.abc import Iterator, Sized

import torch
from mmengine.dist import get_dist_info, sync_random_seed
from torch.utils.data import Sampler

from finsta.registry import DATA_SAMPLERS
from finsta.utils.seeding import SeededIndex, derive_seed


@DATA_SAMPLERS.register_module()
class ResumableSampler(Sampler):
    """Endless, shuffled by pass, resumable by :meth:`seek`.

    Args:
        dataset: anything with a length > 0.
        shuffle: False gives 0, 1, ..., size - 1 in every pass.
        seed: of the order and of each sample's random transforms; None = one agreed on by all
            processes (the Runner always hands its own in).

    Raises:
        ValueError: when the data set is empty.
    """

    # so many consecutive samples go to one process
    block = 1

    def __init__(self, dataset: Sized, shuffle: bool = True, seed: int | None = None) -> None:
        self.size = len(dataset)
        if self.size == 0:
            raise ValueError('the training set is empty: no sample passed its filters, so there '
                             'is nothing to draw batches from; check the annotation and split '
                             'files that train_dataloader.dataset names')
        self.shuffle = shuffle
        self.seed = sync_random_seed() if seed is None else seed
        self.rank, self.world_size = get_dist_info()
        self.start = 0

    def seek(self, iteration: int, batch_size: int, seed: int) -> None:
        """Let the next iterator begin at an iteration.

        Args:
            iteration: number of batches that each process has had already.
            batch_size: samples per batch and process.
            seed: replaces the sampler's seed.
        """
        self.seed = seed
        self.start = iteration * batch_size * self.world_size

    def __iter__(self) -> Iterator[SeededIndex]:
        block = self.start // self.block + self.rank
        epoch, order = -1, []
        while True:
            for position in range(block * self.block, (block + 1) * self.block):
                if position // self.size != epoch:
                    epoch = position // self.size
                    order = self._order(epoch)
                index = order[position % self.size]
                yield SeededIndex(index, derive_seed(self.seed, 'sample', epoch, index))
            block += self.world_size

    def _order(self, epoch: int) -> list[int]:
        if not self.shuffle:
            return list(range(self.size))
        generator = torch.Generator()
        generator.manual_seed(derive_seed(self.seed, 'order', epoch))
        return torch.randperm(self.size, generator=generator).tolist()

    def __len__(self) -> int:
        """Samples of one pass."""
        return self.size

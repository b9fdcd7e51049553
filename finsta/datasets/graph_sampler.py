"""Batches in which the same things do different things (ours).

A contrastive loss learns what tells the samples of a batch apart. Among random samples the things
alone do; what happens to them is then never learnt. The text graphs know which samples name the
same objects and attributes: those are put side by side, so that only their relations are left to
tell them apart.
"""

import numpy as np
import torch

from finsta.datasets.base import VideoTextDataset, fill_root
from finsta.datasets.samplers import ResumableSampler
from finsta.registry import DATA_SAMPLERS, GRAPH_STORES
from finsta.utils.optional import require
from finsta.utils.seeding import derive_seed

_THINGS = ('object', 'attribute')
# rows of the similarity matrix formed at a time: bounds memory to _CHUNK x samples
_CHUNK = 512


@DATA_SAMPLERS.register_module()
class GraphNeighbourSampler(ResumableSampler):
    """A :class:`ResumableSampler` whose order keeps samples with the same things together.

    Similarity is the cosine of the sets of object and attribute labels of all captions of a
    sample, rare labels counting more (idf): how often a caption names a thing says nothing. Every
    pass draws a random order and lets each sample be followed by its most similar ones that are
    still free.

    Args:
        dataset: data set of the loader; its rows have ``text`` or ``captions``.
        store: config of a graph store with their text graphs; ``{data_root}`` is the data set's.
        group_size: samples side by side; the batch size should be a multiple.
        neighbours: candidates that are kept of each sample.
        shuffle, seed: of :class:`ResumableSampler`.

    Raises:
        ValueError: ``group_size`` below 2, or a store without the graph of any caption.
    """

    def __init__(self, dataset: VideoTextDataset, store: dict, group_size: int = 8,
                 neighbours: int = 16, shuffle: bool = True, seed: int | None = None) -> None:
        super().__init__(dataset, shuffle, seed)
        if group_size < 2:
            raise ValueError(f'group_size={group_size}: at least 2 samples stand side by side; '
                             'for random batches use ResumableSampler')
        self.group_size = group_size
        bags = _bags(dataset, GRAPH_STORES.build(fill_root(store, dataset.data_root)))
        self.neighbours = nearest(bags, min(neighbours, self.size - 1))

    def _order(self, epoch: int) -> list[int]:
        plain = super()._order(epoch)
        # equally similar ones in an order that differs from pass to pass
        place = np.empty(self.size)
        place[plain] = torch.rand(self.size, generator=torch.Generator().manual_seed(
            derive_seed(self.seed, 'neighbours', epoch))).numpy()
        free = np.ones(self.size, bool)
        order: list[int] = []
        for anchor in plain:
            if not free[anchor]:
                continue
            index, similarity = self.neighbours
            rank = np.lexsort((place[index[anchor]], -similarity[anchor]))
            others = [int(i) for i in index[anchor][rank] if free[i]][:self.group_size - 1]
            for i in (anchor, *others):
                free[i] = False
                order.append(i)
        return order


def _bags(dataset: VideoTextDataset, store) -> list[set[str]]:
    bags, known = [], 0
    for i in range(len(dataset)):
        sample = dataset.get_sample(i)
        graphs = [store.get_text(text, sample.video_id)
                  for text in sample.captions or (sample.text,)]
        known += any(g is not None for g in graphs)
        bags.append({f'{node.kind} {node.label}' for g in graphs if g is not None
                     for node in g.nodes if node.kind in _THINGS})
    if not known:
        raise ValueError(f'the graph store {store.root} holds no graph of any caption of the '
                         f'{len(dataset)} samples; parse them with '
                         'tools/scene_graphs/parse_text.py')
    return bags


def nearest(bags: list[set[str]], count: int) -> tuple[np.ndarray, np.ndarray]:
    """(N, count) indices and cosines of the most similar other bags, each row in any order."""
    sparse = require('scipy.sparse', 'similar samples in one batch')
    columns: dict[str, int] = {}
    rows, cols = [], []
    for i, bag in enumerate(bags):
        for label in sorted(bag):
            rows.append(i)
            cols.append(columns.setdefault(label, len(columns)))
    n = len(bags)
    table = sparse.csr_matrix((np.ones(len(rows), np.float32), (rows, cols)),
                              shape=(n, max(len(columns), 1)))
    frequency = np.bincount(table.indices, minlength=table.shape[1])
    table.data *= np.log(1 + n / np.maximum(frequency, 1)).astype(np.float32)[table.indices]
    length = np.sqrt(np.asarray(table.multiply(table).sum(1)).ravel())
    table = sparse.diags(1 / np.maximum(length, 1e-9)) @ table
    index, cosine = np.empty((n, count), np.int64), np.empty((n, count), np.float32)
    for low in range(0, n, _CHUNK):
        block = (table[low:low + _CHUNK] @ table.T).toarray()
        here = np.arange(len(block))
        block[here, low + here] = -1
        best = np.argpartition(-block, count - 1, axis=1)[:, :count] if count else \
            np.empty((len(block), 0), np.int64)
        index[low:low + _CHUNK] = best
        # rounded, so that equal bags are equally similar whatever the order of the sums
        cosine[low:low + _CHUNK] = np.round(np.take_along_axis(block, best, 1), 4)
    return index, cosine

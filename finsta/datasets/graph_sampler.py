"""Batches in which captions stand beside those that are most like them in words (ours).

A contrastive loss learns what tells the samples of a batch apart. Among random samples the things
alone do; what happens to them is then never learnt. Here captions of different clips that say
nearly the same in nearly the same words, but by their graphs not the same facts, are put side by
side, so that only who does it to whom, in which order and how is left to tell them apart
(``NeighbourChoice``). The fewer other words differ, the sooner it is learnt; with any captions of
two such clips it is not learnt at all in the same time (docs/en/results/method.md).
"""

import re
from collections.abc import Sequence
from hashlib import blake2b

import numpy as np

from finsta.datasets.base import VideoTextDataset, fill_root
from finsta.datasets.samplers import ResumableSampler
from finsta.registry import DATA_SAMPLERS, GRAPH_STORES
from finsta.structures import SceneGraph
from finsta.utils.optional import require
from finsta.utils.seeding import derive_seed

# rows of the similarity matrix formed at a time: bounds memory to _CHUNK x samples
_CHUNK = 512
# steps along edges after which two nodes are the same
_ROUNDS = 3
# what a predicate, an adverb or a word counts beside a thing or its attribute: neighbours show the
# same things, and are told of in the same words if possible
_OTHERS = 0.2
_THINGS = ('object ', 'attribute ')
_WORD = re.compile(r'\w+')


@DATA_SAMPLERS.register_module()
class GraphNeighbourSampler(ResumableSampler):
    """A :class:`ResumableSampler` whose order keeps similar samples together.

    Similarity is the cosine of the sets of node labels and words of a sample's captions, rare ones
    counting more (idf), objects and attributes five times as much as the rest; how often a caption
    names a thing says nothing. Samples of one clip, and those whose graphs state the same facts,
    are never neighbours. Every pass draws a random order, lets each sample be joined by its most
    similar ones that are still free, and shuffles the groups; samples whose neighbours are all
    taken make groups of their own. A pass leaves out what does not fill a group. With
    ``min_similarity`` those that have no neighbour so similar are left out, too, and groups are
    drawn again in their place. All pairs are compared once, at the start, by every process, on one
    core: half a minute for 23,000 long captions of the embedded world; of MSVD's short ones 14 s
    for 24,232. Time grows with the square of the number: with graphs in memory, 48,000 captions of
    the embedded world (15 words) took 49 s, 24,000 took 12 s; 48,000 of 3 to 10 random words took
    17 s, and 0.7 GiB more memory at the peak than before, as those of 15 words did.

    Args:
        dataset: data set of the loader; its rows have ``text`` or ``captions``. Best is one row
            a caption.
        store: config of a graph store with their text graphs; ``{data_root}`` is the data set's.
        group_size: samples side by side, on one process; the batch size must be a multiple.
        neighbours: candidates that are kept of each sample.
        min_similarity: cosine below which samples are no neighbours.
        random_groups: share, at least 0 and below 1, of a pass's groups that are drawn at random
            from all samples, those without neighbours among them (two of one clip may meet, as in
            any random batch).
        shuffle, seed: of :class:`ResumableSampler`.

    Raises:
        ValueError: ``group_size`` below 2 or above the number of samples, a batch size that splits
            groups, a store without the graph of any caption, a ``min_similarity`` that no
            group reaches, or a ``random_groups`` out of range.
    """

    def __init__(self, dataset: VideoTextDataset, store: dict, group_size: int = 2,
                 neighbours: int = 16, min_similarity: float = 0.0, random_groups: float = 0.0,
                 shuffle: bool = True, seed: int | None = None) -> None:
        super().__init__(dataset, shuffle, seed)
        if not 2 <= group_size <= self.size:
            raise ValueError(f'group_size={group_size}: at least 2 of the {self.size} samples '
                             'stand side by side; for random batches use ResumableSampler')
        if not 0 <= random_groups < 1:
            raise ValueError(f'GraphNeighbourSampler.random_groups={random_groups}: a share from '
                             '0 to below 1; for random batches alone use ResumableSampler')
        self.block, self.random_groups = group_size, random_groups
        bags, *same = _described(dataset, GRAPH_STORES.build(fill_root(store, dataset.data_root)))
        index, similarity = nearest(bags, min(neighbours, self.size - 1), same)
        if np.sort(similarity, axis=1)[:, 1 - group_size].max() < min_similarity:
            raise ValueError(f'no {group_size} samples of different clips state other facts with '
                             f'text graphs as similar as '
                             f'min_similarity={min_similarity}; the highest similarity of two is '
                             f'{similarity.max():.2f}')
        self.samples, self._index, self._similarity = self.size, index, similarity
        self.min_similarity = min_similarity
        self.size -= self.size % group_size

    def seek(self, iteration: int, batch_size: int, seed: int) -> None:
        if batch_size % self.block:
            raise ValueError(f'train_dataloader.batch_size={batch_size} splits the groups of '
                             f'{self.block} samples; make it a multiple of group_size')
        super().seek(iteration, batch_size, seed)

    def share_with_neighbours(self, similarity: float) -> float:
        """Share of the samples that have at least one neighbour so similar."""
        return float((self._similarity.max(1) >= similarity).mean())

    def _order(self, epoch: int) -> list[int]:
        rng = np.random.default_rng(derive_seed(self.seed, 'neighbours', epoch))
        plain = rng.permutation(self.samples) if self.shuffle else np.arange(self.samples)
        # those that have a close neighbour choose before it is taken by one that has not
        plain = plain[np.argsort(-self._similarity.max(1)[plain], kind='stable')]
        # equally similar ones in an order that differs from pass to pass
        place = rng.random(self.samples)
        free = np.ones(self.samples, bool)
        groups: list[list[int]] = []
        alone: list[int] = []
        for anchor in plain:
            if not free[anchor]:
                continue
            near = self._similarity[anchor] >= self.min_similarity
            candidates, similarity = self._index[anchor][near], self._similarity[anchor][near]
            rank = np.lexsort((place[candidates], -similarity))
            others = [i for i in candidates[rank] if free[i]][:self.block - 1]
            free[anchor] = False
            if len(others) < self.block - 1:
                alone.append(int(anchor))
                continue
            free[others] = False
            groups.append([int(anchor), *map(int, others)])
        count = self.size // self.block
        if self.min_similarity > 0:
            groups += [groups[k] for k in rng.integers(len(groups), size=count - len(groups))]
        else:
            groups += [alone[k:k + self.block]
                       for k in range(0, len(alone) - self.block + 1, self.block)]
        if self.shuffle:
            groups = [groups[k] for k in rng.permutation(len(groups))]
        drawn = round(self.random_groups * count)
        if drawn:
            anyone = rng.permutation(self.samples)[:drawn * self.block].reshape(drawn, -1)
            for k, group in zip(rng.permutation(count)[:drawn], anyone.tolist(), strict=True):
                groups[k] = group
        return [i for group in groups for i in group]


def facts_of(graph: SceneGraph) -> str:
    """Hash of what a graph states, whatever the order of its nodes: each node by its label and,
    ``_ROUNDS`` steps far, by the labels around it and the types of the edges between."""
    names = [f'{node.kind} {node.label}' for node in graph.nodes]
    around: list[list[tuple[str, int]]] = [[] for _ in names]
    for edge in graph.edges:
        around[edge.src].append((f'{edge.type}>', edge.dst))
        around[edge.dst].append((f'{edge.type}<', edge.src))
    for _ in range(_ROUNDS):
        names = [_digest(names[i], *sorted(t + names[j] for t, j in around[i]))
                 for i in range(len(names))]
    return _digest(*sorted(names))


def _digest(*parts: str) -> str:
    return blake2b('\n'.join(parts).encode(), digest_size=8).hexdigest()


def _described(dataset: VideoTextDataset, store) -> tuple[list[set[str]], np.ndarray, np.ndarray]:
    """Words and labels of each row; numbers that are equal for rows of one clip, and for rows
    that state the same."""
    bags, known = [], 0
    clips: dict[str, int] = {}
    facts: dict[tuple[str, ...], int] = {}
    clip, fact = [], []
    for i in range(len(dataset)):
        sample = dataset.get_sample(i)
        bag, said = set(), set()
        for text in sample.captions or (sample.text,):
            graph = store.get_text(text, sample.video_id)
            known += graph is not None
            bag |= {f'word {word}' for word in _WORD.findall(text.lower())}
            bag |= {f'{n.kind} {n.label}' for n in (() if graph is None else graph.nodes)}
            said.add(text if graph is None else facts_of(graph))
        bags.append(bag)
        clip.append(clips.setdefault(sample.video_id, len(clips)))
        fact.append(facts.setdefault(tuple(sorted(said)), len(facts)))
    if not known:
        raise ValueError(f'the graph store {store.root} holds no graph of any caption of the '
                         f'{len(dataset)} samples; parse them with '
                         'tools/scene_graphs/parse_text.py')
    return bags, np.array(clip), np.array(fact)


def nearest(bags: list[set[str]], count: int, same: Sequence[np.ndarray] = ()
            ) -> tuple[np.ndarray, np.ndarray]:
    """(N, count) indices and cosines of the most similar other bags, each row in any order.

    Bags that have the same number in one of the (N,) arrays ``same`` count as unlike (-1).
    """
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
    weight = np.log(1 + n / np.maximum(frequency, 1)).astype(np.float32)
    weight[[i for label, i in columns.items() if not label.startswith(_THINGS)]] *= _OTHERS
    table.data *= weight[table.indices]
    length = np.sqrt(np.asarray(table.multiply(table).sum(1)).ravel())
    table = sparse.diags(1 / np.maximum(length, 1e-9)) @ table
    index, cosine = np.empty((n, count), np.int64), np.empty((n, count), np.float32)
    for low in range(0, n, _CHUNK):
        block = (table[low:low + _CHUNK] @ table.T).toarray()
        here = np.arange(len(block))
        block[here, low + here] = -1
        for number in same:
            block[number[low:low + _CHUNK, None] == number] = -1
        best = np.argpartition(-block, count - 1, axis=1)[:, :count] if count else \
            np.empty((len(block), 0), np.int64)
        index[low:low + _CHUNK] = best
        # rounded, so that equal bags are equally similar whatever the order of the sums
        cosine[low:low + _CHUNK] = np.round(np.take_along_axis(block, best, 1), 4)
    return index, cosine

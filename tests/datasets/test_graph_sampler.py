"""Samples that name the same things come one after another, and nothing else changes."""

from itertools import islice, pairwise
from types import SimpleNamespace

import numpy as np
import pytest

from finsta.datasets.graph_sampler import GraphNeighbourSampler, facts_of, nearest
from finsta.registry import GRAPH_STORES
from finsta.structures import Edge, Node, SceneGraph

THINGS = ('circle', 'square', 'star', 'heart', 'ring', 'cross')


class _Rows(list):
    data_root = 'somewhere'

    def get_sample(self, i):
        return SimpleNamespace(text=self[i], captions=None, video_id=f'v{i}')


class _Store:
    def __init__(self, root: str, empty: bool = False) -> None:
        self.root, self.empty = root, empty

    def get_text(self, text, video_id=None):
        noun, verb = text.lower().split()
        return None if self.empty else SceneGraph(
            (Node('object', noun), Node('predicate', verb)), (Edge(0, 1, 'subject'),))


@pytest.fixture
def rows(monkeypatch):
    monkeypatch.setattr(GRAPH_STORES, 'build', lambda cfg: _Store(**{
        k: v for k, v in cfg.items() if k != 'type'}))
    # every thing does four different things, far from one another in the list
    return _Rows(f'{thing} {verb}' for verb in ('moves', 'grows', 'stops', 'waits')
                 for thing in THINGS)


def _sampler(rows, **kwargs):
    return GraphNeighbourSampler(rows, dict(type='_Store', root='{data_root}/graphs'),
                                 seed=kwargs.pop('seed', 0), **kwargs)


def test_a_pass_is_a_permutation_in_groups_of_the_same_thing(rows):
    sampler = _sampler(rows, group_size=4)
    for epoch in (0, 1):
        order = sampler._order(epoch)
        assert sorted(order) == list(range(len(rows)))
        groups = [{rows[i].split()[0] for i in order[k:k + 4]} for k in range(0, 24, 4)]
        assert all(len(g) == 1 for g in groups)
    assert sampler._order(0) != sampler._order(1)
    assert sampler._order(0) == _sampler(rows, group_size=4)._order(0)
    assert sampler._order(0) != _sampler(rows, group_size=4, seed=1)._order(0)


def test_pairs_stand_at_even_places(rows):
    order = _sampler(rows, group_size=2)._order(0)
    same = [rows[a].split()[0] == rows[b].split()[0] for a, b in pairwise(order)]
    assert all(same[::2]) and not all(same)


def test_an_odd_sample_is_left_out_of_a_pass(rows):
    sampler = _sampler(_Rows(rows[:23]), group_size=2)
    passes = [sampler._order(epoch) for epoch in range(6)]
    assert all(len(order) == len(sampler) == len(set(order)) == 22 for order in passes)
    assert len({frozenset(order) for order in passes}) > 1


def test_only_close_neighbours_with_groups_drawn_again(rows):
    # two things whose clips share a verb are less alike than two clips of one thing
    rows = _Rows([*rows[:6], 'dog moves', 'dog grows', 'dog stops', 'dog waits'])
    sampler = _sampler(rows, min_similarity=0.35)
    order = sampler._order(0)
    assert len(order) == len(sampler) == 10
    assert all(rows[a].split()[0] == rows[b].split()[0] == 'dog'
               for a, b in zip(order[::2], order[1::2], strict=True))
    with pytest.raises(ValueError, match=r'min_similarity=0\.99; the highest .* is 0\.'):
        _sampler(rows, min_similarity=0.99)


def test_a_share_of_the_groups_is_drawn_at_random_from_all_samples(rows):
    rows = _Rows([*rows[:6], 'dog moves', 'dog grows', 'dog stops', 'dog waits'])
    kwargs = dict(min_similarity=0.35, random_groups=0.5)
    sampler, alike = _sampler(rows, **kwargs), _sampler(rows, min_similarity=0.35)
    # at 0.35 and more the dogs alone are neighbours; the other half of the groups can be anyone
    assert all(rows[i].startswith('dog') for i in alike._order(0))
    seen = set()
    for epoch in range(20):
        order = sampler._order(epoch)
        assert len(order) == len(sampler) == len(rows)
        others = [k for k in range(0, len(order), 2)
                  if not all(rows[i].startswith('dog') for i in order[k:k + 2])]
        assert len(others) <= round(0.5 * len(rows) / 2)
        seen |= {i for k in others for i in order[k:k + 2]}
    assert seen >= set(range(6))   # nobody is left out for want of a neighbour
    assert sampler._order(3) == _sampler(rows, **kwargs)._order(3)


def test_a_caption_of_the_same_clip_or_of_the_same_facts_is_no_neighbour(rows):
    # 'Circle Moves' is nearest of all to 'circle moves' and states the same
    rows = _Rows([*rows, *(row.title() for row in rows)])
    order = _sampler(rows)._order(0)
    said = [(rows[a].lower(), rows[b].lower())
            for a, b in zip(order[::2], order[1::2], strict=True)]
    assert sorted(order) == list(range(48)) and all(a != b for a, b in said)
    clips = _sampler(rows)
    rows.get_sample = lambda i: SimpleNamespace(text=rows[i], captions=None, video_id=i % 6)
    one_clip = _sampler(rows)
    assert (clips._similarity > one_clip._similarity).any()
    near = one_clip._similarity >= 0
    assert near.any() and not (one_clip._index % 6 == np.arange(48)[:, None] % 6)[near].any()


def test_facts_are_the_same_in_any_order_of_the_nodes_and_differ_by_who_does_what():
    def graph(first, second, order=(0, 1, 2, 3, 4, 5)):
        # two triangles, one left of a cross and one right of it; each moves
        nodes = ('object triangle', 'object triangle', 'predicate left of', 'predicate right of',
                 f'predicate {first}', f'predicate {second}')
        place = {old: new for new, old in enumerate(order)}
        return SceneGraph(tuple(Node(*nodes[i].split(' ', 1)) for i in order), tuple(
            Edge(place[a], place[b], 'subject') for a, b in ((0, 2), (1, 3), (0, 4), (1, 5))))
    rises = graph('rise', 'fall')
    assert facts_of(rises) == facts_of(graph('rise', 'fall', (5, 3, 1, 0, 2, 4)))
    assert facts_of(rises) != facts_of(graph('fall', 'rise'))
    assert facts_of(SceneGraph()) == facts_of(SceneGraph()) != facts_of(rises)


def test_it_resumes_where_it_was(rows):
    whole = [(int(i), i.seed) for i in islice(iter(_sampler(rows, seed=3)), 60)]
    sampler = _sampler(rows, seed=9)
    sampler.seek(5, batch_size=4, seed=3)
    assert [(int(i), i.seed) for i in islice(iter(sampler), 40)] == whole[20:60]


def test_two_processes_share_the_batch_by_whole_groups(rows):
    whole = [int(i) for i in islice(iter(_sampler(rows, group_size=4)), 48)]
    parts = []
    for rank in (0, 1):
        sampler = _sampler(rows, group_size=4)
        sampler.rank, sampler.world_size = rank, 2
        parts.append([int(i) for i in islice(iter(sampler), 24)])
    for k in range(0, 24, 4):
        assert parts[0][k:k + 4] + parts[1][k:k + 4] == whole[2 * k:2 * k + 8]


def test_nearest_against_plain_cosines():
    rng = np.random.default_rng(0)
    bags = [{str(k) for k in rng.choice(12, 4, replace=False)} for _ in range(30)]
    frequency = {label: sum(label in b for b in bags) for label in map(str, range(12))}
    weight = {k: np.log(1 + 30 / max(n, 1)) for k, n in frequency.items()}

    def cosine(a, b):
        return sum(weight[k] ** 2 for k in a & b) / np.sqrt(
            sum(weight[k] ** 2 for k in a) * sum(weight[k] ** 2 for k in b))
    index, similarity = nearest(bags, 5)
    for i, bag in enumerate(bags):
        every = sorted((cosine(bag, b) for j, b in enumerate(bags) if j != i), reverse=True)
        assert i not in index[i]
        assert np.allclose(sorted(similarity[i], reverse=True), every[:5], atol=1e-3)
        assert np.allclose(similarity[i], [cosine(bag, bags[j]) for j in index[i]], atol=1e-3)


def test_mistakes_are_named(rows):
    with pytest.raises(ValueError, match='ResumableSampler'):
        _sampler(rows, group_size=1)
    with pytest.raises(ValueError, match=r'random_groups=1: .*ResumableSampler'):
        _sampler(rows, random_groups=1)
    with pytest.raises(ValueError, match='batch_size=5 splits the groups of 2'):
        _sampler(rows).seek(0, batch_size=5, seed=0)
    with pytest.raises(ValueError, match=r'somewhere/graphs holds no graph.*parse_text\.py'):
        GraphNeighbourSampler(rows, dict(type='_Store', root='{data_root}/graphs', empty=True))

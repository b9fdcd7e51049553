"""Every negative breaks the text in one way and keeps its words where it only swaps."""

import random

import numpy as np
import pytest

from finsta.datasets.transforms.hard_negatives import OPERATIONS, GraphHardNegatives, apply_edits
from finsta.structures import Edge, Node, SceneGraph, VideoTextSample


def _graph(text: str, nodes: list[tuple[str, str, str]], edges: list[Edge]) -> SceneGraph:
    built = []
    for kind, label, surface in nodes:
        start = text.index(surface)
        built.append(Node(kind, label, (start, start + len(surface))))
    return SceneGraph(tuple(built), tuple(edges), text=text)


@pytest.fixture
def hit():
    return _graph('the red circle hits the blue square before it leaves slowly', [
        ('object', 'circle', 'circle'), ('attribute', 'red', 'red'),
        ('predicate', 'hit', 'hits'), ('object', 'square', 'square'),
        ('attribute', 'blue', 'blue'), ('predicate', 'leave', 'leaves'),
        ('predicate_attribute', 'slowly', 'slowly')],
        [Edge(0, 1, 'attribute'), Edge(3, 4, 'attribute'), Edge(0, 2, 'subject'),
         Edge(2, 3, 'object'), Edge(0, 5, 'subject'), Edge(5, 6, 'predicate_attribute')])


def test_swaps(hit):
    rng = random.Random(0)
    assert OPERATIONS['swap_attributes'](hit, {}, rng) == [
        'the blue circle hits the red square before it leaves slowly']
    assert OPERATIONS['swap_arguments'](hit, {}, rng) == [
        'the blue square hits the red circle before it leaves slowly']
    assert OPERATIONS['swap_order'](hit, {}, rng) == [
        'the red circle hits the blue square after it leaves slowly']
    # a transitive and an intransitive predicate cannot change places
    assert OPERATIONS['swap_predicates'](hit, {}, rng) == []


def test_simultaneous_events_of_one_thing_are_not_swapped():
    nodes = [('object', 'circle', 'circle'), ('predicate', 'rotate', 'rotates'),
             ('predicate', 'grow', 'grows')]
    edges = [Edge(0, 1, 'subject'), Edge(0, 2, 'subject')]
    then = _graph('the circle rotates then grows', nodes, edges)
    both = _graph('the circle rotates while it grows', nodes, edges)
    assert OPERATIONS['swap_predicates'](then, {}, random.Random(0)) == [
        'the circle grows then rotates']
    assert OPERATIONS['swap_predicates'](both, {}, random.Random(0)) == []


class _Texts:
    """A store of text graphs."""

    def __init__(self, *graphs: SceneGraph) -> None:
        self.graphs = {g.text: g for g in graphs}

    def text_keys(self):
        return iter((None, t) for t in self.graphs)

    def get_text(self, text, video_id=None):
        return self.graphs[text]


def test_replacements_come_from_the_bank(hit):
    transform = GraphHardNegatives(num=4, operations=['replace_attribute'])
    sample = VideoTextSample('v', 'v.mp4', hit.text, tsg=hit)
    assert transform.transform({'sample': sample})['negative_texts'] == []
    nodes, edges = [('object', 'star', 'star'), ('attribute', 'green', 'green')], [
        Edge(0, 1, 'attribute')]
    question = _graph('is the pink star here?', [('object', 'star', 'star'),
                                                 ('attribute', 'pink', 'pink')], edges)
    transform.bank, transform.store = None, _Texts(_graph('a green star', nodes, edges), question)
    out = transform.transform({'sample': sample})['negative_texts']
    assert len(out) == 4 and all('green' in t and 'pink' not in t for t in out)


def test_negatives_follow_the_global_generator_and_none_is_the_text(hit):
    transform = GraphHardNegatives(num=1)
    sample = VideoTextSample('v', 'v.mp4', hit.text, tsg=hit)

    def run(seed):
        np.random.seed(seed)
        return tuple(transform.transform({'sample': sample})['negative_texts'])

    assert run(3) == run(3)
    # another pass over the data sees other negatives
    assert len({run(seed) for seed in range(20)}) > 1
    assert all(t.lower() != hit.text.lower() for seed in range(20) for t in run(seed))


def test_samples_without_structure_get_none():
    transform = GraphHardNegatives()
    for graph in (None, SceneGraph(text='')):
        sample = VideoTextSample('v', 'v.mp4', '', tsg=graph)
        assert transform.transform({'sample': sample})['negative_texts'] == []


def test_very_long_texts_get_none():
    text = 'the red circle moves before ' * 400
    nodes = (Node('object', 'circle', (8, 14)), Node('predicate', 'move', (15, 20)))
    graph = SceneGraph(nodes, (Edge(0, 1, 'subject'),), text=text)
    sample = VideoTextSample('v', 'v.mp4', text, tsg=graph)
    assert GraphHardNegatives().transform({'sample': sample})['negative_texts'] == []


def test_edits():
    assert apply_edits('abcd', [((0, 1), 'x'), ((2, 4), 'yy')]) == 'xbyy'
    assert apply_edits('abcd', [((0, 3), 'x'), ((2, 4), 'yy')]) is None
    with pytest.raises(ValueError, match='operations'):
        GraphHardNegatives(operations=['shuffle'])

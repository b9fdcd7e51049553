"""SceneGraph and DynamicSceneGraph: validation, JSON, coreference, sub-sampling."""

import json

import numpy as np
import pytest

from finsta.structures import DynamicSceneGraph, GraphError, Node, SceneGraph, link_by_entity

TEXT = 'the red dog jumps quickly over it'


def caption():
    return SceneGraph(
        (Node('object', 'dog', (8, 11), mentions=((31, 33),), entity=1),
         Node('attribute', 'red', (4, 7)), Node('predicate', 'jump', (12, 17)),
         Node('predicate_attribute', 'quickly', (18, 25))),
        ((0, 1, 'attribute'), (0, 2, 'subject'), (2, 3, 'predicate_attribute')), TEXT, 'test/1')


def frame(x=0.5, *, dog=1, verb='chase', extra=()):
    return SceneGraph((Node('object', 'dog', box=(x, .5, .2, .1), entity=dog, score=.75),
                       Node('object', 'cat', box=(.1, .2, .1, .1), entity=2),
                       Node('predicate', verb), Node('attribute', 'brown'), *extra),
                      ((0, 2, 'subject'), (2, 1, 'object'), (0, 3, 'attribute')))


class TestSceneGraph:

    def test_json_round_trip(self):
        for graph in (caption(), frame(), SceneGraph()):
            data = json.loads(json.dumps(graph.to_dict()))
            assert SceneGraph.from_dict(data) == graph

    def test_look_ups(self):
        graph = frame()
        assert graph.of_kind('object') == [0, 1]
        assert graph.targets(0, 'subject') == [2] and graph.sources(1, 'object') == [2]
        assert graph.triples() == [(0, 2, 1)]
        assert caption().triples() == [(0, 2, None)]

    def test_arrays(self):
        arrays = caption().arrays
        assert arrays['kind'].tolist() == [0, 1, 2, 3]
        assert arrays['span'].tolist()[0] == [8, 11] and not arrays['box_mask'].any()
        assert arrays['entity'].tolist() == [1, -1, -1, -1]
        assert arrays['edge'].tolist() == [[0, 1, 2], [0, 2, 0], [2, 3, 3]]
        visual = frame().arrays
        np.testing.assert_allclose(visual['box'][0], [.5, .5, .2, .1])
        assert visual['box_mask'].tolist() == [True, True, False, False]
        assert visual['score'].tolist() == [.75, 1, 1, 1] and visual['span'].min() == -1
        empty = SceneGraph().arrays
        assert empty['box'].shape == (0, 4) and empty['edge'].shape == (0, 3)
        assert empty['span'].shape == (0, 2)

    @pytest.mark.parametrize(('nodes', 'edges', 'text', 'message'), [
        ([Node('thing', 'x')], [], None, "node 0: kind 'thing'"),
        ([Node('object', 7)], [], None, 'node 0: label'),
        ([Node('object', 'a', (2, 9))], [], 'short', 'node 0: span'),
        ([Node('object', 'a', (3, 2))], [], 'long enough', 'span'),
        ([Node('object', 'a', (0, 1), ((0, 99),))], [], 'ab', 'span'),
        ([Node('object', 'a', box=(.5, .5, -.1, .1))], [], None, 'negative size'),
        ([Node('object', 'a', box=(float('nan'), 0, 0, 0))], [], None, 'fractions'),
        ([Node('object', 'a', box=(320., 240., 64., 48.))], [], None, 'fractions'),
        ([Node('object', 'a')], [(0, 1, 'subject')], None, 'edge 0: points to node 1'),
        ([Node('object', 'a')], [(-1, 0, 'subject')], None, 'points to node -1'),
        ([Node('object', 'a')] * 2, [(0, 1, 'likes')], None, "edge 0: type 'likes'"),
        ([Node('object', 'a')] * 2, [(0, 1, 'subject')], None, "'subject' edge joins")])
    def test_contradictions_are_named(self, nodes, edges, text, message):
        with pytest.raises(GraphError, match=message):
            SceneGraph(tuple(nodes), tuple(edges), text)

    def test_too_many_nodes(self):
        with pytest.raises(GraphError, match='4097 nodes'):
            SceneGraph((Node('object', 'a'),) * 4097)

    @pytest.mark.parametrize(('data', 'message'), [
        ([], 'list "nodes"'), ({'nodes': 3}, 'list "nodes"'),
        ({'nodes': ['dog']}, 'row 7, node 0: a node is an object'),
        ({'nodes': [{'kind': 'object'}]}, "row 7, node 0: key 'label'"),
        ({'nodes': [{'kind': 'object', 'label': 'a', 'box': [1, 2]}]}, 'row 7, node 0'),
        ({'nodes': [{'kind': 'object', 'label': 'a', 'entity': 'x'}]}, 'row 7, node 0'),
        ({'nodes': [], 'edges': None}, 'row 7: "edges" must be a list'),
        ({'nodes': [], 'text': 5}, 'row 7: "text" must be a string'),
        ({'nodes': [], 'edges': [[0, 1]]}, 'row 7, edge 0: expected'),
        ({'nodes': [], 'edges': [[0, 1, 'subject']]}, 'row 7: scene graph, edge 0')])
    def test_bad_json_is_named(self, data, message):
        with pytest.raises(GraphError, match=message):
            SceneGraph.from_dict(data, 'row 7')


class TestDynamicSceneGraph:

    def test_json_round_trip(self):
        graph = DynamicSceneGraph((frame(.5), frame(.6), SceneGraph()), (0, .5, 1.25), (),
                                  'clip', (320, 240), 'test/1')
        data = json.loads(json.dumps(graph.to_dict()))
        assert DynamicSceneGraph.from_dict(data) == graph
        assert DynamicSceneGraph.from_dict(DynamicSceneGraph().to_dict()) == DynamicSceneGraph()

    def test_identity_links_objects_predicates_and_what_hangs_on_them(self):
        graph = DynamicSceneGraph((frame(), frame(.6)), (0, 1))
        assert graph.predecessors == ((-1,) * 4, (0, 1, 2, 3))
        other_verb = DynamicSceneGraph((frame(), frame(verb='see')), (0, 1))
        assert other_verb.predecessors[1] == (0, 1, -1, 3)
        other_dog = DynamicSceneGraph((frame(), frame(dog=9)), (0, 1))
        assert other_dog.predecessors[1] == (-1, 1, -1, -1)

    def test_a_predecessor_is_used_once(self):
        twice = Node('object', 'dog', box=(0, 0, .1, .1), entity=1)
        rows = link_by_entity([frame(), frame(extra=(twice,))])
        assert sorted(p for p in rows[1] if p >= 0) == sorted(set(rows[1]) - {-1})

    def test_no_link_across_an_empty_frame(self):
        rows = link_by_entity([frame(), SceneGraph(), frame()])
        assert rows[1] == () and set(rows[2]) == {-1}

    def test_chains(self):
        rows = ((-1, -1), (1, -1), (0, 1, -1))
        nodes = [(Node('object', 'a'),) * len(r) for r in rows]
        graph = DynamicSceneGraph(tuple(SceneGraph(n) for n in nodes), (0, 1, 2), rows)
        assert sorted(graph.chains()) == [[(0, 0)], [(0, 1), (1, 0), (2, 0)], [(1, 1), (2, 1)],
                                          [(2, 2)]]
        assert DynamicSceneGraph().chains() == []

    def test_every_node_is_in_one_chain(self):
        graph = DynamicSceneGraph((frame(), frame(dog=3), frame(dog=3)), (0, 1, 2))
        members = [m for chain in graph.chains() for m in chain]
        assert len(members) == len(set(members)) == 12

    def test_sample_carries_coreference_over_gaps(self):
        graph = DynamicSceneGraph(tuple(frame(.1 * t) for t in range(5)), range(5))
        part = graph.sample([0, 3, 4])
        assert part.times == (0, 3, 4) and part.frames[1] == graph.frames[3]
        assert part.predecessors == ((-1,) * 4, (0, 1, 2, 3), (0, 1, 2, 3))
        assert graph.sample(range(5)) == graph

    def test_sample_breaks_where_a_thing_was_absent(self):
        rows = ((-1,), (0,), (-1,), (0,))
        one = SceneGraph((Node('object', 'a'),))
        graph = DynamicSceneGraph((one,) * 4, range(4), rows)
        assert graph.sample([0, 1]).predecessors[1] == (0,)
        assert graph.sample([0, 2]).predecessors[1] == (-1,)
        assert graph.sample([1, 3]).predecessors[1] == (-1,)
        assert graph.sample([2, 3]).predecessors[1] == (0,)

    def test_sample_of_one_frame_and_of_none(self):
        graph = DynamicSceneGraph((frame(), frame()), (0, 1))
        assert graph.sample([1]).predecessors == ((-1,) * 4,)
        assert graph.sample([]).frames == ()

    @pytest.mark.parametrize('frames', [[1, 1], [2, 0]])
    def test_sample_must_increase(self, frames):
        graph = DynamicSceneGraph((frame(),) * 3, range(3))
        with pytest.raises(GraphError, match='increase'):
            graph.sample(frames)

    @pytest.mark.parametrize('frames', [[-1], [0, 3]])
    def test_sample_outside_the_video_is_named(self, frames):
        graph = DynamicSceneGraph((frame(),) * 3, range(3), video='clip')
        with pytest.raises(GraphError, match='3 frames'):
            graph.sample(frames)

    @pytest.mark.parametrize(('kwargs', 'message'), [
        (dict(times=(0.,)), '2 frames, 1 times'),
        (dict(times=(0., float('nan'))), 'finite seconds'),
        (dict(times=(0, 1), predecessors=((-1,) * 4,)), '1 predecessor rows'),
        (dict(times=(0, 1), predecessors=((-1,) * 4, (0,))), 'frame 1: 1 predecessors'),
        (dict(times=(0, 1), predecessors=((-1,) * 4, (0, 1, 2, 4))), 'node 3: predecessor 4'),
        (dict(times=(0, 1), predecessors=((0, -1, -1, -1), (-1,) * 4)), 'node 0: predecessor 0')])
    def test_contradictions_are_named(self, kwargs, message):
        with pytest.raises(GraphError, match=f"'clip'.*{message}"):
            DynamicSceneGraph((frame(), frame()), video='clip', **kwargs)

    @pytest.mark.parametrize(('data', 'message'), [
        ({}, 'list "frames"'), ({'frames': [{'nodes': None}]}, 'gold, frame 0'),
        ({'frames': [], 'times': ['x']}, 'gold'), ({'frames': [], 'size': [1]}, 'gold'),
        ({'frames': [{'nodes': []}], 'predecessors': [[0]]}, 'gold')])
    def test_bad_json_is_named(self, data, message):
        with pytest.raises(GraphError, match=message):
            DynamicSceneGraph.from_dict(data, 'gold')

"""HolisticSceneGraph and drawing."""

import json

import pytest

from finsta.structures import (
    DynamicSceneGraph,
    GraphError,
    HolisticSceneGraph,
    Node,
    SceneGraph,
    to_networkx,
)
from tests.models.graph_factory import empty_graph, holistic_graph


@pytest.mark.parametrize('graph', [holistic_graph(0), holistic_graph(1, 4, 5), empty_graph()])
def test_json_round_trip(graph):
    assert HolisticSceneGraph.from_dict(json.loads(json.dumps(graph.to_dict()))).cross == \
        graph.cross
    again = HolisticSceneGraph.from_dict(graph.to_dict()).to_dict()
    assert again == graph.to_dict()


def parts():
    tsg = SceneGraph((Node('object', 'dog'), Node('attribute', 'red')), ((0, 1, 'attribute'),))
    return tsg, DynamicSceneGraph((SceneGraph((Node('object', 'dog'),)), SceneGraph()), (0, 1))


@pytest.mark.parametrize(('edge', 'message'), [
    ((0, 2, 0), 'frame 2 of 2'), ((0, -1, 0), 'frame -1'), ((2, 0, 0), 'outside'),
    ((0, 1, 0), 'outside'), ((0, 0, -1), 'outside'), ((1, 0, 0), 'joins a attribute')])
def test_contradictions_are_named(edge, message):
    with pytest.raises(GraphError, match=f'cross edge 0: .*{message}'):
        HolisticSceneGraph(*parts(), (edge,))


@pytest.mark.parametrize(('change', 'message'), [
    (lambda d: d.pop('tsg'), "gold: key 'tsg'"), (lambda d: d.pop('dsg'), "gold: key 'dsg'"),
    (lambda d: d.update(cross=[[0, 0]]), 'gold, cross edge 0: expected'),
    (lambda d: d.update(cross=[['a', 0, 0, 1]]), 'gold, cross edge 0'),
    (lambda d: d['tsg'].update(nodes=3), 'gold, tsg')])
def test_bad_json_is_named(change, message):
    data = HolisticSceneGraph(*parts(), ((0, 0, 0),)).to_dict()
    change(data)
    with pytest.raises(GraphError, match=message):
        HolisticSceneGraph.from_dict(data, 'gold')


def test_not_an_object():
    with pytest.raises(GraphError, match="key 'tsg'"):
        HolisticSceneGraph.from_dict([])


class TestDrawing:

    def test_a_scene_graph(self):
        drawn = to_networkx(parts()[0])
        assert drawn.nodes[1] == {'kind': 'attribute', 'label': 'red'}
        assert list(drawn.edges(data='type')) == [(0, 1, 'attribute')]

    def test_a_dynamic_graph_has_coreference(self):
        one = SceneGraph((Node('object', 'dog', entity=1),))
        drawn = to_networkx(DynamicSceneGraph((one, one), (0, 1)))
        assert drawn.nodes[1, 0]['frame'] == 1
        assert list(drawn.edges(data='type')) == [((0, 0), (1, 0), 'temporal_coreference')]

    def test_a_holistic_graph_has_every_node_and_edge(self):
        graph = holistic_graph(2, 3, 4)
        drawn = to_networkx(graph)
        nodes = len(graph.tsg.nodes) + sum(len(f.nodes) for f in graph.dsg.frames)
        assert drawn.number_of_nodes() == nodes
        cross = [(a, b) for a, b, t in drawn.edges(data='type') if t == 'cross_coreference']
        assert sorted(cross) == sorted((('text', e.text), (e.frame, e.visual))
                                       for e in graph.cross)
        temporal = sum(t == 'temporal_coreference' for *_, t in drawn.edges(data='type'))
        assert temporal == sum(p >= 0 for row in graph.dsg.predecessors for p in row)

    def test_an_empty_graph(self):
        assert to_networkx(empty_graph()).number_of_nodes() == 0

"""Scene graphs as networkx graphs, for drawing and for graph algorithms."""

from finsta.structures.holistic import HolisticSceneGraph
from finsta.structures.scene_graph import DynamicSceneGraph, SceneGraph
from finsta.utils.optional import require


def to_networkx(graph: SceneGraph | DynamicSceneGraph | HolisticSceneGraph):
    """A ``networkx.DiGraph``.

    Node keys: the index (SceneGraph), ``(frame, index)`` (DynamicSceneGraph), and
    ``('text', index)`` or ``(frame, index)`` (HolisticSceneGraph). Node data: kind, label, and
    frame where there is one. Edge data: ``type``, where temporal and cross-modal coreference are
    ``'temporal_coreference'`` (earlier -> later) and ``'cross_coreference'`` (text -> visual).
    """
    nx = require('networkx', 'drawing a scene graph')
    out = nx.DiGraph()
    if isinstance(graph, SceneGraph):
        _add(out, graph, lambda i: i)
    elif isinstance(graph, DynamicSceneGraph):
        _add_dynamic(out, graph)
    else:
        _add(out, graph.tsg, lambda i: ('text', i))
        _add_dynamic(out, graph.dsg)
        for edge in graph.cross:
            out.add_edge(('text', edge.text), (edge.frame, edge.visual),
                         type='cross_coreference', score=edge.score)
    return out


def _add(out, graph: SceneGraph, key, **data) -> None:
    for i, node in enumerate(graph.nodes):
        out.add_node(key(i), kind=node.kind, label=node.label, **data)
    for edge in graph.edges:
        out.add_edge(key(edge.src), key(edge.dst), type=edge.type)


def _add_dynamic(out, graph: DynamicSceneGraph) -> None:
    for t, frame in enumerate(graph.frames):
        _add(out, frame, lambda i, t=t: (t, i), frame=t)
        for i, p in enumerate(graph.predecessors[t]):
            if p >= 0:
                out.add_edge((t - 1, p), (t, i), type='temporal_coreference')

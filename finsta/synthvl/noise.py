"""Noise on gold graphs at a rate, to ask how much graph quality matters.

Each function takes a graph and a generator and gives a new graph; rate 0 gives an equal one.
Structures in, structures out: works on graphs of any origin.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from finsta.structures import DynamicSceneGraph, Edge, Node, SceneGraph
from finsta.synthvl.vocabulary import ADVERBS, COLOURS, KINDS, SHAPES, SIZES, TEXTURES

VOCABULARY = {'object': tuple(SHAPES), 'attribute': (*COLOURS, *SIZES, *TEXTURES),
              'predicate': tuple(KINDS), 'predicate_attribute': tuple(ADVERBS)}


def _check(rate: float) -> None:
    if not 0.0 <= rate <= 1.0:
        raise ValueError(f'rate={rate} must be within [0, 1]')


def _keep(graph: SceneGraph, kept: Sequence[bool]) -> tuple[SceneGraph, list[int]]:
    """The graph of the kept nodes, and each old node's new index or -1."""
    index = np.cumsum(kept) - 1
    place = [int(i) if k else -1 for i, k in zip(index, kept, strict=True)]
    nodes = tuple(n for n, k in zip(graph.nodes, kept, strict=True) if k)
    edges = tuple(Edge(place[e.src], place[e.dst], e.type) for e in graph.edges
                  if place[e.src] >= 0 and place[e.dst] >= 0)
    return SceneGraph(nodes, edges, graph.text, graph.parser), place


def _rebuild(graph: DynamicSceneGraph, frames: Sequence[SceneGraph],
             places: Sequence[Sequence[int]]) -> DynamicSceneGraph:
    """Carry temporal coreference over to frames whose nodes were dropped."""
    rows = []
    for t, frame in enumerate(frames):
        row = [-1] * len(frame.nodes)
        for old, new in enumerate(places[t]):
            before = graph.predecessors[t][old]
            if new >= 0 and before >= 0:
                row[new] = places[t - 1][before]
        rows.append(tuple(row))
    return replace(graph, frames=tuple(frames), predecessors=tuple(rows))


def drop_nodes(graph: SceneGraph | DynamicSceneGraph, rate: float, rng: np.random.Generator
               ) -> SceneGraph | DynamicSceneGraph:
    """Each node goes with probability ``rate`` (in a video: in each frame anew), with its edges.
    """
    _check(rate)
    if isinstance(graph, SceneGraph):
        return _keep(graph, rng.random(len(graph.nodes)) >= rate)[0]
    pairs = [_keep(g, rng.random(len(g.nodes)) >= rate) for g in graph.frames]
    return _rebuild(graph, [p[0] for p in pairs], [p[1] for p in pairs])


def relabel(graph: SceneGraph | DynamicSceneGraph, rate: float, rng: np.random.Generator
            ) -> SceneGraph | DynamicSceneGraph:
    """Each node takes another label of its kind with probability ``rate``; in a video all nodes
    of one coreference chain take the same wrong label."""
    _check(rate)
    if isinstance(graph, SceneGraph):
        return replace(graph, nodes=tuple(
            _other_label(n, rng) if rng.random() < rate else n for n in graph.nodes))
    frames = [list(g.nodes) for g in graph.frames]
    for chain in graph.chains():
        if rng.random() < rate:
            t, i = chain[0]
            label = _other_label(frames[t][i], rng).label
            for t, i in chain:
                frames[t][i] = replace(frames[t][i], label=label)
    return replace(graph, frames=tuple(
        replace(g, nodes=tuple(nodes)) for g, nodes in zip(graph.frames, frames, strict=True)))


def _other_label(node: Node, rng: np.random.Generator) -> Node:
    options = [w for w in VOCABULARY[node.kind] if w != node.label]
    return replace(node, label=options[rng.integers(len(options))])


def jitter_boxes(graph: DynamicSceneGraph, rate: float, rng: np.random.Generator
                 ) -> DynamicSceneGraph:
    """Move and stretch every box by up to ``rate`` of its own size, within the frame."""
    _check(rate)

    def shake(node: Node) -> Node:
        if node.box is None:
            return node
        cx, cy, w, h = node.box
        dx, dy, dw, dh = rng.uniform(-rate, rate, 4)
        w2, h2 = min(1.0, w * (1 + dw / 2)), min(1.0, h * (1 + dh / 2))
        cx = min(max(cx + dx * w, w2 / 2), 1 - w2 / 2)
        cy = min(max(cy + dy * h, h2 / 2), 1 - h2 / 2)
        return replace(node, box=(cx, cy, w2, h2))
    if rate == 0:
        return graph
    return replace(graph, frames=tuple(replace(g, nodes=tuple(map(shake, g.nodes)))
                                       for g in graph.frames))


def split_tracks(graph: DynamicSceneGraph, rate: float, rng: np.random.Generator
                 ) -> DynamicSceneGraph:
    """Cut each link of temporal coreference of an object with probability ``rate``.

    From the cut on the object is a new track: it takes a new entity number, and what hangs on it
    (attributes, its predicates) loses its link at the cut too.
    """
    _check(rate)
    fresh = 1 + max((n.entity for g in graph.frames for n in g.nodes if n.entity is not None),
                    default=0)
    frames, rows = [], []
    before: list[Node] = []
    for t, g in enumerate(graph.frames):
        nodes, row = list(g.nodes), list(graph.predecessors[t])
        cut: set[int] = set()
        for i, node in enumerate(nodes):
            if node.kind != 'object' or row[i] < 0:
                continue
            if rng.random() < rate:
                nodes[i], row[i] = replace(node, entity=fresh), -1
                fresh += 1
                cut.add(i)
            else:
                nodes[i] = replace(node, entity=before[row[i]].entity)
        for e in g.edges:
            if e.type in ('attribute', 'subject') and e.src in cut:
                row[e.dst] = -1
            elif e.type == 'object' and e.dst in cut:
                row[e.src] = -1
        frames.append(replace(g, nodes=tuple(nodes)))
        rows.append(tuple(row))
        before = nodes
    return replace(graph, frames=tuple(frames), predecessors=tuple(rows))


def add_noise(graph: SceneGraph | DynamicSceneGraph, rng: np.random.Generator, drop: float = 0.0,
              label: float = 0.0, jitter: float = 0.0, split: float = 0.0
              ) -> SceneGraph | DynamicSceneGraph:
    """All knobs in turn; ``jitter`` and ``split`` concern dynamic graphs only."""
    if isinstance(graph, DynamicSceneGraph):
        graph = jitter_boxes(split_tracks(graph, split, rng), jitter, rng)
    return drop_nodes(relabel(graph, label, rng), drop, rng)

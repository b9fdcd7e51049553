"""Noise on scene graphs at a given rate: what a worse parser would have written.

Used to measure how evaluation and training react to graph quality (method.md section 5: half of
the nodes missing can push a host below its plain self). Works on graphs of any origin: gold or
parsed, of a text or of a video. (ours)

A *thing* is what one coreference chain shows; chains with the same kind and ``entity`` are one
thing (a track with a gap). A node of a text is a thing of its own unless it shares its entity.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

import numpy as np

from finsta.structures.scene_graph import DynamicSceneGraph, Edge, Node, SceneGraph

Graph = TypeVar('Graph', SceneGraph, DynamicSceneGraph)
Place = tuple[int, int]  # (frame, node)
# a node goes with the end of the edge that it hangs on: an attribute with its object, a predicate
# with any argument, an adverb with its predicate
_HANGS_ON_SOURCE = {'attribute': True, 'subject': True, 'object': False,
                    'predicate_attribute': True}


def add_noise(graph: Graph, rng: np.random.Generator, drop: float = 0.0, relabel: float = 0.0,
              jitter: float = 0.0, split_tracks: float = 0.0,
              vocabulary: Mapping[str, Iterable[str]] | None = None) -> Graph:
    """A noisy copy; with all rates 0 the graph itself.

    Args:
        graph: of a text or of a video. rng: source of randomness.
        drop: probability that a node is missing (in a video: in each frame anew); what hangs on
            it goes with it.
        relabel: probability that a thing carries another label of its kind, the same wrong one
            in every frame (a misclassified track, a misread event).
        jitter: standard deviation of box centre and log size, as a share of the box's size.
        split_tracks: probability that a thing with an ``entity`` breaks once, at a random frame,
            and goes on under a new identity; the attributes that hang on it break with it.
        vocabulary: kind -> labels to choose wrong ones from; default: the labels of ``graph``.

    Returns:
        A valid graph of the same type, frames and times; ``parser`` says that noise was added.
        Coreference is carried over to the nodes that are left.

    Raises:
        ValueError: if a probability is outside [0, 1] or ``jitter`` is negative.
    """
    for name, value in (('drop', drop), ('relabel', relabel), ('split_tracks', split_tracks)):
        if not 0 <= value <= 1:
            raise ValueError(f'{name}={value} must be a probability in [0, 1]')
    if not jitter >= 0:
        raise ValueError(f'jitter={jitter} must not be negative')
    if not (drop or relabel or jitter or split_tracks):
        return graph
    parser = f'{graph.parser} + noise'.strip()
    if isinstance(graph, SceneGraph):
        still = DynamicSceneGraph((graph,), (0.0,))
        frame = _noisy(still, rng, drop, relabel, jitter, 0.0, vocabulary).frames[0]
        return replace(frame, parser=parser)
    return replace(_noisy(graph, rng, drop, relabel, jitter, split_tracks, vocabulary),
                   parser=parser)


def _noisy(dsg: DynamicSceneGraph, rng: np.random.Generator, drop: float, relabel: float,
           jitter: float, split_tracks: float, vocabulary: Mapping[str, Iterable[str]] | None
           ) -> DynamicSceneGraph:
    things = _things(dsg)
    names = _wrong_labels(dsg, things, relabel, vocabulary, rng)
    entities, cut = _splits(dsg, things, split_tracks, rng)
    frames, rows, before = [], [], {}
    for t, graph in enumerate(dsg.frames):
        nodes = [_change(node, names.get((t, i)), entities.get((t, i)), jitter, rng)
                 for i, node in enumerate(graph.nodes)]
        kept = _kept(graph, drop, rng)
        place = {old: new for new, old in enumerate(kept)}
        edges = tuple(Edge(place[e.src], place[e.dst], e.type) for e in graph.edges
                      if e.src in place and e.dst in place)
        frames.append(SceneGraph(tuple(nodes[i] for i in kept), edges, graph.text, graph.parser))
        rows.append(tuple(-1 if (t, i) in cut else before.get(dsg.predecessors[t][i], -1)
                          for i in kept))
        before = place
    return replace(dsg, frames=tuple(frames), predecessors=tuple(rows))


def _things(dsg: DynamicSceneGraph) -> list[list[Place]]:
    """The places of each thing, in order of time; things in order of appearance."""
    out: dict[object, list[Place]] = {}
    for number, chain in enumerate(dsg.chains()):
        node = dsg.frames[chain[0][0]].nodes[chain[0][1]]
        key = number if node.entity is None else (node.kind, node.entity)
        out.setdefault(key, []).extend(chain)
    return [sorted(places) for places in out.values()]


def _wrong_labels(dsg: DynamicSceneGraph, things: list[list[Place]], rate: float,
                  vocabulary: Mapping[str, Iterable[str]] | None, rng: np.random.Generator
                  ) -> dict[Place, str]:
    """Place -> its wrong label."""
    seen: dict[str, set[str]] = {}
    for graph in dsg.frames:
        for node in graph.nodes:
            seen.setdefault(node.kind, set()).add(node.label)
    given = {} if vocabulary is None else vocabulary
    labels = {kind: sorted(set(given.get(kind, found))) for kind, found in seen.items()}
    out = {}
    for places in things:
        node = dsg.frames[places[0][0]].nodes[places[0][1]]
        others = [label for label in labels[node.kind] if label != node.label]
        if others and rng.random() < rate:
            out.update(dict.fromkeys(places, others[rng.integers(len(others))]))
    return out


def _splits(dsg: DynamicSceneGraph, things: list[list[Place]], rate: float,
            rng: np.random.Generator) -> tuple[dict[Place, int], set[Place]]:
    """Place -> its new entity, and the places that lose their predecessor."""
    fresh = 1 + max((n.entity for g in dsg.frames for n in g.nodes if n.entity is not None),
                    default=-1)
    entities: dict[Place, int] = {}
    cut: set[Place] = set()
    for places in things:
        numbered = dsg.frames[places[0][0]].nodes[places[0][1]].entity is not None
        if numbered and places[0][0] < places[-1][0] and rng.random() < rate:
            times = sorted({t for t, _ in places})
            at = times[int(rng.integers(1, len(times)))]
            entities.update((p, fresh) for p in places if p[0] >= at)
            cut.update(p for p in places if p[0] == at)
            fresh += 1
    for t, i in sorted(cut):
        for kind in ('attribute', 'predicate_attribute'):
            cut.update((t, a) for a in dsg.frames[t].targets(i, kind))
    return entities, cut


def _change(node: Node, label: str | None, entity: int | None, jitter: float,
            rng: np.random.Generator) -> Node:
    changes: dict[str, object] = {}
    if label is not None:
        changes['label'] = label
    if entity is not None:
        changes['entity'] = entity
    if node.box is not None and jitter > 0:
        cx, cy, w, h = node.box
        move = rng.normal(0, jitter, 4)
        # a box stays near the frame, as SceneGraph demands
        changes['box'] = (float(np.clip(cx + move[0] * w, 0, 1)),
                          float(np.clip(cy + move[1] * h, 0, 1)),
                          float(min(w * np.exp(move[2]), 1.0)),
                          float(min(h * np.exp(move[3]), 1.0)))
    return replace(node, **changes) if changes else node


def _kept(graph: SceneGraph, rate: float, rng: np.random.Generator) -> list[int]:
    """Indices of the nodes that are left, none of them hanging on a dropped one."""
    gone = set(np.flatnonzero(rng.random(len(graph.nodes)) < rate).tolist())
    grown = True
    while grown:
        before = len(gone)
        for edge in graph.edges:
            ends = (edge.src, edge.dst)
            parent, child = ends if _HANGS_ON_SOURCE[edge.type] else ends[::-1]
            if parent in gone:
                gone.add(child)
        grown = len(gone) > before
    return [i for i in range(len(graph.nodes)) if i not in gone]

"""Noise on dynamic scene graphs at a given rate: what a worse parser would have written.

Used to measure how evaluation and training react to graph quality (method.md section 5: half of
the nodes missing can push a host below its plain self). The four knobs are synthvl.md's.
"""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from finsta.structures import DynamicSceneGraph, Edge, Node, SceneGraph


def corrupt(dsg: DynamicSceneGraph, drop: float = 0.0, relabel: float = 0.0, jitter: float = 0.0,
            split_tracks: float = 0.0, generator: np.random.Generator | None = None,
            vocabulary: dict[str, Iterable[str]] | None = None) -> DynamicSceneGraph:
    """A noisy copy.

    Args:
        drop: probability that a node is missing in a frame; what hangs on it goes with it.
        relabel: probability that a thing carries another label of its kind, the same wrong one
            in every frame (a misclassified track, a misread event).
        jitter: standard deviation of box centre and log size, as a share of the box's size.
        split_tracks: probability that a track or event breaks once, at a random frame, and goes
            on under a new identity.
        generator: source of randomness; None: seed 0.
        vocabulary: kind -> labels to choose wrong ones from; default: the labels of ``dsg``.

    Returns:
        A valid DynamicSceneGraph with the same key frames, linked by entity.

    Raises:
        ValueError: if a probability is outside [0, 1] or ``jitter`` is negative.
    """
    for name, value in (('drop', drop), ('relabel', relabel), ('split_tracks', split_tracks)):
        if not 0 <= value <= 1:
            raise ValueError(f'{name}={value} must be a probability in [0, 1]')
    if jitter < 0:
        raise ValueError(f'jitter={jitter} must not be negative')
    rng = np.random.default_rng(0) if generator is None else generator
    labels = _labels(dsg, vocabulary)
    names = _wrong_labels(dsg, relabel, labels, rng)
    cuts = _cuts(dsg, split_tracks, rng)
    frames = []
    for t, graph in enumerate(dsg.frames):
        nodes = [_change(node, t, names, cuts, jitter, rng) for node in graph.nodes]
        frames.append(_drop(graph, nodes, drop, rng))
    return DynamicSceneGraph(tuple(frames), dsg.times, (), dsg.video, dsg.size,
                             f'{dsg.parser} + noise'.strip())


def _labels(dsg: DynamicSceneGraph, vocabulary) -> dict[str, list[str]]:
    seen: dict[str, set[str]] = {}
    for graph in dsg.frames:
        for node in graph.nodes:
            seen.setdefault(node.kind, set()).add(node.label)
    given = {} if vocabulary is None else vocabulary
    return {kind: sorted(set(given.get(kind, found))) for kind, found in seen.items()}


def _key(node: Node) -> tuple:
    return node.kind, node.label, node.entity


def _wrong_labels(dsg: DynamicSceneGraph, rate: float, labels: dict[str, list[str]],
                  rng: np.random.Generator) -> dict[tuple, str]:
    things = sorted({_key(n) for g in dsg.frames for n in g.nodes}, key=str)
    out = {}
    for key in things:
        others = [label for label in labels[key[0]] if label != key[1]]
        if others and rng.random() < rate:
            out[key] = others[rng.integers(len(others))]
    return out


def _cuts(dsg: DynamicSceneGraph, rate: float, rng: np.random.Generator
          ) -> dict[tuple[str, int], tuple[int, int]]:
    """(kind, entity) -> (first frame of the second half, its new entity)."""
    seen: dict[tuple[str, int], list[int]] = {}
    for t, graph in enumerate(dsg.frames):
        for node in graph.nodes:
            if node.entity is not None:
                seen.setdefault((node.kind, node.entity), []).append(t)
    fresh = max((entity for _, entity in seen), default=0) + 1
    out = {}
    for key in sorted(seen):
        if len(seen[key]) > 1 and rng.random() < rate:
            out[key] = (seen[key][int(rng.integers(1, len(seen[key])))], fresh)
            fresh += 1
    return out


def _change(node: Node, t: int, names: dict[tuple, str], cuts: dict, jitter: float,
            rng: np.random.Generator) -> Node:
    changes = {}
    if _key(node) in names:
        changes['label'] = names[_key(node)]
    cut = cuts.get((node.kind, node.entity))
    if cut is not None and t >= cut[0]:
        changes['entity'] = cut[1]
    if node.box is not None and jitter > 0:
        cx, cy, w, h = node.box
        move = rng.normal(0, jitter, 4)
        # a box stays near the frame, as SceneGraph demands
        changes['box'] = (float(np.clip(cx + move[0] * w, 0, 1)),
                          float(np.clip(cy + move[1] * h, 0, 1)),
                          float(min(w * np.exp(move[2]), 1.0)),
                          float(min(h * np.exp(move[3]), 1.0)))
    return replace(node, **changes) if changes else node


def _drop(graph: SceneGraph, nodes: list[Node], rate: float, rng: np.random.Generator
          ) -> SceneGraph:
    gone = set(np.flatnonzero(rng.random(len(nodes)) < rate).tolist())
    # an attribute goes with its object, a predicate with any argument, an adverb with its verb
    hanging = {'attribute': 'dst', 'subject': 'dst', 'object': 'src',
               'predicate_attribute': 'dst'}
    grown = True
    while grown:
        before = len(gone)
        for edge in graph.edges:
            end = hanging[edge.type]
            child, parent = (edge.dst, edge.src) if end == 'dst' else (edge.src, edge.dst)
            if parent in gone:
                gone.add(child)
        grown = len(gone) > before
    kept = [i for i in range(len(nodes)) if i not in gone]
    place = {old: new for new, old in enumerate(kept)}
    edges = tuple(Edge(place[e.src], place[e.dst], e.type) for e in graph.edges
                  if e.src in place and e.dst in place)
    return SceneGraph(tuple(nodes[i] for i in kept), edges, graph.text, graph.parser)

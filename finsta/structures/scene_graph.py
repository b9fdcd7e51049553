"""Scene graphs of one sentence or one frame, and of a video.

A :class:`SceneGraph` holds nodes of four kinds (object, attribute, predicate,
predicate_attribute) and typed forward edges. A :class:`DynamicSceneGraph` is one scene graph per
key frame plus temporal coreference: for every node of frame t the index of the same thing in
frame t-1, or -1. method.md section 1; the node kinds are the paper's, the JSON form is ours.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import isfinite
from typing import Any

import numpy as np

from finsta.structures.nodes import (
    EDGE_SCHEMA,
    EDGE_TYPES,
    NODE_KINDS,
    Edge,
    GraphError,
    Node,
    check_node,
    int_pair,
)

MAX_NODES = 4096
MAX_FRAMES = 4096


@dataclass(frozen=True)
class SceneGraph:
    """Scene graph of one sentence (TSG) or one key frame.

    Args:
        nodes: the nodes.
        edges: forward edges; reverse edges and self loops are added by GraphBatch.
        text: the sentence, for a TSG.
        parser: which parser and version made it, e.g. ``"RuleTextParser/1"``.

    Raises:
        GraphError: if an edge points outside the nodes, joins the wrong kinds, or a span or box
            is out of range.
    """

    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()
    text: str | None = None
    parser: str = ''

    def __post_init__(self) -> None:
        object.__setattr__(self, 'nodes', tuple(self.nodes))
        object.__setattr__(self, 'edges', tuple(Edge(*e) for e in self.edges))
        self.validate()

    def validate(self, where: str = 'scene graph') -> None:
        """Check every node and edge; raises GraphError naming ``where`` and the index."""
        if len(self.nodes) > MAX_NODES:
            raise GraphError(f'{where}: {len(self.nodes)} nodes, at most {MAX_NODES} are allowed')
        for i, node in enumerate(self.nodes):
            check_node(node, self.text, f'{where}, node {i}')
        for i, edge in enumerate(self.edges):
            place = f'{where}, edge {i}'
            if edge.type not in EDGE_SCHEMA:
                raise GraphError(f'{place}: type {edge.type!r} is none of {list(EDGE_TYPES)}')
            for end in (edge.src, edge.dst):
                if not 0 <= end < len(self.nodes):
                    raise GraphError(f'{place}: points to node {end}, but the graph has '
                                     f'{len(self.nodes)} nodes')
            kinds = (self.nodes[edge.src].kind, self.nodes[edge.dst].kind)
            if kinds != EDGE_SCHEMA[edge.type]:
                raise GraphError(f'{place}: a {edge.type!r} edge joins {EDGE_SCHEMA[edge.type]}, '
                                 f'not {kinds}')

    def of_kind(self, kind: str) -> list[int]:
        """Indices of the nodes of one kind."""
        return [i for i, node in enumerate(self.nodes) if node.kind == kind]

    def targets(self, src: int, edge_type: str) -> list[int]:
        """Nodes that ``src`` points to by edges of one type."""
        return [e.dst for e in self.edges if e.src == src and e.type == edge_type]

    def sources(self, dst: int, edge_type: str) -> list[int]:
        """Nodes that point to ``dst`` by edges of one type."""
        return [e.src for e in self.edges if e.dst == dst and e.type == edge_type]

    def triples(self) -> list[tuple[int | None, int, int | None]]:
        """(subject, predicate, object) node indices; None where an argument is missing."""
        out = []
        for p in self.of_kind('predicate'):
            subjects = self.sources(p, 'subject') or [None]
            objects = self.targets(p, 'object') or [None]
            out += [(s, p, o) for s in subjects for o in objects]
        return out

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        out: dict[str, Any] = {'nodes': [n.to_dict() for n in self.nodes],
                               'edges': [list(e) for e in self.edges]}
        if self.text is not None:
            out['text'] = self.text
        if self.parser:
            out['parser'] = self.parser
        return out

    @classmethod
    def from_dict(cls, data: dict[str, Any], where: str = 'scene graph') -> 'SceneGraph':
        """Inverse of :meth:`to_dict`; raises GraphError naming ``where``, the row and the key."""
        if not isinstance(data, dict) or not isinstance(data.get('nodes'), list):
            raise GraphError(f'{where}: expected an object with a list "nodes"')
        if not isinstance(data.get('edges', []), (list, tuple)):
            raise GraphError(f'{where}: "edges" must be a list, got '
                             f'{type(data["edges"]).__name__}')
        if not isinstance(data.get('text'), (str, type(None))):
            raise GraphError(f'{where}: "text" must be a string, got '
                             f'{type(data["text"]).__name__}')
        nodes = [Node.from_dict(n, f'{where}, node {i}') for i, n in enumerate(data['nodes'])]
        edges = []
        for i, edge in enumerate(data.get('edges', ())):
            try:
                src, dst, edge_type = edge
                edges.append(Edge(int(src), int(dst), str(edge_type)))
            except (TypeError, ValueError) as error:
                raise GraphError(f'{where}, edge {i}: expected [src, dst, type], '
                                 f'got {edge!r}') from error
        try:
            return cls(tuple(nodes), tuple(edges), data.get('text'), data.get('parser', ''))
        except GraphError as error:
            raise GraphError(f'{where}: {error}') from error

    @cached_property
    def arrays(self) -> dict[str, np.ndarray]:
        """Numeric columns for batching; label strings stay in ``nodes``.

        kind (N,), box (N, 4), box_mask (N,), span (N, 2) with -1, entity (N,) with -1,
        score (N,), edge (E, 3) as (src, dst, forward type index).
        """
        n = len(self.nodes)
        kinds = {k: i for i, k in enumerate(NODE_KINDS)}
        types = {t: i for i, t in enumerate(EDGE_TYPES)}
        box = np.array([node.box or (0., 0., 0., 0.) for node in self.nodes], np.float32)
        span = np.array([node.span or (-1, -1) for node in self.nodes], np.int64)
        edge = np.array([(e.src, e.dst, types[e.type]) for e in self.edges], np.int64)
        return dict(
            kind=np.array([kinds[node.kind] for node in self.nodes], np.int64),
            box=box.reshape(n, 4),
            box_mask=np.array([node.box is not None for node in self.nodes], bool),
            span=span.reshape(n, 2),
            entity=np.array([-1 if node.entity is None else node.entity for node in self.nodes],
                            np.int64),
            score=np.array([node.score for node in self.nodes], np.float32),
            edge=edge.reshape(len(self.edges), 3))


@dataclass(frozen=True)
class DynamicSceneGraph:
    """Scene graphs of a video's key frames and the temporal coreference between them.

    Args:
        frames: one SceneGraph per key frame, in order of time.
        times: seconds of each key frame.
        predecessors: for each frame a tuple with, for each node, the index of the same thing in
            the frame before, or -1. Empty: derived from ``entity`` by :func:`link_by_entity`.
        video: file name or id, for messages.
        size: (width, height) of the source in pixels, or None.
        parser: which parser and version made it.

    Raises:
        GraphError: if lengths disagree or a predecessor points outside the frame before.
    """

    frames: tuple[SceneGraph, ...] = ()
    times: tuple[float, ...] = ()
    predecessors: tuple[tuple[int, ...], ...] = ()
    video: str = ''
    size: tuple[int, int] | None = None
    parser: str = ''

    def __post_init__(self) -> None:
        object.__setattr__(self, 'frames', tuple(self.frames))
        object.__setattr__(self, 'times', tuple(float(t) for t in self.times))
        links = self.predecessors or link_by_entity(self.frames)
        object.__setattr__(self, 'predecessors', tuple(tuple(p) for p in links))
        self.validate()

    def validate(self) -> None:
        """Check lengths and predecessors; raises GraphError naming the video and frame."""
        where = f'dynamic scene graph of {self.video!r}'
        if len(self.frames) > MAX_FRAMES:
            raise GraphError(f'{where}: {len(self.frames)} frames, at most {MAX_FRAMES}')
        if not len(self.frames) == len(self.times) == len(self.predecessors):
            raise GraphError(f'{where}: {len(self.frames)} frames, {len(self.times)} times and '
                             f'{len(self.predecessors)} predecessor rows must be equally many')
        if not all(map(isfinite, self.times)):
            raise GraphError(f'{where}: times must be finite seconds, got {list(self.times)}')
        before = 0
        for t, (graph, row) in enumerate(zip(self.frames, self.predecessors, strict=True)):
            if len(row) != len(graph.nodes):
                raise GraphError(f'{where}, frame {t}: {len(row)} predecessors for '
                                 f'{len(graph.nodes)} nodes')
            for i, p in enumerate(row):
                if not -1 <= p < before:
                    raise GraphError(f'{where}, frame {t}, node {i}: predecessor {p} is not among '
                                     f'the {before} nodes of frame {t - 1}')
            before = len(graph.nodes)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {'frames': [g.to_dict() for g in self.frames],
                'times': [round(t, 4) for t in self.times],
                'predecessors': [list(p) for p in self.predecessors],
                'video': self.video, 'size': None if self.size is None else list(self.size),
                'parser': self.parser}

    @classmethod
    def from_dict(cls, data: dict[str, Any], where: str = 'dynamic scene graph'
                  ) -> 'DynamicSceneGraph':
        """Inverse of :meth:`to_dict`; raises GraphError naming ``where`` and the frame."""
        if not isinstance(data, dict) or not isinstance(data.get('frames'), list):
            raise GraphError(f'{where}: expected an object with a list "frames"')
        frames = [SceneGraph.from_dict(g, f'{where}, frame {t}')
                  for t, g in enumerate(data['frames'])]
        try:
            return cls(tuple(frames), tuple(data.get('times', range(len(frames)))),
                       tuple(tuple(int(i) for i in p) for p in data.get('predecessors', ())),
                       str(data.get('video', '')), int_pair(data.get('size')),
                       str(data.get('parser', '')))
        except (TypeError, ValueError) as error:
            raise GraphError(f'{where}: {error}') from error

    def chains(self) -> list[list[tuple[int, int]]]:
        """Temporal coreference chains: lists of (frame, node), longest run of predecessors."""
        open_chains: dict[int, list[tuple[int, int]]] = {}
        done: list[list[tuple[int, int]]] = []
        for t, row in enumerate(self.predecessors):
            now: dict[int, list[tuple[int, int]]] = {}
            for i, p in enumerate(row):
                chain = open_chains.pop(p, None) if p >= 0 else None
                if chain is None:
                    chain = []
                    done.append(chain)
                chain.append((t, i))
                now[i] = chain
            open_chains = now
        return done

    def sample(self, frames: Sequence[int]) -> 'DynamicSceneGraph':
        """The graph of a sub-sequence of key frames; coreference is carried over the gaps.

        Raises:
            GraphError: when ``frames`` does not increase or points outside the key frames.
        """
        frames = list(frames)
        outside = [t for t in frames if not 0 <= t < len(self.frames)]
        if outside:
            raise GraphError(f'dynamic scene graph of {self.video!r} has {len(self.frames)} '
                             f'frames, cannot take {outside}')
        if any(b <= a for a, b in pairwise(frames)):
            raise GraphError(f'frames must increase strictly, got {frames}')
        rows: list[tuple[int, ...]] = []
        for k, t in enumerate(frames):
            row = list(range(len(self.frames[t].nodes)))
            if k == 0:
                row = [-1] * len(row)
            else:
                for step in range(t, frames[k - 1], -1):
                    row = [self.predecessors[step][i] if i >= 0 else -1 for i in row]
            rows.append(tuple(row))
        return DynamicSceneGraph(tuple(self.frames[t] for t in frames),
                                 tuple(self.times[t] for t in frames), tuple(rows),
                                 self.video, self.size, self.parser)


def link_by_entity(frames: Iterable[SceneGraph]) -> tuple[tuple[int, ...], ...]:
    """Predecessors from identity: same kind and same ``entity`` in adjacent frames.

    A predicate without an entity is identified by (subject entity, label, object entity); other
    nodes without an entity by the node they hang on and their label.
    """
    rows, before = [], {}
    for graph in frames:
        keys = _identity_keys(graph)
        row = tuple(before.get(key, -1) if key is not None else -1 for key in keys)
        seen: set[int] = set()
        unique = []
        for p in row:
            unique.append(-1 if p in seen else p)
            seen.add(p)
        rows.append(tuple(unique))
        before = {key: i for i, key in enumerate(keys) if key is not None}
    return tuple(rows)


def _identity_keys(graph: SceneGraph) -> list[tuple | None]:
    keys: list[tuple | None] = [None if n.entity is None else (n.kind, n.entity)
                                for n in graph.nodes]
    for subject, p, obj in graph.triples():
        ends = tuple(None if e is None else graph.nodes[e].entity for e in (subject, obj))
        if keys[p] is None and ends != (None, None):
            keys[p] = ('predicate', graph.nodes[p].label, *ends)
    for edge in graph.edges:
        hangs = edge.type in ('attribute', 'predicate_attribute')
        if hangs and keys[edge.dst] is None and keys[edge.src] is not None:
            keys[edge.dst] = (edge.type, graph.nodes[edge.dst].label, keys[edge.src])
    return keys

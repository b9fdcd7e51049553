"""Nodes and edges of scene graphs: their kinds, fields, JSON form and checks.

Node kinds and forward edge types are the paper's (method.md section 1), the JSON form is ours.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

NODE_KINDS = ('object', 'attribute', 'predicate', 'predicate_attribute')
# forward edge type -> (allowed source kind, allowed target kind)
EDGE_SCHEMA = {
    'subject': ('object', 'predicate'),
    'object': ('predicate', 'object'),
    'attribute': ('object', 'attribute'),
    'predicate_attribute': ('predicate', 'predicate_attribute'),
}
EDGE_TYPES = tuple(EDGE_SCHEMA)


class GraphError(ValueError):
    """A graph that contradicts itself; the message names the place."""


class Edge(NamedTuple):
    """A forward edge between two node indices; ``type`` is a key of ``EDGE_SCHEMA``."""

    src: int
    dst: int
    type: str


@dataclass(frozen=True)
class Node:
    """One node.

    Attributes:
        kind: one of ``NODE_KINDS``.
        label: lower-case words ("man", "red", "pick up", "quickly").
        span: character offsets [start, end) in the text it came from; None for visual nodes.
        mentions: further spans of the same thing (pronouns, repeated noun phrases).
        box: (cx, cy, w, h) as fractions of the source frame; None for text nodes.
        entity: identity of the thing inside its graph: a track of the video, a coreference
            chain of the text; gold graphs share the numbers between text and video.
        score: confidence of the parser in [0, 1].
    """

    kind: str
    label: str
    span: tuple[int, int] | None = None
    mentions: tuple[tuple[int, int], ...] = ()
    box: tuple[float, float, float, float] | None = None
    entity: int | None = None
    score: float = 1.0

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; fields at their default are left out."""
        out: dict[str, Any] = {'kind': self.kind, 'label': self.label}
        if self.span is not None:
            out['span'] = list(self.span)
        if self.mentions:
            out['mentions'] = [list(m) for m in self.mentions]
        if self.box is not None:
            out['box'] = [round(float(v), 6) for v in self.box]
        if self.entity is not None:
            out['entity'] = self.entity
        if self.score != 1.0:
            out['score'] = round(float(self.score), 4)
        return out

    @classmethod
    def from_dict(cls, data: dict[str, Any], where: str = 'node') -> 'Node':
        """Inverse of :meth:`to_dict`.

        Raises:
            GraphError: on a missing key or a wrong type, naming ``where`` and the key.
        """
        if not isinstance(data, dict):
            raise GraphError(f'{where}: a node is an object with "kind" and "label", '
                             f'got {type(data).__name__}')
        try:
            return cls(kind=str(data['kind']), label=str(data['label']),
                       span=int_pair(data.get('span')),
                       mentions=tuple(int_pair(m) for m in data.get('mentions', ())),
                       box=None if data.get('box') is None else _box(data['box']),
                       entity=None if data.get('entity') is None else int(data['entity']),
                       score=float(data.get('score', 1.0)))
        except KeyError as error:
            raise GraphError(f'{where}: key {error} is missing') from error
        except (TypeError, ValueError) as error:
            raise GraphError(f'{where}: {error}') from error


def check_node(node: Node, text: str | None, where: str) -> None:
    """Raise GraphError, naming ``where``, for what a node of that text must not be."""
    if node.kind not in NODE_KINDS:
        raise GraphError(f'{where}: kind {node.kind!r} is none of {list(NODE_KINDS)}')
    if not isinstance(node.label, str):
        raise GraphError(f'{where}: label must be a string, got {type(node.label).__name__}')
    for span in ((node.span,) if node.span is not None else ()) + tuple(node.mentions):
        end = len(text) if text is not None else span[1]
        if not 0 <= span[0] <= span[1] <= end:
            raise GraphError(f'{where}: span {tuple(span)} lies outside the text of {end} '
                             'characters')
    if node.box is not None:
        if not all(np.isfinite(v) and -1.0 <= v <= 2.0 for v in node.box):
            raise GraphError(f'{where}: box {tuple(node.box)} must be (cx, cy, w, h) as fractions '
                             'of the frame')
        if node.box[2] < 0 or node.box[3] < 0:
            raise GraphError(f'{where}: box {tuple(node.box)} has a negative size')


def int_pair(value: Any) -> tuple[int, int] | None:
    """Two whole numbers, or None."""
    if value is None:
        return None
    first, second = value
    return int(first), int(second)


def _box(value: Any) -> tuple[float, float, float, float]:
    cx, cy, w, h = (float(v) for v in value)
    return cx, cy, w, h

"""Tracks and relation spans -> DynamicSceneGraph: the one place where frames are assembled.

Every video parser and every annotation layout ends here, so that all graphs look alike: one
object node per visible track and frame, its attributes hung on it, one predicate node per
relation that is active in the frame and whose arguments are visible, adverbs hung on it.
The layout of nodes (objects, then attributes, then predicates) is ours.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from finsta.structures import DynamicSceneGraph, Edge, Node, SceneGraph

Box = tuple[float, float, float, float]


@dataclass
class Track:
    """One object over time.

    Attributes:
        entity: identity, unique among the tracks of a video.
        label: object label.
        boxes: key frame -> (cx, cy, w, h) as fractions of the frame, or None where it is there
            but its box is unknown.
        attributes: (label, key frames or None for every frame).
        score: confidence.
    """

    entity: int
    label: str
    boxes: dict[int, Box | None]
    attributes: list[tuple[str, frozenset[int] | None]] = field(default_factory=list)
    score: float = 1.0


@dataclass
class RelationSpan:
    """One predicate over time.

    Attributes:
        label: predicate label.
        subject: entity of the subject.
        object: entity of the object, or None for an intransitive predicate.
        frames: key frames in which it holds.
        adverbs: predicate attributes.
        entity: event identity; None: identified by (subject, label, object).
        score: confidence.
    """

    label: str
    subject: int
    object: int | None
    frames: Iterable[int]
    adverbs: Sequence[str] = ()
    entity: int | None = None
    score: float = 1.0


def build_graph(tracks: Sequence[Track], relations: Sequence[RelationSpan],
                times: Sequence[float], video: str = '', size: tuple[int, int] | None = None,
                parser: str = '') -> DynamicSceneGraph:
    """Assemble one graph per key frame.

    Args:
        tracks: objects; a frame's object nodes are in this order.
        relations: predicates; one whose subject or object is not visible in a frame is left out
            of that frame.
        times: seconds of the T key frames.

    Returns:
        DynamicSceneGraph with T frames, linked by entity.
    """
    active: list[list[RelationSpan]] = [[] for _ in times]
    for relation in relations:
        for t in sorted(set(relation.frames)):
            if 0 <= t < len(times):
                active[t].append(relation)
    frames = tuple(_frame(t, tracks, active[t]) for t in range(len(times)))
    return DynamicSceneGraph(frames, tuple(times), (), video, size, parser)


def _frame(t: int, tracks: Sequence[Track], relations: Sequence[RelationSpan]) -> SceneGraph:
    nodes: list[Node] = []
    edges: list[Edge] = []
    place: dict[int, int] = {}
    for track in tracks:
        if t in track.boxes:
            place[track.entity] = len(nodes)
            nodes.append(Node('object', track.label, box=track.boxes[t], entity=track.entity,
                              score=track.score))
    for track in tracks:
        if track.entity in place:
            for label, when in track.attributes:
                if when is None or t in when:
                    edges.append(Edge(place[track.entity], len(nodes), 'attribute'))
                    nodes.append(Node('attribute', label))
    for relation in relations:
        subject = place.get(relation.subject)
        target = None if relation.object is None else place.get(relation.object)
        if subject is None or (target is None and relation.object is not None):
            continue
        here = len(nodes)
        nodes.append(Node('predicate', relation.label, entity=relation.entity,
                          score=relation.score))
        edges.append(Edge(subject, here, 'subject'))
        if target is not None:
            edges.append(Edge(here, target, 'object'))
        for adverb in relation.adverbs:
            edges.append(Edge(here, len(nodes), 'predicate_attribute'))
            nodes.append(Node('predicate_attribute', adverb))
    return SceneGraph(tuple(nodes), tuple(edges))


def empty_graph(video: str, parser: str) -> DynamicSceneGraph:
    """The valid graph of a video from which nothing could be read: one frame, no node."""
    return DynamicSceneGraph((SceneGraph(),), (0.0,), (), video, None, parser)


def pixel_box(xyxy: Sequence[float], width: float, height: float) -> Box:
    """Corner box in pixels -> (cx, cy, w, h) fractions, clipped to the frame."""
    x1, y1, x2, y2 = (float(v) for v in xyxy)
    x1, x2 = (min(max(v, 0.0), width) for v in (min(x1, x2), max(x1, x2)))
    y1, y2 = (min(max(v, 0.0), height) for v in (min(y1, y2), max(y1, y2)))
    return ((x1 + x2) / 2 / width, (y1 + y2) / 2 / height, (x2 - x1) / width, (y2 - y1) / height)


def corner_boxes(boxes: np.ndarray) -> np.ndarray:
    """(N, 4) centre boxes -> (N, 4) corner boxes, same unit."""
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    half = boxes[:, 2:] / 2
    return np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], 1)


def box_iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(N, 4) x (M, 4) corner boxes -> (N, M) intersection over union; 0 for empty boxes."""
    a, b = np.asarray(a, np.float64).reshape(-1, 4), np.asarray(b, np.float64).reshape(-1, 4)
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    inter = np.clip(high - low, 0, None).prod(-1)
    area_a, area_b = ((x[:, 2:] - x[:, :2]).clip(0).prod(-1) for x in (a, b))
    union = area_a[:, None] + area_b[None] - inter
    return np.divide(inter, union, out=np.zeros_like(inter), where=union > 0)

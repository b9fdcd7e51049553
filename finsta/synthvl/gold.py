"""Scene -> gold dynamic scene graph: boxes, attributes, static relations, events.

Every rendered frame is a key frame. Object entities are thing numbers; predicate entities are
event numbers, and from ``RELATION_BASE`` on a number per ordered pair and relation.
"""

from functools import cached_property

import numpy as np

from finsta.structures import DynamicSceneGraph, Edge, Node, SceneGraph
from finsta.synthvl.render import outlines_at
from finsta.synthvl.scene import VERSION, Scene
from finsta.synthvl.vocabulary import COLOURS, RELATIONS

RELATION_BASE = 1000
PARSER = f'SynthVL/{VERSION}'
_RELATION_NAMES = list(RELATIONS)
_COLOUR_NAMES = list(COLOURS)


def relation_entity(a: int, b: int, label: str) -> int:
    """Predicate entity of "a <label> b"."""
    return RELATION_BASE + (a * 64 + b) * len(RELATIONS) + _RELATION_NAMES.index(label)


class Facts:
    """What holds in each frame of a scene, computed once.

    Attributes:
        boxes: (F, n, 4) x1, y1, x2, y2 as fractions, clipped to the frame.
        visible: (F, n) present, at least a quarter inside the frame, not fully covered.
    """

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        frames, count = scene.states.x.shape
        self.boxes = np.zeros((frames, count, 4))
        self.visible = np.zeros((frames, count), bool)
        for f in range(frames):
            for k in np.flatnonzero(scene.states.present[f]):
                points = outlines_at(scene, f, int(k))[0] / scene.canvas
                low, high = points.min(0), points.max(0)
                a, b = np.clip(low, 0, 1), np.clip(high, 0, 1)
                self.boxes[f, k] = (*a, *b)
                self.visible[f, k] = (b - a).prod() > 0.25 * (high - low).prod()
        self._hide_covered()

    def _hide_covered(self) -> None:
        s = self.scene.states
        for a in range(s.x.shape[1]):
            for b in range(s.x.shape[1]):
                if a != b and self.scene.things[b].shape != 'ring':
                    gap = np.hypot(s.x[:, a] - s.x[:, b], s.y[:, a] - s.y[:, b])
                    covered = gap + s.radius[:, a] < 0.75 * s.radius[:, b]
                    self.visible[:, a] &= ~(covered & s.present[:, b]
                                            & (s.depth[:, b] > s.depth[:, a]))

    @cached_property
    def sized(self) -> list[bool]:
        """Per thing whether its size word holds in the whole clip."""
        changing = {e.subject for e in self.scene.events if e.label in ('grow', 'shrink')}
        s = self.scene.states
        return [k not in changing and np.median(s.radius[:, k]) > 0.09
                for k in range(len(self.scene.things))]

    def relations(self, frame: int) -> list[tuple[int, str, int]]:
        """(a, label, b) with a < b of the visible things of a frame, in order."""
        return self._relations[frame]

    @cached_property
    def _relations(self) -> list[list[tuple[int, str, int]]]:
        s, out = self.scene.states, [[] for _ in range(self.scene.num_frames)]
        count = s.x.shape[1]
        for a in range(count):
            for b in range(a + 1, count):
                dx, dy = s.x[:, a] - s.x[:, b], s.y[:, a] - s.y[:, b]
                gap, ra, rb = np.hypot(dx, dy), s.radius[:, a], s.radius[:, b]
                both = self.visible[:, a] & self.visible[:, b]
                inner = gap + np.minimum(ra, rb) < np.maximum(ra, rb)
                touch = ~inner & (gap < (ra + rb) * 0.95)
                for f in np.flatnonzero(both):
                    if inner[f]:
                        if ra[f] < rb[f]:
                            out[f].append((a, 'inside', b))
                        continue
                    name = _direction(dx[f], dy[f])
                    if name:
                        out[f].append((a, name, b))
                    if touch[f]:
                        out[f].append((a, 'touching', b))
                    if ra[f] > 1.3 * rb[f]:
                        out[f].append((a, 'larger than', b))
        return out

    def steady_relations(self) -> list[tuple[int, str, int]]:
        """Relations that hold in every frame, with both things always visible."""
        rows = [set(r) for r in self._relations]
        return sorted(set.intersection(*rows)) if rows else []


def _direction(dx: float, dy: float) -> str | None:
    if max(abs(dx), abs(dy)) < 0.1 or min(abs(dx), abs(dy)) > 0.75 * max(abs(dx), abs(dy)):
        return None
    if abs(dx) > abs(dy):
        return 'left of' if dx < 0 else 'right of'
    return 'above' if dy < 0 else 'below'


def dynamic_graph(scene: Scene, facts: Facts | None = None) -> DynamicSceneGraph:
    """The gold graph; labels are the canonical words."""
    facts = facts or Facts(scene)
    frames = tuple(_frame_graph(scene, facts, f) for f in range(scene.num_frames))
    times = tuple(f / scene.fps for f in range(scene.num_frames))
    return DynamicSceneGraph(frames, times, (), '', (scene.canvas, scene.canvas), PARSER)


def _frame_graph(scene: Scene, facts: Facts, f: int) -> SceneGraph:
    nodes: list[Node] = []
    edges: list[Edge] = []
    place: dict[int, int] = {}
    for k in np.flatnonzero(facts.visible[f]):
        x1, y1, x2, y2 = facts.boxes[f, k]
        place[int(k)] = len(nodes)
        box = ((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1)
        nodes.append(Node('object', scene.things[k].shape, entity=int(k),
                          box=tuple(round(float(v), 4) for v in box)))
    for k, here in place.items():
        thing = scene.things[k]
        labels = [_COLOUR_NAMES[scene.states.colour[f, k]], thing.texture]
        if facts.sized[k]:
            labels.append(thing.size)
        for label in labels:
            edges.append(Edge(here, len(nodes), 'attribute'))
            nodes.append(Node('attribute', label))
    for e in scene.events:
        if e.start <= f < e.end:
            _predicate(nodes, edges, place, e.label, e.subject, e.object, e.index,
                       e.adverb)
    for a, label, b in facts.relations(f):
        _predicate(nodes, edges, place, label, a, b, relation_entity(a, b, label), None)
    return SceneGraph(tuple(nodes), tuple(edges))


def _predicate(nodes: list[Node], edges: list[Edge], place: dict[int, int], label: str,
               subject: int, target: int | None, entity: int, adverb: str | None) -> None:
    if subject not in place or (target is not None and target not in place):
        return
    here = len(nodes)
    nodes.append(Node('predicate', label, entity=entity))
    edges.append(Edge(place[subject], here, 'subject'))
    if target is not None:
        edges.append(Edge(here, place[target], 'object'))
    if adverb is not None:
        edges.append(Edge(here, len(nodes), 'predicate_attribute'))
        nodes.append(Node('predicate_attribute', adverb))

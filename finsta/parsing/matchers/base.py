"""What all matchers share: tracks of a dynamic graph, and edges that follow from object matches.

A matcher decides which text objects are which tracks; predicates follow from their label and
their coreferent arguments, attributes from the things they hang on (method.md section 3,
"Positives"). All edges are for every frame in which the thing is seen.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from finsta.structures import CrossEdge, DynamicSceneGraph, HolisticSceneGraph, SceneGraph

# (text node, frame, visual node) -> score
Links = dict[tuple[int, int, int], float]
_HANGS = {'object': 'attribute', 'predicate': 'predicate_attribute'}


class Matcher(Protocol):
    """Joins a text graph and a dynamic graph."""

    def match(self, tsg: SceneGraph, dsg: DynamicSceneGraph,
              video_id: str | None = None) -> HolisticSceneGraph:
        """The holistic graph; its cross edges carry scores in [0, 1]."""


@dataclass(frozen=True)
class Track:
    """One thing of a video.

    Attributes:
        places: (frame, node), in order of time. labels: its labels, the first one first.
        attributes: labels of its attributes. actions: labels of predicates it is subject of.
        boxes: box of each place, or None.
    """

    places: tuple[tuple[int, int], ...]
    labels: tuple[str, ...]
    attributes: frozenset[str]
    actions: frozenset[str]
    boxes: dict[tuple[int, int], tuple[float, float, float, float] | None]


def object_tracks(dsg: DynamicSceneGraph) -> list[Track]:
    """Object chains of the video; chains of one entity (a thing that went and came) are one."""
    groups: dict[tuple, list[tuple[int, int]]] = {}
    for k, chain in enumerate(dsg.chains()):
        frame, node = chain[0]
        first = dsg.frames[frame].nodes[node]
        if first.kind == 'object':
            key = ('chain', k) if first.entity is None else ('entity', first.entity)
            groups.setdefault(key, []).extend(chain)
    hanging = [_attributes(graph) for graph in dsg.frames]
    acting = [_actions(graph) for graph in dsg.frames]
    out = []
    for places in groups.values():
        places.sort()
        labels = dict.fromkeys(dsg.frames[t].nodes[i].label for t, i in places)
        out.append(Track(tuple(places), tuple(labels),
                         frozenset().union(*(hanging[t].get(i, ()) for t, i in places)),
                         frozenset().union(*(acting[t].get(i, ()) for t, i in places)),
                         {(t, i): dsg.frames[t].nodes[i].box for t, i in places}))
    return out


def _attributes(graph: SceneGraph) -> dict[int, set[str]]:
    """Object -> labels of its attributes."""
    out: dict[int, set[str]] = {}
    for edge in graph.edges:
        if edge.type == 'attribute':
            out.setdefault(edge.src, set()).add(graph.nodes[edge.dst].label)
    return out


def _actions(graph: SceneGraph) -> dict[int, set[str]]:
    """Object -> labels of the predicates it is the subject of."""
    out: dict[int, set[str]] = {}
    for edge in graph.edges:
        if edge.type == 'subject':
            out.setdefault(edge.src, set()).add(graph.nodes[edge.dst].label)
    return out


def text_attributes(tsg: SceneGraph, node: int) -> list[str]:
    """Labels of the attributes of a text object."""
    return [tsg.nodes[a].label for a in tsg.targets(node, 'attribute')]


def text_things(tsg: SceneGraph) -> list[list[int]]:
    """Text objects, grouped where they are coreferent (same ``entity``)."""
    groups: dict[tuple, list[int]] = {}
    for i in tsg.of_kind('object'):
        entity = tsg.nodes[i].entity
        groups.setdefault(('node', i) if entity is None else ('entity', entity), []).append(i)
    return list(groups.values())


def link_tracks(things: list[list[int]], tracks: list[Track],
                pairs: Iterable[tuple[int, int, float]]) -> Links:
    """Links of every text node of a thing to every place of the tracks paired with it."""
    links: Links = {}
    for thing, track, score in pairs:
        for i in things[thing]:
            for frame, node in tracks[track].places:
                links[i, frame, node] = score
    return links


def predicate_links(tsg: SceneGraph, dsg: DynamicSceneGraph, objects: Links,
                    similarity: Callable[[SceneGraph, int, SceneGraph, int, bool], float],
                    threshold: float) -> Links:
    """Predicates with a similar label whose arguments corefer.

    Args:
        objects: links of objects.
        similarity: (text graph, predicate, frame's graph, predicate, converse) -> [0, 1];
            ``converse`` asks for the relation with its arguments swapped (left of / right of).
        threshold: least score of a link.
    """
    out: Links = {}
    for frame, graph in enumerate(dsg.frames):
        visual = graph.triples()
        for subject, p, obj in tsg.triples():
            for v_subject, q, v_obj in visual:
                for converse in (False, True):
                    ends = (v_obj, v_subject) if converse else (v_subject, v_obj)
                    fit = _arguments_fit((subject, obj), ends, frame, objects)
                    if fit <= 0.0 or (converse and v_obj is None):
                        continue
                    score = fit * similarity(tsg, p, graph, q, converse)
                    if score >= threshold:
                        key = (p, frame, q)
                        out[key] = max(score, out.get(key, 0.0))
    return out


def _arguments_fit(text: tuple[int | None, int | None], visual: tuple[int | None, int | None],
                   frame: int, objects: Links) -> float:
    """Mean object score of the arguments; 0 if one of them is another thing.

    An argument that only one side has says nothing about identity and costs a part of the score.
    """
    scores = []
    for i, v in zip(text, visual, strict=True):
        if i is not None and v is not None:
            score = objects.get((i, frame, v), 0.0)
            if score <= 0.0:
                return 0.0
            scores.append(score)
        elif (i is None) != (v is None):
            scores.append(0.6)
    both = any(i is not None and v is not None for i, v in zip(text, visual, strict=True))
    return sum(scores) / len(scores) if both else 0.0


def hanging_links(tsg: SceneGraph, dsg: DynamicSceneGraph, parents: Links,
                  same: Callable[[str, str], float], threshold: float) -> Links:
    """Attributes of matched objects and adverbs of matched predicates with the same meaning."""
    out: Links = {}
    for (i, frame, v), score in parents.items():
        graph = dsg.frames[frame]
        edge = _HANGS[tsg.nodes[i].kind]
        for a in tsg.targets(i, edge):
            for b in graph.targets(v, edge):
                value = score * same(tsg.nodes[a].label, graph.nodes[b].label)
                if value >= threshold:
                    out[a, frame, b] = max(value, out.get((a, frame, b), 0.0))
    return out


def holistic(tsg: SceneGraph, dsg: DynamicSceneGraph, matcher: str,
             *links: Links) -> HolisticSceneGraph:
    """The joined graph, edges in order of (text node, frame, visual node)."""
    joined: Links = {}
    for part in links:
        joined.update(part)
    cross = tuple(CrossEdge(*key, min(1.0, max(0.0, joined[key]))) for key in sorted(joined))
    return HolisticSceneGraph(tsg, dsg, cross, matcher)

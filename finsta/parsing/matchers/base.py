"""What all matchers share: tracks of a dynamic graph, and edges that follow from object matches.

A matcher decides which text objects are which tracks; predicates follow from their label and
their coreferent arguments, attributes from the things they hang on (method.md section 3,
"Positives"). All edges are for every frame in which the thing is seen.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from finsta.structures import CrossEdge, DynamicSceneGraph, HolisticSceneGraph, SceneGraph

# (text node, frame, visual node) -> score
Links = dict[tuple[int, int, int], float]


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


class View:
    """The edges of a graph as look-ups, made in one pass.

    Attributes:
        hanging: object or predicate -> its attributes or adverbs. subjects, objects: predicate ->
            its arguments. acts: object -> predicates it is the subject of.
    """

    def __init__(self, graph: SceneGraph) -> None:
        self.nodes = graph.nodes
        self.hanging: dict[int, list[int]] = {}
        self.subjects: dict[int, list[int]] = {}
        self.objects: dict[int, list[int]] = {}
        self.acts: dict[int, list[int]] = {}
        for src, dst, kind in graph.edges:
            if kind == 'subject':
                self.subjects.setdefault(dst, []).append(src)
                self.acts.setdefault(src, []).append(dst)
            elif kind == 'object':
                self.objects.setdefault(src, []).append(dst)
            else:
                self.hanging.setdefault(src, []).append(dst)

    def labels_on(self, node: int) -> tuple[str, ...]:
        """Labels of what hangs on a node."""
        return tuple(self.nodes[a].label for a in self.hanging.get(node, ()))

    def triples(self) -> list[tuple[int | None, int, int | None]]:
        """As :meth:`SceneGraph.triples`."""
        return [(s, p, o) for p, node in enumerate(self.nodes) if node.kind == 'predicate'
                for s in self.subjects.get(p) or (None,) for o in self.objects.get(p) or (None,)]


def views(dsg: DynamicSceneGraph) -> list[View]:
    """One view a frame."""
    return [View(graph) for graph in dsg.frames]


def object_tracks(dsg: DynamicSceneGraph, frames: list[View]) -> list[Track]:
    """Object chains of the video; chains of one entity (a thing that went and came) are one."""
    groups: dict[tuple, list[tuple[int, int]]] = {}
    for k, chain in enumerate(dsg.chains()):
        frame, node = chain[0]
        first = dsg.frames[frame].nodes[node]
        if first.kind == 'object':
            key = ('chain', k) if first.entity is None else ('entity', first.entity)
            groups.setdefault(key, []).extend(chain)
    out = []
    for places in groups.values():
        places.sort()
        labels = dict.fromkeys(frames[t].nodes[i].label for t, i in places)
        attributes = {label for t, i in places for label in frames[t].labels_on(i)}
        actions = {frames[t].nodes[p].label for t, i in places for p in frames[t].acts.get(i, ())}
        out.append(Track(tuple(places), tuple(labels), frozenset(attributes), frozenset(actions),
                         {(t, i): frames[t].nodes[i].box for t, i in places}))
    return out


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


# (label, adverbs) of a text and of a visual predicate, converse -> [0, 1]
Meaning = tuple[str, tuple[str, ...]]
PredicateSimilarity = Callable[[Meaning, Meaning, bool], float]


def predicate_links(text: View, frames: list[View], objects: Links,
                    similarity: PredicateSimilarity, threshold: float) -> Links:
    """Predicates with a similar label whose arguments corefer.

    Args:
        objects: links of objects.
        similarity: of two predicates; ``converse`` asks for the relation with its arguments
            swapped (left of / right of).
        threshold: least score of a link.
    """
    out: Links = {}
    if not objects:
        return out
    said = [(s, p, o, (text.nodes[p].label, text.labels_on(p))) for s, p, o in text.triples()]
    for frame, view in enumerate(frames):
        for v_subject, q, v_obj in view.triples():
            other = view.nodes[q].label, view.labels_on(q)
            for subject, p, obj, own in said:
                for converse in (False, True) if v_obj is not None else (False,):
                    alike = similarity(own, other, converse)
                    if alike < threshold:
                        continue
                    ends = (v_obj, v_subject) if converse else (v_subject, v_obj)
                    score = alike * _arguments_fit((subject, obj), ends, frame, objects)
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


def hanging_links(text: View, frames: list[View], parents: Links,
                  same: Callable[[str, str], float], threshold: float) -> Links:
    """Attributes of matched objects and adverbs of matched predicates with the same meaning."""
    out: Links = {}
    for (i, frame, v), score in parents.items():
        view = frames[frame]
        for a in text.hanging.get(i, ()):
            for b in view.hanging.get(v, ()):
                value = score * same(text.nodes[a].label, view.nodes[b].label)
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

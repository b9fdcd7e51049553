"""Cross-modal coreference by words: needs no weights (ours).

A text thing and a track are compared by label; colours, sizes and textures, and what the thing
does, then decide between tracks of the same label ("the red circle", "the one that moves left").
Things and tracks are paired one to one by the best total score; "two dogs" may take two tracks.
"""

import numpy as np

from finsta.parsing.matchers.base import (
    Track,
    hanging_links,
    holistic,
    link_tracks,
    object_tracks,
    predicate_links,
    text_attributes,
    text_things,
)
from finsta.parsing.matchers.words import (
    NUMBERS,
    conflict,
    content_words,
    converse_words,
    label_similarity,
    overlap,
)
from finsta.registry import MATCHERS
from finsta.structures import DynamicSceneGraph, HolisticSceneGraph, SceneGraph


@MATCHERS.register_module()
class LexicalMatcher:
    """Matches by labels, with attributes and actions as tie-breakers.

    Args:
        threshold: least score of an object match.
        predicate_threshold: least score of a predicate match.
        attribute_weight: what agreeing attributes add and excluding ones (red / blue) take away,
            twice.
        action_weight: what a shared predicate label adds.
        generic: whether labels that say nothing ("object", "region") may match any text thing
            whose attributes or actions agree.
    """

    def __init__(self, threshold: float = 0.5, predicate_threshold: float = 0.35,
                 attribute_weight: float = 0.2, action_weight: float = 0.1,
                 generic: bool = True) -> None:
        self.threshold, self.predicate_threshold = threshold, predicate_threshold
        self.attribute_weight, self.action_weight = attribute_weight, action_weight
        self.generic = generic

    def match(self, tsg: SceneGraph, dsg: DynamicSceneGraph,
              video_id: str | None = None) -> HolisticSceneGraph:
        """The holistic graph; edges of one pair have the pair's score in every frame."""
        things, tracks = text_things(tsg), object_tracks(dsg)
        scores = np.array([[self._score(tsg, thing, track) for track in tracks]
                           for thing in things]).reshape(len(things), len(tracks))
        pairs = _assign(scores, [_count(tsg, thing) for thing in things], self.threshold)
        objects = link_tracks(things, tracks, pairs)
        predicates = predicate_links(tsg, dsg, objects, _predicate_similarity,
                                     self.predicate_threshold)
        hanging = hanging_links(tsg, dsg, {**objects, **predicates}, _same_words, 0.1)
        return holistic(tsg, dsg, 'LexicalMatcher/1', objects, predicates, hanging)

    def _score(self, tsg: SceneGraph, thing: list[int], track: Track) -> float:
        """How well a thing fits a track, in [0, 1]."""
        label = max((label_similarity(tsg.nodes[i].label, name)
                     for i in thing for name in track.labels), default=0.0)
        if label <= 0.0 or (label <= 0.4 and not self.generic):
            return 0.0
        attributes = [content_words(a) for i in thing for a in text_attributes(tsg, i)]
        # a parser may name the shape as label or as attribute, and the text too
        seen = [content_words(a) for a in (*track.attributes, *track.labels)]
        score = 0.75 * label
        for words in attributes:
            if any(words & other for other in seen):
                score += self.attribute_weight / len(attributes)
            elif any(conflict(words, other) for other in seen):
                score -= 2.0 * self.attribute_weight / len(attributes)
        if not attributes:
            score += 0.5 * self.attribute_weight
        said = [_predicate_words(tsg, p) for i in thing for p in tsg.targets(i, 'subject')]
        done = [content_words(a) for a in track.actions]
        if said and done:
            score += self.action_weight * max(
                0.0 if conflict(a, b) else overlap(a, b) for a in said for b in done)
        return float(min(1.0, max(0.0, score)))


def _count(tsg: SceneGraph, thing: list[int]) -> int:
    """How many tracks a text thing may take: the number among its attributes, else 1."""
    words = [w for i in thing for a in text_attributes(tsg, i) for w in a.split()]
    return max((NUMBERS.get(w, 1) for w in words), default=1)


def _assign(scores: np.ndarray, counts: list[int], threshold: float
            ) -> list[tuple[int, int, float]]:
    """One-to-one pairs with the largest total score; ``counts`` repeats a row."""
    from scipy.optimize import linear_sum_assignment
    if not scores.size:
        return []
    owner = np.repeat(np.arange(len(counts)), counts)
    rows, columns = linear_sum_assignment(
        np.where(scores >= threshold, scores, 0.0)[owner], maximize=True)
    return [(int(owner[r]), int(c), float(scores[owner[r], c]))
            for r, c in zip(rows, columns, strict=True) if scores[owner[r], c] >= threshold]


def _predicate_words(graph: SceneGraph, p: int) -> frozenset[str]:
    """Words of a predicate with its adverbs: "move" + "left" and "move left" are the same."""
    words = content_words(graph.nodes[p].label)
    for a in graph.targets(p, 'predicate_attribute'):
        words |= content_words(graph.nodes[a].label)
    return words


def _predicate_similarity(tsg: SceneGraph, p: int, graph: SceneGraph, q: int,
                          converse: bool) -> float:
    own, other = content_words(tsg.nodes[p].label), content_words(graph.nodes[q].label)
    if converse:
        swapped = converse_words(own)
        return 0.95 * overlap(swapped, other) if swapped is not None else 0.0
    if own == other:
        # adverbs still exclude: "moves quickly" is not "move slowly"
        exact = tsg.nodes[p].label == graph.nodes[q].label
        both = (_predicate_words(tsg, p), _predicate_words(graph, q))
        return (1.0 if exact else 0.95) * (0.5 if conflict(*both) else 1.0)
    own, other = _predicate_words(tsg, p), _predicate_words(graph, q)
    if conflict(own, other):
        return 0.0
    return overlap(own, other)


def _same_words(first: str, second: str) -> float:
    one, two = content_words(first), content_words(second)
    return 1.0 if first == second else 0.95 if one == two else 0.0

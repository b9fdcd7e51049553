"""Cross-modal coreference by words: needs no weights (ours).

A text thing and a track are compared by label; colours, sizes and textures, and what the thing
does, then decide between tracks of the same label ("the red circle", "the one that moves left").
A track without a name ("object") needs a colour, say, or a motion that agrees: where it is
("in the pan", "over her head") is not enough.
Things and tracks are paired one to one by the best total score; "two dogs" may take two tracks.
"""

from functools import lru_cache

import numpy as np

from finsta.parsing.matchers.base import (
    Meaning,
    Track,
    View,
    hanging_links,
    holistic,
    link_tracks,
    object_tracks,
    predicate_links,
    text_things,
    views,
)
from finsta.parsing.matchers.words import (
    DIRECTIONS,
    NUMBERS,
    RELATIONS,
    conflict,
    content_words,
    converse_words,
    is_generic,
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
            whose attributes or actions agree; of an unnamed track, relations are no actions.
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
        text, frames = View(tsg), views(dsg)
        things, tracks = text_things(tsg), object_tracks(dsg, frames)
        scores = np.array([[self._score(text, thing, track) for track in tracks]
                           for thing in things]).reshape(len(things), len(tracks))
        pairs = _assign(scores, [_count(text, thing) for thing in things], self.threshold)
        objects = link_tracks(things, tracks, pairs)
        predicates = predicate_links(text, frames, objects, predicate_similarity,
                                     self.predicate_threshold)
        hanging = hanging_links(text, frames, {**objects, **predicates}, _same_words, 0.1)
        return holistic(tsg, dsg, 'LexicalMatcher/1', objects, predicates, hanging)

    def _score(self, text: View, thing: list[int], track: Track) -> float:
        """How well a thing fits a track, in [0, 1]."""
        label = max((label_similarity(text.nodes[i].label, name)
                     for i in thing for name in track.labels), default=0.0)
        if label <= 0.0 or (label <= 0.4 and not self.generic):
            return 0.0
        attributes = [content_words(a) for i in thing for a in text.labels_on(i)]
        # a parser may name the shape as label or as attribute, and the text too
        seen = [content_words(a) for a in (*track.attributes, *track.labels)]
        agreeing = [words for words in attributes if any(words & other for other in seen)]
        said = [_words((text.nodes[p].label, text.labels_on(p)))
                for i in thing for p in text.acts.get(i, ())]
        done = [content_words(a) for a in track.actions]
        if label <= 0.4 and all(map(is_generic, track.labels)) and not agreeing and not any(
                a & b - RELATIONS and not conflict(a, b) for a in said for b in done):
            return 0.0
        score = 0.75 * label
        for words in attributes:
            if words in agreeing:
                score += self.attribute_weight / len(attributes)
            elif any(conflict(words, other) for other in seen):
                score -= 2.0 * self.attribute_weight / len(attributes)
        if not attributes:
            score += 0.5 * self.attribute_weight
        if said and done:
            score += self.action_weight * max(
                0.0 if conflict(a, b) else overlap(a, b) for a in said for b in done)
        return float(min(1.0, max(0.0, score)))


def _count(text: View, thing: list[int]) -> int:
    """How many tracks a text thing may take: the number among its attributes, else 1."""
    words = [w for i in thing for a in text.labels_on(i) for w in a.split()]
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


def _words(meaning: Meaning) -> frozenset[str]:
    """Words of a predicate with its adverbs: "move" + "left" and "move left" are the same."""
    label, adverbs = meaning
    return content_words(label).union(*(content_words(a) for a in adverbs))


@lru_cache(maxsize=1 << 17)
def predicate_similarity(own: Meaning, other: Meaning, converse: bool) -> float:
    """Similarity in [0, 1] of two predicates with their adverbs."""
    said, seen = content_words(own[0]), content_words(other[0])
    if converse:
        swapped = converse_words(said)
        return 0.95 * overlap(swapped, seen) if swapped is not None else 0.0
    excluded = conflict(_words(own), _words(other))
    if said == seen:
        # adverbs still exclude: "moves quickly" is not "move slowly"
        return (1.0 if own[0] == other[0] else 0.95) * (0.5 if excluded else 1.0)
    said, seen = _words(own), _words(other)
    # a direction alone does not make the same predicate: "move right" is not "right of"
    if excluded or not (said & seen) - DIRECTIONS:
        return 0.0
    return overlap(said, seen)


def _same_words(first: str, second: str) -> float:
    one, two = content_words(first), content_words(second)
    return 1.0 if first == second else 0.95 if one == two else 0.0

"""Cross-modal coreference by a frozen encoder (method.md section 1, HSG; the paper uses CLIP).

A text object is compared with a track twice: its phrase with the track's phrase (text-text), and
its phrase with the track's image crops (text-region, mean over frames). The two cosines live in
different ranges (CLIP: about 0.6-0.95 and 0.15-0.35), so each has its own threshold, or pairs are
taken by mutual best match (ours).
"""

from collections.abc import Callable, Sequence
from typing import Any

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
from finsta.registry import MATCHERS, NODE_ENCODERS
from finsta.structures import DynamicSceneGraph, HolisticSceneGraph, SceneGraph

Encoder = Callable[[Sequence[Any]], Any]


@MATCHERS.register_module()
class FrozenSimilarityMatcher:
    """Matches by cosine similarity in a frozen embedding space.

    Args:
        encoder: config of a NODE_ENCODERS module, such a module, or a callable list of strings ->
            (n, D). A module serves by its ``encode_labels``, and by its ``encode_images`` (list of
            (h, w, 3) uint8 RGB crops -> (n, D) in the same space) when it has one.
        region_encoder: the same for image crops where ``encoder`` has no ``encode_images``.
        text_threshold: least cosine of two phrases.
        region_threshold: least cosine of a phrase and a crop.
        predicate_threshold: least text-text cosine of two predicates with coreferent arguments.
        mutual_best: also keep a pair that is each other's best match, whatever the thresholds.
        many: whether a thing may take every track above a threshold; else the best one.
        max_crops: crops of one track that are looked at, spread over its frames.
    """

    def __init__(self, encoder: dict | Encoder | Any, region_encoder: dict | Encoder | None = None,
                 text_threshold: float = 0.85, region_threshold: float = 0.24,
                 predicate_threshold: float = 0.85, mutual_best: bool = False,
                 many: bool = False, max_crops: int = 4) -> None:
        encoder = NODE_ENCODERS.build(encoder) if isinstance(encoder, dict) else encoder
        if isinstance(region_encoder, dict):
            region_encoder = NODE_ENCODERS.build(region_encoder)
        self._labels: Encoder = getattr(encoder, 'encode_labels', encoder)
        self._images: Encoder | None = getattr(encoder, 'encode_images', None)
        if region_encoder is not None:
            self._images = getattr(region_encoder, 'encode_images', region_encoder)
        self.text_threshold, self.region_threshold = text_threshold, region_threshold
        self.predicate_threshold, self.mutual_best = predicate_threshold, mutual_best
        self.many, self.max_crops = many, max_crops
        self._known: dict[str, np.ndarray] = {}

    def match(self, tsg: SceneGraph, dsg: DynamicSceneGraph, video_id: str | None = None,
              frames: Sequence[np.ndarray] | None = None) -> HolisticSceneGraph:
        """The holistic graph.

        Args:
            frames: (H, W, 3) uint8 RGB image of each key frame; without them, or without an
                image encoder, only phrases are compared.

        Raises:
            ValueError: if there are not as many frames as key frames.
        """
        if frames is not None and len(frames) != len(dsg.frames):
            raise ValueError(f'{len(frames)} images for the {len(dsg.frames)} key frames of '
                             f'{video_id or dsg.video!r}')
        text, seen = View(tsg), views(dsg)
        things, tracks = text_things(tsg), object_tracks(dsg, seen)
        objects = {}
        if things and tracks:
            margin = self._object_margins(text, things, tracks, frames)
            objects = link_tracks(things, tracks, self._choose(margin))
        labels = {n.label for g in (tsg, *dsg.frames) for n in g.nodes if n.kind != 'object'}
        self._embed(sorted(labels))
        predicates = predicate_links(text, seen, objects, self._predicate_similarity, 1e-6)
        hanging = hanging_links(text, seen, {**objects, **predicates}, self._label_score, 1e-6)
        return holistic(tsg, dsg, 'FrozenSimilarityMatcher/1', objects, predicates, hanging)

    def _object_margins(self, text: View, things: list[list[int]], tracks: list[Track],
                        frames: Sequence[np.ndarray] | None) -> np.ndarray:
        """(things, tracks) larger of the two cosines, each on the scale of its own threshold.

        0.5 is the threshold, 1 a cosine of 1 (text) or twice the threshold (regions).
        """
        said = np.stack([self._embed([_phrase(text, thing)])[0] for thing in things])
        seen = np.stack([self._embed([_track_phrase(track)])[0] for track in tracks])
        margin = _scaled(said @ seen.T, self.text_threshold, 1.0)
        if frames is None or self._images is None:
            return margin
        shown = np.stack([self._track_image(track, frames, said.shape[1]) for track in tracks])
        return np.maximum(margin, _scaled(said @ shown.T, self.region_threshold,
                                          2.0 * self.region_threshold))

    def _choose(self, margin: np.ndarray) -> list[tuple[int, int, float]]:
        best_track, best_thing = margin.argmax(1), margin.argmax(0)
        keep = np.zeros_like(margin, bool)
        if self.many:
            keep |= margin >= 0.5
        else:
            rows = np.arange(len(margin))
            keep[rows, best_track] = margin[rows, best_track] >= 0.5
        if self.mutual_best:
            for i, j in enumerate(best_track):
                keep[i, j] |= best_thing[j] == i
        return [(int(i), int(j), float(np.clip(margin[i, j], 0.01, 1.0)))
                for i, j in zip(*np.nonzero(keep), strict=True)]

    def _embed(self, labels: Sequence[str]) -> list[np.ndarray]:
        """Unit vectors of labels; each label is encoded once."""
        missing = [s for s in dict.fromkeys(labels) if s not in self._known]
        if missing:
            if len(self._known) > 100_000:
                self._known = {s: self._known[s] for s in labels if s in self._known}
            self._known.update(zip(missing, _unit(self._labels(missing), len(missing)),
                                   strict=True))
        return [self._known[s] for s in labels]

    def _track_image(self, track: Track, frames: Sequence[np.ndarray], width: int) -> np.ndarray:
        """Mean unit vector of crops of a track; zeros if it has no box."""
        boxes = [(t, i) for t, i in track.places if track.boxes.get((t, i)) is not None]
        if not boxes:
            return np.zeros(width, np.float32)
        picks = np.unique(np.linspace(0, len(boxes) - 1, self.max_crops).round().astype(int))
        crops = [_crop(frames[boxes[k][0]], track.boxes[boxes[k]]) for k in picks]
        mean = _unit(self._images(crops), len(crops)).mean(0)
        return mean / max(float(np.linalg.norm(mean)), 1e-9)

    def _label_score(self, first: str, second: str) -> float:
        """Text-text cosine of two labels on the scale of the predicate threshold; 0 below it."""
        one, two = self._embed([first, second])
        scaled = float(_scaled(one @ two, self.predicate_threshold, 1.0))
        return min(1.0, scaled) if scaled >= 0.5 else 0.0

    def _predicate_similarity(self, own: Meaning, other: Meaning, converse: bool) -> float:
        return 0.0 if converse else self._label_score(own[0], other[0])


def _phrase(text: View, thing: list[int]) -> str:
    """Attributes and label of the first mention that has attributes, else of the first one."""
    i = next((i for i in thing if text.hanging.get(i)), thing[0])
    return ' '.join([*text.labels_on(i), text.nodes[i].label])


def _track_phrase(track: Track) -> str:
    return ' '.join([*sorted(track.attributes), track.labels[0]])


def _scaled(cosine: np.ndarray, threshold: float, top: float) -> np.ndarray:
    """Linear, 0.5 at the threshold and 1 at ``top``."""
    return 0.5 + 0.5 * (cosine - threshold) / max(top - threshold, 1e-6)


def _unit(vectors: Any, count: int) -> np.ndarray:
    """(n, D) float32 rows of length 1, from a tensor or an array."""
    if hasattr(vectors, 'detach'):
        vectors = vectors.detach().float().cpu().numpy()
    array = np.asarray(vectors, np.float32)
    if array.ndim != 2 or len(array) != count or not np.isfinite(array).all():
        raise ValueError(f'the encoder must give finite vectors of shape ({count}, D), got shape '
                         f'{array.shape}')
    return array / np.maximum(np.linalg.norm(array, axis=1, keepdims=True), 1e-9)


def _crop(frame: np.ndarray, box: tuple[float, float, float, float]) -> np.ndarray:
    """The box of an image with a tenth of its size around it, at least 2 pixels wide."""
    height, width = frame.shape[:2]
    cx, cy, w, h = box
    x0, x1 = ((cx - 0.6 * w) * width, (cx + 0.6 * w) * width)
    y0, y1 = ((cy - 0.6 * h) * height, (cy + 0.6 * h) * height)
    x0, y0 = int(np.clip(x0, 0, width - 2)), int(np.clip(y0, 0, height - 2))
    x1, y1 = int(np.clip(np.ceil(x1), x0 + 2, width)), int(np.clip(np.ceil(y1), y0 + 2, height))
    return frame[y0:y1, x0:x1]

"""Shortcuts, measured: what a model without video, or with one frame, can get.

``text_only_accuracy``: a softmax regression on the question's bag of words and word pairs,
beside always answering the most frequent answer of the question's kind.
``single_frame_accuracy``: a classifier that sees the gold state of one random frame (places,
sizes, angles, colours, who is lit: more than pixels tell) and says which caption of a minimal
pair is true. numpy only; deterministic.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from finsta.synthvl.minimal_pairs import Pair
from finsta.synthvl.questions import Question
from finsta.synthvl.scene import Scene
from finsta.synthvl.vocabulary import COLOURS


@dataclass(frozen=True)
class Leak:
    """Accuracy of a shortcut on held-out questions of one kind.

    Attributes:
        count: test questions. majority, words: accuracies of the two models.
        chance: 1 / number of answers that occur for this kind in training.
    """

    count: int
    majority: float
    words: float
    chance: float


def text_only_accuracy(train: Sequence[Question], test: Sequence[Question]) -> dict[str, Leak]:
    """Leak per kind of question, and under ``'all'``."""
    table: dict[str, Counter] = defaultdict(Counter)
    for q in train:
        table[q.kind][q.answer] += 1
    seen = Counter(w for q in train for w in _grams(q))
    words = {w: i for i, w in enumerate(sorted(w for w, n in seen.items() if n > 3))}
    answers = {a: i for i, a in enumerate(sorted({q.answer for q in train}))}
    x = np.stack([_bag(q, words) for q in train])
    y = np.array([answers[q.answer] for q in train])
    weights = fit_softmax(x, y, len(answers))
    names = list(answers)
    guesses = [names[i] for i in (np.stack([_bag(q, words) for q in test]) @ weights).argmax(1)]
    rows: dict[str, list[tuple[bool, bool, float]]] = defaultdict(list)
    for q, guess in zip(test, guesses, strict=True):
        common = table[q.kind].most_common(1)
        row = (bool(common) and common[0][0] == q.answer, guess == q.answer,
               1 / max(1, len(table[q.kind])))
        rows[q.kind].append(row)
        rows['all'].append(row)
    return {k: Leak(len(v), *(float(np.mean(c)) for c in zip(*v, strict=True)))
            for k, v in sorted(rows.items())}


def _grams(q: Question) -> list[str]:
    words = q.text.lower().rstrip('?.').replace(',', '').split()
    return [*words, *(' '.join(p) for p in pairwise(words))]


def _bag(q: Question, words: dict[str, int]) -> np.ndarray:
    x = np.zeros(len(words) + 1, np.float32)
    x[-1] = 1
    for w in _grams(q):
        if w in words:
            x[words[w]] = 1
    return x


def fit_softmax(x: np.ndarray, y: np.ndarray, classes: int, steps: int = 80,
                rate: float = 0.5, decay: float = 1e-3) -> np.ndarray:
    """Weights (D, classes) of a softmax regression by full-batch gradient descent with momentum.

    x (N, D) float, y (N,) int.
    """
    weights = np.zeros((x.shape[1], classes), np.float32)
    speed, target = np.zeros_like(weights), np.eye(classes, dtype=np.float32)[y]
    for _ in range(steps):
        z = x @ weights
        p = np.exp(z - z.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        speed = 0.9 * speed - rate * (x.T @ (p - target) / len(x) + decay * weights)
        weights = weights + speed
    return weights


def frame_features(scene: Scene, frame: int, order: Sequence[int]) -> np.ndarray:
    """Gold state of one frame, with the things in a given order, and products of its entries."""
    s, k = scene.states, list(order)
    hue = s.colour[frame, k][:, None] == np.arange(len(COLOURS))
    columns = np.concatenate([
        np.stack([(s.x - 0.5)[frame, k] * 3, (s.y - 0.5)[frame, k] * 3,
                  (s.radius - 0.13)[frame, k] * 10, np.cos(s.angle[frame, k]),
                  np.sin(s.angle[frame, k]), s.lit[frame, k].astype(float)], 1),
        hue], 1).astype(np.float32).ravel()
    core = columns.reshape(len(k), -1)[:, :6].ravel()
    products = np.outer(core, core)[np.triu_indices(len(core))]
    return np.concatenate([columns, products]).astype(np.float32)


def single_frame_accuracy(pairs: Sequence[Pair], rng: np.random.Generator,
                          frames_each: int = 4) -> float:
    """Accuracy (chance 0.5) of telling from one random frame which caption is true.

    One call takes pairs of one factor. A classifier is trained on two thirds of the pairs and
    tested on the rest. Frame features are given from the point of view of the first caption:
    things stand in the order in which that caption names them, the others after.

    Raises:
        ValueError: for pairs of several factors, or fewer than twelve.
    """
    if len({p.factor for p in pairs}) != 1 or len(pairs) < 12:
        raise ValueError(f'{len(pairs)} pairs of factors {sorted({p.factor for p in pairs})}: '
                         'give at least twelve pairs of one factor')
    rows: list[list[tuple[np.ndarray, int]]] = []
    for pair in pairs:
        here = []
        for truth, scene in enumerate(pair.scenes):
            order = _caption_order(pair, scene)
            for frame in rng.integers(scene.num_frames, size=frames_each):
                here.append((frame_features(scene, int(frame), order), truth))
        rows.append(here)
    width = max(len(f) for r in rows for f, _ in r)
    cut = 2 * len(rows) // 3

    def stack(part: list) -> tuple[np.ndarray, np.ndarray]:
        flat = [item for r in part for item in r]
        x = np.zeros((len(flat), width), np.float32)
        for i, (f, _) in enumerate(flat):
            x[i, :len(f)] = f
        return x, np.array([t for _, t in flat])
    x, y = stack(rows[:cut])
    middle, spread = x.mean(0), x.std(0)
    scale = np.where(spread > 1e-3, 1 / np.maximum(spread, 1e-3), 0) / np.sqrt(width)
    weights = fit_softmax((x - middle) * scale, y, 2, rate=1.0)
    x, y = stack(rows[cut:])
    return float((((x - middle) * scale @ weights).argmax(1) == y).mean())


def _caption_order(pair: Pair, scene: Scene) -> list[int]:
    """Things of a scene by the looks that the first caption names, in its order."""
    graph = pair.graphs[0]
    looks = [(n.label, tuple(sorted(graph.nodes[a].label for a in graph.targets(i, 'attribute'))))
             for i, n in enumerate(graph.nodes) if n.kind == 'object']
    left = [t.index for t in scene.things]
    order = []
    for shape, words in looks:
        match = [k for k in left if scene.things[k].shape == shape
                 and (not set(words) & set(COLOURS) or scene.things[k].colour in words)]
        if match:
            order.append(match[0])
            left.remove(match[0])
    return order + left

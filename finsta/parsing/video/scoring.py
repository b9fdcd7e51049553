"""How well a parsed dynamic scene graph agrees with a gold one.

All on the frames that both have (each parsed key frame and the gold frame nearest in time), after
a one-to-one matching of boxes by the Hungarian method with IoU >= 0.5:

- recall and precision of objects; identity F1 of the tracks (motmetrics);
- F1 over the set of (frame, label, subject, object), arguments named by the gold object that
  they are matched to; a statement about an unmatched object is wrong;
- accuracy of the object label and of the attributes, over matched objects.

A relation and its converse say the same, so both sides are brought to "lower number first"; a
one-way relation (``larger than``, ``inside``) is compared in that order only, because SynthVL's
gold lists no other. The protocol is ours.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

import numpy as np

from finsta.parsing.video.builder import box_iou, corner_boxes
from finsta.parsing.video.relations import CONVERSE
from finsta.structures import DynamicSceneGraph, SceneGraph
from finsta.utils.optional import require

ONE_WAY = ('larger than', 'inside')
SPATIAL = (*CONVERSE, *ONE_WAY)


@dataclass
class Score:
    """Counts that add up over videos.

    Attributes:
        count: named counts (gold, found, matched, label, attribute, ...).
        predicates: label -> [both, only parsed, only gold].
        accumulators: one per video, for motmetrics.
    """

    count: Counter = field(default_factory=Counter)
    predicates: dict[str, np.ndarray] = field(
        default_factory=lambda: defaultdict(lambda: np.zeros(3, int)))
    accumulators: list = field(default_factory=list)

    def add(self, gold: DynamicSceneGraph, parsed: DynamicSceneGraph) -> None:
        """Compare one video."""
        mm = require('motmetrics', 'scoring tracks')
        tracks = mm.MOTAccumulator(auto_id=True)
        self.count['videos'] += 1
        for t, s in nearest_frames(gold, parsed):
            self._frame(gold.frames[t], parsed.frames[s], tracks)
        self.accumulators.append(tracks)

    def _frame(self, gold: SceneGraph, parsed: SceneGraph, tracks) -> None:
        a, b = (_objects(g) for g in (gold, parsed))
        iou = box_iou(*(corner_boxes(np.array([g.nodes[i].box for i in rows]).reshape(-1, 4))
                        for g, rows in ((gold, a), (parsed, b))))
        tracks.update([gold.nodes[i].entity for i in a], [parsed.nodes[j].entity for j in b],
                      np.where(iou >= 0.5, 1 - iou, np.nan))
        pairs = match_boxes(iou)
        self.count.update(gold=len(a), parsed=len(b), matched=len(pairs))
        to_gold = {b[j]: gold.nodes[a[i]].entity for i, j in pairs}
        for i, j in pairs:
            self.count['label'] += gold.nodes[a[i]].label == parsed.nodes[b[j]].label
            want, have = ({g.nodes[k].label for k in g.targets(n, 'attribute')}
                          for g, n in ((gold, a[i]), (parsed, b[j])))
            self.count.update(attributes=len(want), attributes_right=len(want & have),
                              attributes_parsed=len(have))
        own = {i: gold.nodes[i].entity for i in a}
        right, said = _statements(gold, own), _statements(parsed, to_gold)
        for label, *_ in right & said:
            self.predicates[label][0] += 1
        for label, *_ in said - right:
            self.predicates[label][1] += 1
        for label, *_ in right - said:
            self.predicates[label][2] += 1

    def summary(self) -> dict[str, float]:
        """Numbers in [0, 1]; NaN where nothing was there to be found."""
        c = self.count
        total = sum(self.predicates.values(), np.zeros(3, int))
        space = sum((v for k, v in self.predicates.items() if k in SPATIAL), np.zeros(3, int))
        return {'object recall': _ratio(c['matched'], c['gold']),
                'object precision': _ratio(c['matched'], c['parsed']),
                'IDF1': self._idf1(), 'predicate F1': f1(total), 'spatial F1': f1(space),
                'event F1': f1(total - space),
                'label accuracy': _ratio(c['label'], c['matched']),
                'attribute recall': _ratio(c['attributes_right'], c['attributes']),
                'attribute precision': _ratio(c['attributes_right'], c['attributes_parsed'])}

    def _idf1(self) -> float:
        mm = require('motmetrics', 'scoring tracks')
        if not self.accumulators:
            return float('nan')
        table = mm.metrics.create().compute_many(
            self.accumulators, metrics=['idtp', 'idfp', 'idfn'], generate_overall=True)
        row = table.loc['OVERALL']
        return _ratio(2 * row['idtp'], 2 * row['idtp'] + row['idfp'] + row['idfn'])


def nearest_frames(gold: DynamicSceneGraph, parsed: DynamicSceneGraph) -> list[tuple[int, int]]:
    """(gold frame, parsed frame) for each parsed key frame; no gold frame twice."""
    if not gold.frames:
        return []
    times = np.array(gold.times)
    out: dict[int, int] = {}
    for s, time in enumerate(parsed.times):
        out.setdefault(int(np.abs(times - time).argmin()), s)
    return sorted(out.items())


def match_boxes(iou: np.ndarray, threshold: float = 0.5) -> list[tuple[int, int]]:
    """One-to-one pairs of the largest total IoU, each at least ``threshold``."""
    from scipy.optimize import linear_sum_assignment
    good = np.where(iou >= threshold, iou, 0.0)
    return [(int(i), int(j)) for i, j in zip(*linear_sum_assignment(-good), strict=True)
            if good[i, j] > 0]


def f1(row: np.ndarray) -> float:
    """From (both, only parsed, only gold)."""
    return _ratio(2 * row[0], 2 * row[0] + row[1] + row[2])


def _ratio(part: float, whole: float) -> float:
    return float(part) / float(whole) if whole else float('nan')


def _objects(graph: SceneGraph) -> list[int]:
    return [i for i in graph.of_kind('object') if graph.nodes[i].box is not None]


def _statements(graph: SceneGraph, names: dict[int, int]) -> set[tuple]:
    """(label, subject, object) with gold numbers; an unmatched argument keeps a place of its own
    that equals nothing."""
    out = set()
    for subject, p, target in graph.triples():
        label = graph.nodes[p].label
        s, o = (None if n is None else names.get(n, ('unmatched', n)) for n in (subject, target))
        if label in SPATIAL and isinstance(s, int) and isinstance(o, int) and s > o:
            if label in ONE_WAY:
                continue
            s, label, o = o, CONVERSE[label], s
        out.add((label, s, o))
    return out

"""Spatial relations between things, per key frame.

Directions compare centres: the larger of the two offsets names the relation, unless both are
small or much alike (a diagonal has no name). Labels and thresholds are ours and are those of the
embedded world. Of a relation and its converse only one is given.
"""

from collections.abc import Sequence

import numpy as np

from finsta.parsing.video.builder import RelationSpan
from finsta.parsing.video.trajectory import Trajectory

CONVERSE = {'left of': 'right of', 'right of': 'left of', 'above': 'below', 'below': 'above',
            'touching': 'touching'}


def spatial_relations(things: Sequence[Trajectory]) -> list[RelationSpan]:
    """Relations of every pair; a's number is below b's for all but inside and larger than."""
    found: dict[tuple[int, str, int], set[int]] = {}
    for a in range(len(things)):
        for b in range(a + 1, len(things)):
            for t in range(max(things[a].first, things[b].first),
                           min(things[a].last, things[b].last) + 1):
                for subject, label, target in _pair(things, a, b, t):
                    found.setdefault((subject, label, target), set()).add(t)
    return [RelationSpan(label, a, b, sorted(frames)) for (a, label, b), frames in found.items()]


def _pair(things: Sequence[Trajectory], a: int, b: int, t: int) -> list[tuple[int, str, int]]:
    (xa, ya, ra), (xb, yb, rb) = ((*things[k].xy[things[k].at(t)],
                                   things[k].steady_radius[things[k].at(t)]) for k in (a, b))
    dx, dy = xa - xb, ya - yb
    gap = float(np.hypot(dx, dy))
    if gap + min(ra, rb) < max(ra, rb):
        return [(a, 'inside', b) if ra < rb else (b, 'inside', a)]
    out = []
    name = direction(dx, dy)
    if name is not None:
        out.append((a, name, b))
    if gap < 0.9 * (ra + rb):
        out.append((a, 'touching', b))
    if max(ra, rb) > 1.27 * min(ra, rb):
        out.append((a, 'larger than', b) if ra > rb else (b, 'larger than', a))
    return out


def direction(dx: float, dy: float) -> str | None:
    """Name of the offset of a from b, y downwards, or None."""
    large, small = max(abs(dx), abs(dy)), min(abs(dx), abs(dy))
    if large < 0.1 or small > 0.75 * large:
        return None
    if abs(dx) > abs(dy):
        return 'left of' if dx < 0 else 'right of'
    return 'above' if dy < 0 else 'below'

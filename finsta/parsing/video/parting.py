"""Regions that touch are parted by what their parts were just before (and just after).

One pass over the frames in order carries every thing on; where one region covers several carried
things, its pixels are given out by colour and place. A second pass runs backwards in time, for
things that touch in the first frames. Ours.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from finsta.parsing.video.regions import Region, part_region


@dataclass
class _Carried:
    box: np.ndarray
    histogram: np.ndarray
    velocity: np.ndarray
    area: float
    age: int = 1
    missed: int = 0

    @property
    def expected(self) -> np.ndarray:
        """Corner box in the next frame."""
        step = self.velocity * (1 + self.missed)
        return self.box + np.concatenate([step, step])


def part_merged(frames: Sequence[list[Region]], cells: Sequence[np.ndarray], min_area: int,
                min_age: int = 2, max_missed: int = 4) -> list[list[Region]]:
    """Regions of every frame with merged ones parted.

    Args:
        frames: regions per frame; cells: (H, W) colour cells per frame.
        min_age: a thing must have been seen apart in so many frames to be parted later.
        max_missed: frames a hidden thing is expected to come out again.
    """
    forward = _sweep(list(frames), list(cells), min_area, min_age, max_missed)
    back = _sweep(forward[::-1], list(cells)[::-1], min_area, min_age, max_missed)
    return back[::-1]


def _sweep(frames: list[list[Region]], cells: list[np.ndarray], min_area: int, min_age: int,
           max_missed: int) -> list[list[Region]]:
    carried: list[_Carried] = []
    out = []
    for regions, cell in zip(frames, cells, strict=True):
        owners: dict[int, list[_Carried]] = {}
        for thing in carried:
            best = _home(thing, regions)
            if best is not None:
                owners.setdefault(best, []).append(thing)
        now: list[Region] = []
        alive: list[_Carried] = []
        for k, region in enumerate(regions):
            things = owners.get(k, [])
            pieces = _divide(region, things, cell, min_area, min_age)
            if pieces is None:
                now.append(region)
                alive.append(_carry(region, things))
                continue
            for thing, piece in zip(things, pieces, strict=True):
                if piece is not None:
                    # a sliver's own colours are mostly those of its rim
                    piece = replace(piece, histogram=thing.histogram)
                    now.append(piece)
                    alive.append(_go_on(thing, piece))
                elif thing.missed < max_missed:
                    thing.missed += 1
                    alive.append(thing)
        out.append(now)
        carried = alive
    return out


def _home(thing: _Carried, regions: list[Region]) -> int | None:
    """The region that covers most of the place where a thing is expected."""
    best, most = None, 0.3
    x1, y1, x2, y2 = thing.expected
    for k, region in enumerate(regions):
        a1, b1, a2, b2 = region.box
        low = int(max(x1, a1) - a1), int(max(y1, b1) - b1)
        high = int(min(x2, a2) - a1), int(min(y2, b2) - b1)
        if high[0] <= low[0] or high[1] <= low[1]:
            continue
        inside = region.mask[low[1]:high[1], low[0]:high[0]].sum()
        share = inside / max(min(thing.area, region.area), 1)
        if share > most:
            best, most = k, share
    return best


def _divide(region: Region, things: list[_Carried], cell: np.ndarray, min_area: int,
            min_age: int) -> list[Region | None] | None:
    old = [t for t in things if t.age >= min_age]
    if len(old) < 2 or len(old) != len(things):
        return None
    if region.area < 1.12 * max(t.area for t in old) and len({id(t) for t in old}) > 1:
        # no larger than one alone: the other is hidden behind it, or they are crumbs of one
        apart = max(_unlike(a, b) for a in old for b in old)
        if apart < 0.5:
            return None
    pieces = part_region(region, [t.expected for t in old], [t.histogram for t in old], cell,
                         min_area)
    return pieces if any(p is not None for p in pieces) else None


def _unlike(a: _Carried, b: _Carried) -> float:
    return 1.0 - float(np.minimum(a.histogram, b.histogram).sum())


def _carry(region: Region, things: list[_Carried]) -> _Carried:
    if len(things) != 1:
        return _Carried(region.box, region.histogram, np.zeros(2), float(region.area))
    return _go_on(things[0], region)


def _go_on(thing: _Carried, region: Region) -> _Carried:
    moved = (region.box[:2] + region.box[2:] - thing.box[:2] - thing.box[2:]) / 2
    moved = moved / (1 + thing.missed)
    if region.cut:
        # a part's box and colours are guesses: trust the memory more
        size = (thing.box[2:] - thing.box[:2]) / 2
        centre = (region.box[:2] + region.box[2:]) / 2
        whole = region.area > 0.75 * thing.area
        box = region.box if whole else np.concatenate([centre - size, centre + size])
        return _Carried(box, thing.histogram, 0.5 * (thing.velocity + moved),
                        max(float(region.area), 0.98 * thing.area), thing.age + 1)
    histogram = 0.5 * (thing.histogram + region.histogram)
    return _Carried(region.box, histogram, 0.5 * (thing.velocity + moved), float(region.area),
                    thing.age + 1)

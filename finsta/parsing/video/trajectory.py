"""What a tracked thing does over the key frames, as arrays: the input of events and relations.

Lengths are in units of the frame's shorter side, so that thresholds hold at any size.
"""

from dataclasses import dataclass, replace

import numpy as np

from finsta.parsing.video.appearance import (
    COLOUR_NAMES,
    enclosing_circle,
    inner_pixels,
    main_colour,
    name_colours,
    polar,
    second_colour,
    turned,
)
from finsta.parsing.video.regions import Region

WHITE = COLOUR_NAMES.index('white')


@dataclass
class Trajectory:
    """One thing; K = last - first + 1 frames, gaps filled by interpolation.

    Attributes:
        first: its first key frame.
        box: (K, 4) corner boxes in pixels.
        xy: (K, 2) centre of the enclosing circle; radius: (K,) of that circle.
        area: (K,) mask pixels, interpolated; visible: (K,) the same before anything hidden was
            filled in.
        steady_radius: (K,) radius, medians over five frames.
        seen: (K,) True where detected; cut: (K,) True where its outline is not its own (frame
            edge, overlap) or it was not seen; edge: (K,) True where it touches the frame's edge.
        colour: (K,) index into COLOUR_NAMES; main: (K, 3) Lab.
        striped: share of a second colour, median over some frames.
        turn: (K,) degrees it turned since the frame before.
        masks: the largest few whole masks, for the shape.
    """

    first: int
    box: np.ndarray
    xy: np.ndarray
    radius: np.ndarray
    area: np.ndarray
    visible: np.ndarray
    steady_radius: np.ndarray
    seen: np.ndarray
    cut: np.ndarray
    edge: np.ndarray
    colour: np.ndarray
    main: np.ndarray
    striped: float
    turn: np.ndarray
    masks: list[np.ndarray]

    @property
    def last(self) -> int:
        """Its last key frame."""
        return self.first + len(self.box) - 1

    def at(self, frames: np.ndarray) -> np.ndarray:
        """Indices of key frames into the arrays."""
        return np.asarray(frames) - self.first

    def moved(self, shift: np.ndarray) -> 'Trajectory':
        """A copy whose centres are shifted by (num_frames, 2) per key frame."""
        return replace(self, xy=self.xy + shift[self.first:self.last + 1])

    def lasting_colours(self) -> np.ndarray:
        """(K,) colour indices without those that hold for less than a fifth of its frames.

        A short-lived colour (a flash, a half-hidden view) is replaced by the lasting one before
        it, or else after it.
        """
        count = np.bincount(self.colour, minlength=len(COLOUR_NAMES))
        if 0.3 * len(self.colour) <= len(self.colour) - count[WHITE]:
            count[WHITE] = 0  # a flash, however often
        keep = count[self.colour] >= max(2, 0.2 * len(self.colour))
        if not keep.any():
            return np.full(len(self.colour), count.argmax())
        index = np.where(keep, np.arange(len(keep)), -1)
        index = np.maximum.accumulate(index)
        return self.colour[np.where(index < 0, int(np.argmax(keep)), index)]

    def covers(self, frame: int) -> bool:
        """Whether it exists in a key frame."""
        return self.first <= frame <= self.last


def make_trajectory(members: list[tuple[int, Region]], lab: np.ndarray) -> Trajectory:
    """From the (frame, region) pairs of a track and the clip's Lab frames (n, H, W, 3)."""
    short = min(lab.shape[1:3])
    frames = np.array([t for t, _ in members])
    rows, patches, stripes = [], [], []
    for t, region in members:
        x, y = region.box[:2].astype(int)
        h, w = region.mask.shape
        pixels = lab[t, y:y + h, x:x + w]
        cx, cy, radius = enclosing_circle(region.mask)
        inner = inner_pixels(pixels, region.mask)
        rows.append((*region.box, (x + cx) / short, (y + cy) / short, radius / short,
                     region.area, *main_colour(inner)))
        patches.append(polar(pixels, region.mask, (cx, cy), radius))
        # texture does not change: eight looks do
        if len(stripes) * len(members) <= 8 * len(patches):
            stripes.append(second_colour(inner))
    values = np.array(rows)
    span = np.arange(frames[0], frames[-1] + 1)
    full = np.stack([np.interp(span, frames, column) for column in values.T], 1)
    seen = np.isin(span, frames)
    cut = ~seen
    cut[frames - frames[0]] |= [region.cut for _, region in members]
    edge = np.zeros(len(span), bool)
    edge[frames - frames[0]] = [region.edge for _, region in members]
    visible = full[:, 7].copy()
    _rigid(full, cut)
    _whole_radius(full, cut)
    turn = np.zeros(len(span))
    for k in range(1, len(members)):
        if frames[k] == frames[k - 1] + 1 and not (members[k][1].cut or members[k - 1][1].cut):
            turn[frames[k] - frames[0]] = turned(patches[k - 1], patches[k])
    whole = [r for _, r in members if not r.cut] or [r for _, r in members]
    whole = sorted(whole, key=lambda r: -r.area)
    main = full[:, 8:]
    main[~seen] = main[np.maximum.accumulate(np.where(seen, np.arange(len(span)), 0))][~seen]
    padded = np.pad(full[:, 6], 2, mode='edge')
    steady = np.median(np.lib.stride_tricks.sliding_window_view(padded, 5), 1)
    return Trajectory(int(frames[0]), full[:, :4], full[:, 4:6], full[:, 6], full[:, 7], visible,
                      steady, seen, cut, edge, name_colours(main), main,
                      float(np.median(stripes)), turn,
                      [r.mask for r in whole[:max(1, min(8, len(whole)))]])


def _rigid(full: np.ndarray, cut: np.ndarray, limit: int = 12) -> None:
    """Where a thing is half hidden between two whole views, take place and size from those.

    Only where what is seen is much smaller than the views before and after: pushing things are
    parted, too, but whole.
    """
    whole = np.flatnonzero(~cut)
    for k in np.flatnonzero(cut):
        before, after = whole[whole < k], whole[whole > k]
        if not len(before) or not len(after) or after[0] - before[-1] > limit:
            continue
        a, b = before[-1], after[0]
        part = (k - a) / (b - a)
        expected = (1 - part) * full[a] + part * full[b]
        if full[k, 7] < 0.8 * expected[7]:
            full[k, :8] = expected[:8]


def _whole_radius(full: np.ndarray, cut: np.ndarray) -> None:
    """Where the outline is not its own, the radius is that of the nearest whole views."""
    whole = np.flatnonzero(~cut)
    if len(whole):
        full[cut, 6] = np.interp(np.flatnonzero(cut), whole, full[whole, 6])


def colour_name(index: int) -> str:
    """Word of a colour index."""
    return COLOUR_NAMES[int(index)]

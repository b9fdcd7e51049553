"""Foreground masks -> regions of each frame, and the parting of regions that touch."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from finsta.utils.optional import require

# cells of Lab space for colour histograms: L in 4, a and b in 10 each
_CELLS = (4, 10, 10)
NUM_CELLS = _CELLS[0] * _CELLS[1] * _CELLS[2]


@dataclass
class Region:
    """A connected piece of foreground.

    Attributes:
        box: (4,) corner box in pixels, float, right and bottom exclusive.
        mask: (h, w) bool, the piece inside its box.
        histogram: (NUM_CELLS,) colours, sums to 1.
        cut: it touches the frame's edge, or was parted from another: its outline is not its own.
        edge: it touches the frame's edge.
    """

    box: np.ndarray
    mask: np.ndarray
    histogram: np.ndarray
    cut: bool = False
    edge: bool = False

    @property
    def area(self) -> int:
        """Pixels."""
        return int(self.mask.sum())


def colour_cells(lab: np.ndarray) -> np.ndarray:
    """(..., 3) Lab -> (...) cell index for histograms."""
    light = np.clip(lab[..., 0] / 25.0, 0, 3).astype(np.int64)
    a = np.clip((lab[..., 1] + 100) / 20.0, 0, 9).astype(np.int64)
    b = np.clip((lab[..., 2] + 100) / 20.0, 0, 9).astype(np.int64)
    return (light * _CELLS[1] + a) * _CELLS[2] + b


def find_regions(mask: np.ndarray, cells: np.ndarray, min_area: int, max_regions: int,
                 close: int = 3) -> list[Region]:
    """Connected pieces of one frame, largest first.

    Args:
        mask: (H, W) bool foreground.
        cells: (H, W) from :func:`colour_cells`.
        min_area: smaller pieces are dropped.
        max_regions: at most so many.
        close: side of the closing element that joins crumbs; 0: none.
    """
    cv2 = require('cv2', 'the motion parser')
    clean = mask.astype(np.uint8)
    if close:
        clean = cv2.morphologyEx(clean, cv2.MORPH_CLOSE, np.ones((close, close), np.uint8))
    clean = cv2.morphologyEx(clean, cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    count, ids, stats, _ = cv2.connectedComponentsWithStats(clean, connectivity=8)
    order = sorted(range(1, count), key=lambda k: -stats[k, cv2.CC_STAT_AREA])
    out = []
    for k in order[:max_regions]:
        x, y, w, h, area = (int(v) for v in stats[k])
        if area < min_area:
            break
        piece = ids[y:y + h, x:x + w] == k
        out.append(make_region(piece, x, y, cells, mask.shape))
    return out


def make_region(piece: np.ndarray, x: int, y: int, cells: np.ndarray, shape: tuple[int, ...],
                cut: bool = False) -> Region:
    """A region from its mask inside the box at (x, y)."""
    h, w = piece.shape
    edge = x <= 0 or y <= 0 or x + w >= shape[1] or y + h >= shape[0]
    inside = cells[y:y + h, x:x + w][piece]
    histogram = np.bincount(inside, minlength=NUM_CELLS) / max(len(inside), 1)
    return Region(np.array([x, y, x + w, y + h], np.float64), piece, histogram, cut or edge, edge)


def split_by_hue(region: Region, lab: np.ndarray, cells: np.ndarray, min_area: int,
                 share: float = 0.12) -> list[Region]:
    """Part a region into pieces of clearly different hue, each in one lump.

    Light and dark bands of one hue (a striped thing) stay together; grey pixels go to the nearest
    piece. A piece whose border with another is short keeps its outline (``cut`` stays False).

    Args:
        lab: (H, W, 3); cells: (H, W) colour cells of the frame.
        share: smallest share of the region's pixels that makes a piece.
    """
    cv2 = require('cv2', 'the motion parser')
    x, y = region.box[:2].astype(int)
    h, w = region.mask.shape
    ab = lab[y:y + h, x:x + w, 1:]
    chroma = np.hypot(ab[..., 0], ab[..., 1])
    vivid = region.mask & (chroma > 15)
    if vivid.sum() < 2 * min_area:
        return [region]
    hue = np.degrees(np.arctan2(ab[..., 1], ab[..., 0])) % 360
    peaks = _hue_peaks(hue[vivid], chroma[vivid], share)
    if len(peaks) < 2:
        return [region]
    off = np.abs((hue[..., None] - np.array(peaks) + 180) % 360 - 180)
    owner = np.where(vivid, off.argmin(-1), -1)
    pieces = [_largest(owner == k) for k in range(len(peaks))]
    sizes = [(p is not None and p.sum() >= max(min_area, 0.6 * (owner == k).sum()))
             for k, p in enumerate(pieces)]
    pieces = [p for p, good in zip(pieces, sizes, strict=True) if good]
    if len(pieces) < 2:
        return [region]
    far = np.stack([cv2.distanceTransform((~p).astype(np.uint8), cv2.DIST_L2, 3)
                    for p in pieces])
    owner = np.where(region.mask, far.argmin(0), -1)
    out = []
    for k in range(len(pieces)):
        piece = _largest(owner == k)
        if piece is None or piece.sum() < min_area:
            continue
        others = cv2.dilate(((owner >= 0) & (owner != k)).astype(np.uint8), np.ones((3, 3)))
        contact = (piece & (others > 0)).sum()
        out.append(_tighten(piece, x, y, cells, bool(contact > 0.5 * np.sqrt(piece.sum()))))
    return out if len(out) > 1 else [region]


def sharpen(region: Region, strength: np.ndarray, cells: np.ndarray, min_area: int) -> Region:
    """Cut away the halo that compression leaves: what is less than half as strong as the inside.

    Kept as it is where that would break the region up (dark stripes) or leave too little.

    Args:
        strength: (H, W) distance from the background.
    """
    cv2 = require('cv2', 'the motion parser')
    x, y = region.box[:2].astype(int)
    h, w = region.mask.shape
    inside = strength[y:y + h, x:x + w]
    level = float(np.percentile(inside[region.mask], 75))
    for share in (0.5, 0.3):
        keep = (region.mask & (inside > share * level)).astype(np.uint8)
        count, ids, stats, _ = cv2.connectedComponentsWithStats(keep, connectivity=4)
        areas = stats[1:, cv2.CC_STAT_AREA]
        if count < 2 or areas.max() < max(min_area, 0.85 * areas.sum()):
            continue
        best = 1 + int(areas.argmax())
        if areas.max() >= 0.45 * region.area:
            return _tighten(ids == best, x, y, cells, region.cut)
    return region


def _hue_peaks(hue: np.ndarray, weight: np.ndarray, share: float) -> list[float]:
    """Hues in degrees that each gather ``share`` of the weight within 20 degrees, 36 apart."""
    count = np.bincount((hue / 6).astype(int) % 60, weight, 60)
    window = sum(np.roll(count, k) for k in range(-3, 4))
    peaks: list[float] = []
    for k in np.argsort(-window, kind='stable'):
        if window[k] < share * count.sum():
            break
        place = 6.0 * k + 3
        if all(abs((place - q + 180) % 360 - 180) >= 36 for q in peaks):
            peaks.append(place)
    return peaks[:4]


def _tighten(piece: np.ndarray, x: int, y: int, cells: np.ndarray, cut: bool) -> Region:
    """A region from a mask that may be smaller than its array at (x, y)."""
    rows, cols = np.flatnonzero(piece.any(1)), np.flatnonzero(piece.any(0))
    tight = piece[rows[0]:rows[-1] + 1, cols[0]:cols[-1] + 1]
    return make_region(tight, int(x + cols[0]), int(y + rows[0]), cells, cells.shape, cut)


def part_region(region: Region, boxes: Sequence[np.ndarray], histograms: Sequence[np.ndarray],
                cells: np.ndarray, min_area: int) -> list[Region | None]:
    """Give each pixel of a merged region to the thing it fits by colour and place.

    Args:
        region: one piece that several things share.
        boxes, histograms: where each thing is expected (corner box) and its colours.
        cells: (H, W) colour cells of the frame.

    Returns:
        One region per thing, or None where fewer than ``min_area`` pixels are left to it.
    """
    x, y = region.box[:2].astype(int)
    h, w = region.mask.shape
    inside = cells[y:y + h, x:x + w]
    ys, xs = np.mgrid[y:y + h, x:x + w] + 0.5
    score = []
    for box, histogram in zip(boxes, histograms, strict=True):
        half = np.maximum((box[2:] - box[:2]) / 2, 1.0)
        centre = (box[:2] + box[2:]) / 2
        off = np.maximum(np.abs(xs - centre[0]) / half[0], np.abs(ys - centre[1]) / half[1])
        score.append(np.log(histogram[inside] + 0.02) - 2.0 * np.square(off))
    owner = np.argmax(score, 0)
    out: list[Region | None] = []
    for k in range(len(boxes)):
        piece = _largest((owner == k) & region.mask)
        if piece is None or piece.sum() < min_area:
            out.append(None)
            continue
        out.append(_tighten(piece, x, y, cells, True))
    return out


def _largest(mask: np.ndarray) -> np.ndarray | None:
    cv2 = require('cv2', 'the motion parser')
    opened = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    count, ids, stats, _ = cv2.connectedComponentsWithStats(opened, connectivity=4)
    if count < 2:
        return None
    return ids == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))

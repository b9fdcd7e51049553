"""Colour name, texture and size of regions. Names and prototypes are ours.

A colour is named after the nearest prototype in CIE Lab, lightness counting less than hue: a
shaded thing keeps its name.
"""

from functools import lru_cache

import numpy as np

from finsta.utils.optional import require

# several prototypes a name: a dark and a light one where people use one word for both
PALETTE = {
    'red': ((220, 35, 40), (150, 20, 25)), 'orange': ((250, 145, 10), (240, 120, 40)),
    'yellow': ((250, 230, 50), (215, 190, 40)), 'green': ((35, 165, 60), (20, 95, 35),
                                                          (120, 210, 90)),
    'cyan': ((60, 215, 225), (30, 160, 170)), 'blue': ((40, 75, 225), (20, 35, 120),
                                                       (70, 130, 230)),
    'purple': ((140, 50, 180), (90, 30, 120)), 'pink': ((255, 140, 195), (235, 90, 160)),
    'brown': ((120, 75, 40), (80, 50, 30)), 'black': ((15, 15, 15),),
    'gray': ((128, 128, 128), (80, 80, 80), (180, 180, 180)), 'white': ((250, 250, 250),),
}
COLOUR_NAMES = tuple(PALETTE)
_LIGHTNESS_WEIGHT = 0.6


@lru_cache(maxsize=1)
def _prototypes() -> tuple[np.ndarray, np.ndarray]:
    """(P, 3) weighted Lab prototypes and (P,) index into ``COLOUR_NAMES``."""
    cv2 = require('cv2', 'the motion parser')
    rgb = [c for group in PALETTE.values() for c in group]
    owner = [i for i, group in enumerate(PALETTE.values()) for _ in group]
    lab = cv2.cvtColor(np.array([rgb], np.float32) / 255, cv2.COLOR_RGB2LAB)[0]
    return lab * (_LIGHTNESS_WEIGHT, 1, 1), np.array(owner)


def name_colours(lab: np.ndarray) -> np.ndarray:
    """(N, 3) Lab -> (N,) index into ``COLOUR_NAMES``."""
    prototypes, owner = _prototypes()
    lab = np.asarray(lab, np.float64).reshape(-1, 3) * (_LIGHTNESS_WEIGHT, 1, 1)
    return owner[np.linalg.norm(lab[:, None] - prototypes[None], axis=-1).argmin(1)]


def describe(lab: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Main colour of a region, how striped it is, and its mean colour's lightness.

    Args:
        lab: (h, w, 3) Lab of the region's box; mask: (h, w) bool.

    Returns:
        (3,) Lab of the main colour: of the two commonest colours the more saturated one; the
        share of the pixels that the other one has (0 when there is no clear second); lightness.
    """
    cv2 = require('cv2', 'the motion parser')
    inner = cv2.erode(np.pad(mask.astype(np.uint8), 1), np.ones((3, 3), np.uint8))[1:-1, 1:-1] > 0
    pixels = lab[inner] if inner.sum() >= 12 else lab[mask]
    if not len(pixels):
        return np.zeros(3), 0.0, 0.0
    first = np.median(pixels, 0)
    far = np.linalg.norm(pixels - first, axis=1)
    low, high = first, pixels[far.argmax()]
    for _ in range(4):
        near_low = (np.linalg.norm(pixels - low, axis=1)
                    <= np.linalg.norm(pixels - high, axis=1))
        if near_low.all() or not near_low.any():
            return first, 0.0, float(pixels[:, 0].mean())
        low, high = pixels[near_low].mean(0), pixels[~near_low].mean(0)
    if np.linalg.norm(low - high) < 14.0:
        return first, 0.0, float(pixels[:, 0].mean())
    share = float((~near_low).mean())
    main, other = (low, share) if np.hypot(*low[1:]) >= np.hypot(*high[1:]) else (high, 1 - share)
    if min(share, 1 - share) < 0.12:
        main, other = (low, 0.0) if share < 0.5 else (high, 0.0)
    return main, other, float(pixels[:, 0].mean())


def enclosing_circle(mask: np.ndarray) -> tuple[float, float, float]:
    """(x, y, radius) in pixels of the smallest circle around a mask: blind to rotation."""
    cv2 = require('cv2', 'the motion parser')
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL,
                                   cv2.CHAIN_APPROX_NONE)
    if not contours:
        return mask.shape[1] / 2, mask.shape[0] / 2, 0.0
    (x, y), radius = cv2.minEnclosingCircle(np.concatenate(contours))
    return x + 0.5, y + 0.5, radius + 0.5


def patch(lab: np.ndarray, mask: np.ndarray, centre: tuple[float, float], radius: float,
          side: int = 17) -> np.ndarray:
    """(side, side) lightness inside a mask's enclosing circle, 0 outside: what rotation changes.

    ``lab`` (h, w, 3) and ``mask`` (h, w) share the box; centre and radius from
    :func:`enclosing_circle`.
    """
    cv2 = require('cv2', 'the motion parser')
    inside = lab[..., 0][mask]
    value = np.where(mask, 1.0 + 0.01 * (lab[..., 0] - (inside.mean() if len(inside) else 0)), 0)
    scale = side / max(2 * radius, 1.0)
    move = np.array([[scale, 0, side / 2 - scale * centre[0]],
                     [0, scale, side / 2 - scale * centre[1]]])
    return cv2.warpAffine(value.astype(np.float32), move, (side, side), flags=cv2.INTER_AREA)

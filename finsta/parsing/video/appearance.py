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
NUM_ANGLES = 72


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


def inner_pixels(lab: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """(P, 3) Lab of the pixels two away from the outline, one where few are left, else all."""
    cv2 = require('cv2', 'the motion parser')
    shrunk = np.pad(mask.astype(np.uint8), 2)
    kept = mask
    for _ in range(2):
        shrunk = cv2.erode(shrunk, np.ones((3, 3), np.uint8))
        if shrunk.sum() < 24:
            break
        kept = shrunk[2:-2, 2:-2] > 0
    return lab[kept]


def main_colour(pixels: np.ndarray) -> np.ndarray:
    """(P, 3) Lab -> (3,): the median of the more saturated half, so that dark bands do not mix
    in."""
    if not len(pixels):
        return np.zeros(3)
    chroma = np.hypot(pixels[:, 1], pixels[:, 2])
    return np.median(pixels[chroma >= np.median(chroma)], 0)


def second_colour(pixels: np.ndarray) -> float:
    """Share of the pixels that a clearly different second colour has, in [0, 0.5]."""
    if len(pixels) < 8:
        return 0.0
    low = np.median(pixels, 0)
    high = pixels[np.square(pixels - low).sum(1).argmax()]
    for _ in range(4):
        near_low = (np.square(pixels - low).sum(1) <= np.square(pixels - high).sum(1))
        if near_low.all() or not near_low.any():
            return 0.0
        low, high = pixels[near_low].mean(0), pixels[~near_low].mean(0)
    share = float((~near_low).mean())
    return 0.0 if np.linalg.norm(low - high) < 18.0 else min(share, 1 - share)


def enclosing_circle(mask: np.ndarray) -> tuple[float, float, float]:
    """(x, y, radius) in pixels of the smallest circle around a mask: blind to rotation."""
    cv2 = require('cv2', 'the motion parser')
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL,
                                   cv2.CHAIN_APPROX_NONE)
    if not contours:
        return mask.shape[1] / 2, mask.shape[0] / 2, 0.0
    (x, y), radius = cv2.minEnclosingCircle(np.concatenate(contours))
    return x + 0.5, y + 0.5, radius + 0.5


def polar(lab: np.ndarray, mask: np.ndarray, centre: tuple[float, float], radius: float
          ) -> np.ndarray:
    """(72, 8) pattern around the centre of the enclosing circle, by angle and by radius.

    Mask plus a little lightness, so that both an outline and stripes show a rotation.
    ``lab`` (h, w, 3) and ``mask`` (h, w) share the box.
    """
    cv2 = require('cv2', 'the motion parser')
    inside = lab[..., 0][mask]
    value = np.where(mask, 1.0 + 0.01 * (lab[..., 0] - (inside.mean() if len(inside) else 0)), 0)
    value = np.pad(value.astype(np.float32), 2)
    return cv2.warpPolar(value, (8, NUM_ANGLES), (centre[0] + 1.5, centre[1] + 1.5),
                         max(1.05 * radius, 1.0), cv2.INTER_LINEAR | cv2.WARP_FILL_OUTLIERS)


def turned(before: np.ndarray, now: np.ndarray, gain: float = 0.12) -> float:
    """Degrees between two patterns of :func:`polar`, 0 where no rotation explains them better.

    Args:
        gain: share of the angular variance that the rotation must explain beyond standing still.
    """
    a, b = (p - p.mean(0, keepdims=True) for p in (before, now))
    energy = float(np.sqrt((a * a).sum() * (b * b).sum()))
    if energy < 0.01 * before.size:
        return 0.0
    spectrum = np.conj(np.fft.rfft(a, axis=0)) * np.fft.rfft(b, axis=0)
    match = np.fft.irfft(spectrum.sum(1), NUM_ANGLES)
    best = int(match.argmax())
    if match[best] - match[0] < gain * energy or match[best] < 0.5 * energy:
        return 0.0
    return float((best + NUM_ANGLES / 2) % NUM_ANGLES - NUM_ANGLES / 2) * 360 / NUM_ANGLES

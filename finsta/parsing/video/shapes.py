"""Shape names from outlines: a small classifier learned from shapes this file draws itself.

Features of a mask: circularity, solidity, fill of the smallest rectangle and its aspect, share of
holes, corners of the polygon that approximates the outline, and the magnitudes of the Fourier
series of the radius around the centroid (unchanged by position, size, rotation and mirroring).
The prototypes are drawn at many sizes and rotations as polygons given in the table below; a mask
gets the name of the nearest class under one shared covariance (linear discriminant), or none
when it is far from every class. All of it is ours; nothing is read from disk.
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from finsta.utils.optional import require

_HARMONICS = 10
UNKNOWN = 'object'


def outline(name: str, vary: Callable[[float, float], float] | None = None) -> list[np.ndarray]:
    """Rings of one shape around 0, radius about 1; a second ring is a hole.

    Args:
        name: one of ``KNOWN_SHAPES``.
        vary: ``vary(low, high)`` chooses a free proportion (arm of a cross, hole of a ring);
            None: the middle.
    """
    pick = vary or (lambda low, high: (low + high) / 2)
    if name == 'ellipse':
        return [_regular(48) * (1.0, pick(0.5, 0.72))]
    if name == 'ring':
        return [_regular(48), pick(0.4, 0.7) * _regular(48)]
    if name == 'star':
        return [_star(5, pick(0.37, 0.5))]
    if name == 'cross':
        a = pick(0.24, 0.4)
        return [np.array([(-a, -1), (a, -1), (a, -a), (1, -a), (1, a), (a, a), (a, 1), (-a, 1),
                          (-a, a), (-1, a), (-1, -a), (-a, -a)])]
    if name == 'rectangle':
        half = pick(0.4, 0.65)
        return [np.array([(-1, -half), (1, -half), (1, half), (-1, half)])]
    if name == 'diamond':
        half = pick(0.45, 0.75)
        return [np.array([(0, -1), (half, 0), (0, 1), (-half, 0)])]
    if name == 'heart':
        t = np.linspace(0, 2 * np.pi, 64, endpoint=False)
        x = np.sin(t) ** 3
        y = -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)) / 16
        return [np.stack([x, pick(0.9, 1.1) * y], 1)]
    sides = {'circle': 48, 'triangle': 3, 'square': 4, 'pentagon': 5, 'hexagon': 6}
    if name not in sides:
        raise ValueError(f'shape {name!r} cannot be drawn; known: {KNOWN_SHAPES}')
    return [_regular(sides[name])]


KNOWN_SHAPES = ('circle', 'square', 'triangle', 'star', 'cross', 'heart', 'ring', 'diamond',
                'pentagon', 'hexagon', 'ellipse', 'rectangle')


def _regular(sides: int) -> np.ndarray:
    turn = 2 * np.pi * np.arange(sides) / sides - np.pi / 2
    return np.stack([np.cos(turn), np.sin(turn)], 1)


def _star(points: int, inner: float) -> np.ndarray:
    ring = _regular(2 * points)
    ring[1::2] *= inner
    return ring


def draw(name: str, radius: float, angle: float, shift: tuple[float, float] = (0.0, 0.0),
         vary: Callable[[float, float], float] | None = None, level: int = 110) -> np.ndarray:
    """(S, S) bool mask of a shape; radius in pixels, angle in radians.

    A pixel is in when more than ``level`` of 255 of it is covered.
    """
    cv2 = require('cv2', 'the motion parser')
    side = int(2 * radius * 1.5 + 6)
    canvas = np.zeros((side * 4, side * 4), np.uint8)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    for k, ring in enumerate(outline(name, vary)):
        points = (ring @ turn.T * radius + side / 2 + np.asarray(shift)) * 4
        cv2.fillPoly(canvas, [points.round().astype(np.int32)], 0 if k else 255)
    return cv2.resize(canvas, (side, side), interpolation=cv2.INTER_AREA) > level


def features(mask: np.ndarray) -> np.ndarray | None:
    """(15,) features of a bool mask, or None when it has no outline of 6 points."""
    cv2 = require('cv2', 'the motion parser')
    # smooth and enlarged, so that the pixel staircase does not look like corners
    scale = int(np.clip(round(160 / max(mask.shape)), 1, 8))
    big = np.pad(mask.astype(np.float32), 3)
    big = cv2.resize(big, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    big = (cv2.GaussianBlur(big, (0, 0), 0.5 * scale) > 0.5).astype(np.uint8)
    contours, tree = cv2.findContours(big, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    outer = [k for k in range(len(contours)) if tree[0][k][3] < 0]
    if not outer:
        return None
    main = max(outer, key=lambda k: cv2.contourArea(contours[k]))
    contour = contours[main]
    if len(contour) < 6:
        return None
    area, length = cv2.contourArea(contour), cv2.arcLength(contour, True)
    holes = sum(cv2.contourArea(contours[k]) for k in range(len(contours))
                if tree[0][k][3] == main)
    hull = cv2.contourArea(cv2.convexHull(contour))
    (_, (rw, rh), _) = cv2.minAreaRect(contour)
    if min(area, hull, rw, rh) <= 0:
        return None
    corners = len(cv2.approxPolyDP(contour, 0.035 * length, True))
    return np.array([4 * np.pi * area / length ** 2, area / hull, area / (rw * rh),
                     min(rw, rh) / max(rw, rh), min(holes / area, 0.5), min(corners, 12) / 12,
                     *_radial(contour[:, 0].astype(np.float64))[1:]])


def _radial(points: np.ndarray) -> np.ndarray:
    """Fourier magnitudes of the radius around the centroid, at equal steps along the outline."""
    step = np.linalg.norm(np.diff(points, axis=0, append=points[:1]), axis=1)
    along = np.concatenate([[0], np.cumsum(step)])
    where = np.linspace(0, along[-1], 128, endpoint=False)
    closed = np.concatenate([points, points[:1]])
    x, y = (np.interp(where, along, closed[:, k]) for k in (0, 1))
    centre = x.mean() + 1j * y.mean()
    radius = np.abs(x + 1j * y - centre)
    return np.abs(np.fft.rfft(radius / radius.mean()))[:_HARMONICS] / 128


class ShapeClassifier:
    """Nearest class under a shared covariance.

    Args:
        names: shapes to tell apart, of ``KNOWN_SHAPES``.
        max_distance: Mahalanobis distance beyond which a mask has no shape.
    """

    def __init__(self, names: tuple[str, ...], max_distance: float = 7.0) -> None:
        self.names, self.max_distance = tuple(names), max_distance
        self._means, self._half = _prototypes(self.names)

    def distances(self, mask: np.ndarray) -> np.ndarray | None:
        """(K,) distance to each class, or None when the mask has no outline."""
        found = features(mask)
        if found is None:
            return None
        return np.linalg.norm((found - self._means) @ self._half, axis=1)

    def __call__(self, masks: list[np.ndarray]) -> tuple[str, float]:
        """The common name of several masks of one thing and a confidence in [0, 1].

        Each mask's distances are cut at twice the limit, so that one bad outline among many
        does not decide.
        """
        rows = [d for d in map(self.distances, masks) if d is not None]
        if not rows:
            return UNKNOWN, 0.0
        mean = np.minimum(np.stack(rows), 2 * self.max_distance).mean(0)
        best = int(mean.argmin())
        if mean[best] > self.max_distance:
            return UNKNOWN, 0.0
        weight = np.exp(-0.5 * (mean - mean[best]))
        return self.names[best], float(1 / weight.sum())


@lru_cache(maxsize=8)
def _prototypes(names: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """(K, F) class means and the square root of the inverse pooled covariance."""
    rng = np.random.default_rng(0)
    means, spread = [], []
    for name in names:
        rows = [features(draw(name, rng.uniform(6, 24), rng.uniform(0, 2 * np.pi),
                              tuple(rng.uniform(-0.5, 0.5, 2)), rng.uniform,
                              int(rng.integers(30, 180)))) for _ in range(100)]
        rows = np.stack([r for r in rows if r is not None])
        means.append(rows.mean(0))
        spread.append(rows - rows.mean(0))
    cov = np.cov(np.concatenate(spread).T) + 1e-4 * np.eye(spread[0].shape[1])
    return np.stack(means), np.linalg.cholesky(np.linalg.inv(cov))

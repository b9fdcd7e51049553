"""What of a frame is background: two models, chosen from the clip itself.

*Surface*: the background is a smooth surface of colour plus a texture. Per frame a quadratic
polynomial is fitted to each Lab channel, robustly (iteratively reweighted, Tukey), and the
texture is the covariance of its residuals over the clip; a pixel is foreground when its
Mahalanobis distance is large. Finds standing objects too; holds for plain, gradient, noisy and
low-contrast textured backgrounds, and does not mind a moving camera.

*Temporal*: for real scenes. Frames are registered by sparse optical flow (Lucas-Kanade) and a
RANSAC similarity, the background is the median over time, and only what moves is foreground.

The choice, the thresholds and the combination are ours.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from finsta.utils.optional import require

_GRID = 24


@dataclass
class Foreground:
    """What :func:`segment_foreground` found.

    Attributes:
        mask: (n, H, W) bool.
        strength: (n, H, W) float32, how far a pixel is from the background.
        lab: (n, H, W, 3) float32, smoothed CIE Lab.
        mode: ``'surface'`` or ``'temporal'``.
        camera: (n, 2) translation of the scene in pixels since frame 0; 0 where unknown.
    """

    mask: np.ndarray
    strength: np.ndarray
    lab: np.ndarray
    mode: str
    camera: np.ndarray


def to_lab(frames: np.ndarray) -> np.ndarray:
    """(n, H, W, 3) uint8 RGB -> (n, H, W, 3) float32 CIE Lab (L 0..100)."""
    cv2 = require('cv2', 'the motion parser')
    return np.stack([cv2.cvtColor(f.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
                     for f in frames])


def segment_foreground(frames: np.ndarray, distance: float = 4.5, max_share: float = 0.4,
                       max_texture: float = 14.0) -> Foreground:
    """Foreground of a clip.

    Args:
        frames: (n, H, W, 3) uint8 RGB.
        distance: Mahalanobis distance from which a pixel is foreground.
        max_share: the surface model is refused when it leaves more than this share of the
            pixels unexplained.
        max_texture: and when its texture's largest standard deviation, in Lab units, is above
            this: a model that allows everything explains nothing.
    """
    cv2 = require('cv2', 'the motion parser')
    lab = to_lab(np.stack([cv2.medianBlur(f, 3) for f in frames]))
    far, texture = _surface_distance(lab)
    mask = far > distance
    if mask.mean() <= max_share and texture <= max_texture:
        return Foreground(mask, far, lab, 'surface', np.zeros((len(frames), 2)))
    mask, far, camera = _temporal_mask(frames, lab)
    return Foreground(mask, far, lab, 'temporal', camera)


def _surface_distance(lab: np.ndarray) -> tuple[np.ndarray, float]:
    """(n, H, W) Mahalanobis distance from the surface model, and its largest deviation."""
    surface = _Surface(*lab.shape[1:3])
    residual = np.stack([frame - surface(frame) for frame in lab])
    sample = residual[:, ::3, ::3].reshape(-1, 3)
    spread = 1.4826 * np.median(np.abs(sample - np.median(sample, 0)), 0)
    centre, cov = np.zeros(3), np.diag(spread ** 2) + 4.0 * np.eye(3)
    for _ in range(4):
        inlier = _mahalanobis(sample - centre, cov) < 3.0
        if inlier.sum() < 32:
            break
        centre = sample[inlier].mean(0)
        # 1.15 undoes the shrinking by the cut at 3; the floor stands for compression noise
        cov = 1.15 * np.cov(sample[inlier].T) + 2.25 * np.eye(3)
    texture = float(np.sqrt(np.linalg.eigvalsh(cov)[-1]))
    return _mahalanobis(residual - centre.astype(np.float32), cov), texture


def _mahalanobis(x: np.ndarray, cov: np.ndarray) -> np.ndarray:
    half = np.linalg.cholesky(np.linalg.inv(cov)).astype(np.float32)
    return np.sqrt(np.square(x.astype(np.float32) @ half).sum(-1))


class _Surface:
    """Robust quadratic surfaces of the frames of a clip, each starting from the last one."""

    def __init__(self, height: int, width: int) -> None:
        self.ys = np.linspace(0, height - 1, min(_GRID, height)).round().astype(int)
        self.xs = np.linspace(0, width - 1, min(_GRID, width)).round().astype(int)
        tall, wide = max(height - 1, 1), max(width - 1, 1)
        self.design = _quadratic(self.ys / tall, self.xs / wide)
        self.full = _quadratic(np.arange(height) / tall, np.arange(width) / wide).astype(
            np.float32)
        self.coef: np.ndarray | None = None

    def __call__(self, frame: np.ndarray) -> np.ndarray:
        """(H, W, 3) -> surface of the same shape."""
        values = frame[np.ix_(self.ys, self.xs)].reshape(-1, 3).astype(np.float64)
        rounds, error = 3, None
        if self.coef is not None:
            error = np.linalg.norm(values - self.design @ self.coef, axis=1)
        if error is None or (error < 9.0).mean() < 0.4:
            # the most common colour: objects may cover much, but in many colours
            rounds, error = 6, np.linalg.norm(values - _mode_colour(values), axis=1)
        for _ in range(rounds):
            scale = max(1.4826 * np.median(error) * 3.0, 9.0)
            weight = np.clip(1 - np.square(error / scale), 0, None)[:, None]
            if (weight > 0).sum() < 16:
                break
            left = self.design * weight
            self.coef = np.linalg.solve(left.T @ left + 1e-3 * np.eye(6),
                                        left.T @ (values * weight))
            error = np.linalg.norm(values - self.design @ self.coef, axis=1)
        if self.coef is None:
            self.coef = np.zeros((6, 3))
            self.coef[0] = _mode_colour(values)
        return (self.full @ self.coef.astype(np.float32)).reshape(frame.shape)


def _quadratic(ys: np.ndarray, xs: np.ndarray) -> np.ndarray:
    y, x = (v.reshape(-1) for v in np.meshgrid(2 * ys - 1, 2 * xs - 1, indexing='ij'))
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], 1)


def _mode_colour(values: np.ndarray) -> np.ndarray:
    """Mean of the fullest 12-unit cell of Lab space and its neighbours."""
    cells = np.floor(values / 12.0).astype(np.int64)
    _, index, count = np.unique(cells, axis=0, return_inverse=True, return_counts=True)
    best = cells[index.reshape(-1) == count.argmax()][0]
    near = (np.abs(cells - best) <= 1).all(1)
    return values[near].mean(0)


def _temporal_mask(frames: np.ndarray, lab: np.ndarray
                   ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mask, distance and camera of a textured scene: what differs from the registered median."""
    cv2 = require('cv2', 'the motion parser')
    n, height, width = frames.shape[:3]
    if n < 3:
        return np.zeros((n, height, width), bool), np.zeros(lab.shape[:3]), np.zeros((n, 2))
    to_first = _register(frames)
    still = all(np.abs(m - np.eye(2, 3)).max() < 0.6 for m in to_first)
    if still:
        background = np.broadcast_to(np.median(lab, 0), lab.shape)
        known = np.ones((n, height, width), bool)
    else:
        background, known = _moving_background(lab, to_first, cv2)
    error = np.linalg.norm(lab - background, axis=-1)
    noise = 1.4826 * np.median(error[known]) if known.any() else 0.0
    mask = (error > max(12.0, 4.0 * noise)) & known
    return mask, error, np.array([-m[:, 2] for m in to_first])


def _moving_background(lab: np.ndarray, to_first: list[np.ndarray], cv2
                       ) -> tuple[np.ndarray, np.ndarray]:
    """Median of the neighbours in time, each warped into the frame; where >= 3 are known."""
    n, height, width = lab.shape[:3]
    background = np.empty_like(lab)
    known = np.zeros((n, height, width), bool)
    full = [np.vstack([m, [0, 0, 1]]) for m in to_first]
    for t in range(n):
        # near ones overlap most; spaced, so that a slow mover does not cover them all
        others = [s for s in (t - 9, t - 6, t - 3, t - 1, t + 1, t + 3, t + 6, t + 9)
                  if 0 <= s < n]
        stack = np.full((len(others), height, width, 3), np.nan, np.float32)
        for k, s in enumerate(others):
            move = (np.linalg.inv(full[t]) @ full[s])[:2]
            warped = cv2.warpAffine(lab[s], move, (width, height), flags=cv2.INTER_LINEAR)
            inside = cv2.warpAffine(np.ones((height, width), np.float32), move,
                                    (width, height)) > 0.99
            stack[k][inside] = warped[inside]
        count = np.isfinite(stack[..., 0]).sum(0)
        known[t] = count >= 3
        background[t] = lab[t]
        if known[t].any():
            background[t][known[t]] = np.nanmedian(stack[:, known[t]], 0)
    return background, known


def _register(frames: np.ndarray) -> list[np.ndarray]:
    """Per frame a (2, 3) similarity into frame 0's pixels; the last known one after a failure."""
    cv2 = require('cv2', 'the motion parser')
    gray = [cv2.cvtColor(f, cv2.COLOR_RGB2GRAY) for f in frames]
    out, total = [np.eye(2, 3)], np.eye(3)
    for before, now in pairwise(gray):
        step = np.eye(3)
        points = cv2.goodFeaturesToTrack(before, 150, 0.01, 6)
        if points is not None and len(points) >= 8:
            moved, found, _ = cv2.calcOpticalFlowPyrLK(before, now, points, None)
            found = found.reshape(-1).astype(bool)
            if found.sum() >= 8:
                cv2.setRNGSeed(0)
                fit, _ = cv2.estimateAffinePartial2D(moved[found], points[found],
                                                     ransacReprojThreshold=1.5)
                # a jump is a cut, not a camera move
                if fit is not None and np.abs(fit - np.eye(2, 3))[:, :2].max() < 0.3:
                    step[:2] = fit
        total = total @ step
        out.append(total[:2].copy())
    return out

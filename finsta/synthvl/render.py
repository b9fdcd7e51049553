"""Scene -> frames: antialiased shapes with OpenCV.

Shapes are outlines in their own frame with radius 1; stripes are bands along the thing's own
x axis, so a rotation shows. Frames are (F, S, S, 3) uint8 RGB.
"""

import numpy as np

from finsta.synthvl.scene import Background, Scene
from finsta.synthvl.vocabulary import COLOURS, SHAPES
from finsta.utils.optional import require

_SHIFT = 4
# OpenCV's antialiased fill paints this many pixels beyond the outline (measured)
_FAT = 0.6


def _ring(count: int, radius: float = 1.0, phase: float = 0.0) -> np.ndarray:
    a = phase + 2 * np.pi * np.arange(count) / count
    return radius * np.stack([np.cos(a), np.sin(a)], 1)


def _outlines() -> dict[str, list[np.ndarray]]:
    star = np.empty((10, 2))
    star[0::2] = _ring(5, 1.0, -np.pi / 2)
    star[1::2] = _ring(5, 0.42, -np.pi / 2 + np.pi / 5)
    t = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    heart = np.stack([16 * np.sin(t) ** 3, -(13 * np.cos(t) - 5 * np.cos(2 * t)
                                             - 2 * np.cos(3 * t) - np.cos(4 * t))], 1) / 17
    w = 0.32
    cross = np.array([(-w, -1), (w, -1), (w, -w), (1, -w), (1, w), (w, w), (w, 1), (-w, 1),
                      (-w, w), (-1, w), (-1, -w), (-w, -w)])
    return {'circle': [_ring(40, 0.95)], 'square': [_ring(4, 1.12, np.pi / 4)],
            'triangle': [_ring(3, 1.1, -np.pi / 2) + np.array([0, 0.2])], 'star': [star * 1.1],
            'heart': [heart], 'cross': [cross], 'ring': [_ring(40, 1.0), _ring(40, 0.56)],
            'diamond': [np.array([(0, -1.1), (0.58, 0), (0, 1.1), (-0.58, 0)])]}


OUTLINES = _outlines()
assert set(OUTLINES) == set(SHAPES)
_PALETTE = np.array(list(COLOURS.values()), np.float32)
_LIT = np.array((255, 255, 255), np.float32)


def outlines_at(scene: Scene, frame: int, k: int, inset: float = 0.0) -> list[np.ndarray]:
    """Outlines of thing k in pixels, each (P, 2), after the camera; ``inset`` pixels smaller."""
    s = scene.states
    angle, radius = s.angle[frame, k], s.radius[frame, k]
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    centre = np.array([s.x[frame, k], s.y[frame, k]])
    cx, cy, zoom = scene.camera[frame]
    radius = radius - inset / (zoom * scene.canvas)
    return [((line @ turn * radius + centre - (cx, cy)) * zoom + 0.5) * scene.canvas
            for line in OUTLINES[scene.things[k].shape]]


def _background(kind: Background, canvas: int, frame: int, camera: np.ndarray) -> np.ndarray:
    low, high = (np.array(c, np.float32) for c in (kind.low, kind.high))
    if kind.kind == 'plain':
        return np.tile(low, (canvas, canvas, 1))
    if kind.kind == 'gradient':
        angle = kind.seed % 628 / 100
        x, y = np.meshgrid(*(np.linspace(-0.5, 0.5, canvas, dtype=np.float32),) * 2)
        u = np.clip((x * np.cos(angle) + y * np.sin(angle)) / 1.41 + 0.5, 0, 1)[..., None]
        return low + (high - low) * u
    cv2 = require('cv2', 'rendering a scene')
    rng = np.random.default_rng(kind.seed)
    if kind.kind == 'noise':
        grain = rng.random((canvas // 4, canvas // 4, 1), np.float32)
        u = cv2.resize(grain, (canvas, canvas), interpolation=cv2.INTER_LINEAR)[..., None]
    else:
        speed = rng.uniform(-1, 1, 2) * canvas / 60
        grain = rng.random((canvas // 8, canvas // 8), np.float32)
        big = cv2.resize(np.tile(grain, (2, 2)), (2 * canvas, 2 * canvas))
        dx, dy = (round(v * frame) % canvas for v in speed)
        u = big[dy:dy + canvas, dx:dx + canvas, None]
    cx, cy, zoom = camera
    if (cx, cy, zoom) != (0.5, 0.5, 1.0):
        shift = np.array([[zoom, 0, canvas * (0.5 - cx * zoom)],
                          [0, zoom, canvas * (0.5 - cy * zoom)]])
        u = cv2.warpAffine(u, shift, (canvas, canvas),
                           borderMode=cv2.BORDER_REFLECT).reshape(canvas, canvas, 1)
    return low + (high - low) * u


def _paint(cv2, image: np.ndarray, scene: Scene, frame: int, k: int) -> None:
    lines = outlines_at(scene, frame, k, _FAT)
    points = np.concatenate(lines)
    low = np.maximum(np.floor(points.min(0)).astype(int) - 1, 0)
    high = np.minimum(np.ceil(points.max(0)).astype(int) + 2, scene.canvas)
    if (high <= low).any():
        return
    (x0, y0), (x1, y1) = low, high
    mask = np.zeros((y1 - y0, x1 - x0), np.uint8)
    # OpenCV's coordinates are those of pixel centres
    fixed = [np.round((line - low - 0.5) * (1 << _SHIFT)).astype(np.int32) for line in lines]
    cv2.fillPoly(mask, fixed, 255, cv2.LINE_AA, _SHIFT)
    alpha = mask.astype(np.float32)[..., None] / 255
    colour = _PALETTE[scene.states.colour[frame, k]]
    if scene.states.lit[frame, k]:
        colour = colour * 0.1 + _LIT * 0.9
    fill: np.ndarray = colour
    if scene.things[k].texture == 'striped':
        angle = scene.states.angle[frame, k]
        x, y = np.meshgrid(np.arange(x0, x1) + 0.5, np.arange(y0, y1) + 0.5)
        cx, cy, zoom = scene.camera[frame]
        px = ((scene.states.x[frame, k] - cx) * zoom + 0.5) * scene.canvas
        py = ((scene.states.y[frame, k] - cy) * zoom + 0.5) * scene.canvas
        radius = scene.states.radius[frame, k] * zoom * scene.canvas
        along = ((x - px) * np.cos(angle) + (y - py) * np.sin(angle)) / radius
        band = np.clip(np.cos(along * 7.5) * 2.5 + 0.5, 0, 1).astype(np.float32)[..., None]
        fill = colour * (0.5 + 0.5 * band)
    patch = image[y0:y1, x0:x1]
    patch += alpha * (fill - patch)


def render(scene: Scene) -> np.ndarray:
    """Frames (F, S, S, 3) uint8 RGB; deterministic."""
    cv2 = require('cv2', 'rendering a scene')
    frames = np.empty((scene.num_frames, scene.canvas, scene.canvas, 3), np.uint8)
    still: np.ndarray | None = None
    key = None
    for f in range(scene.num_frames):
        kind = scene.background_at(f)
        now = (kind, tuple(scene.camera[f]), f if kind.kind == 'moving' else 0)
        if now != key:
            still, key = _background(kind, scene.canvas, f, scene.camera[f]), now
        image = still.copy()
        for k in np.argsort(scene.states.depth[f], kind='stable'):
            if scene.states.present[f, k]:
                _paint(cv2, image, scene, f, int(k))
        frames[f] = np.clip(np.round(image), 0, 255).astype(np.uint8)
    return frames

"""Key frames as figures: the picture as base64 inside an SVG, boxes and track names on top.

Boxes and names are SVG, not pixels, so that they stay sharp on small videos and can be read in
any size.
"""

import base64
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from finsta.structures import DynamicSceneGraph
from finsta.utils.optional import require
from finsta.visualization.svg import escape, label, rect, shorten, text_width, track_colour
from finsta.visualization.tracks import number_tracks

_WIDTH, _SMALL = 260.0, 160


def encode_image(frame: np.ndarray, max_size: int = 480) -> str:
    """(H, W, 3) uint8 RGB -> data URI: JPEG, or PNG where the frame is small.

    Raises:
        ValueError: if the array is no such image.
    """
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8 or not frame.size:
        raise ValueError(f'a frame must be (H, W, 3) uint8 RGB, got {frame.shape} {frame.dtype}')
    cv2 = require('cv2', 'drawing video frames')
    scale = max_size / max(frame.shape[:2])
    if scale < 1.0:
        size = max(1, round(frame.shape[1] * scale)), max(1, round(frame.shape[0] * scale))
        frame = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
    small = max(frame.shape[:2]) <= _SMALL
    kind, options = ('png', []) if small else ('jpeg', [cv2.IMWRITE_JPEG_QUALITY, 82])
    done, data = cv2.imencode(f'.{kind}', np.ascontiguousarray(frame[..., ::-1]), options)
    if not done:
        raise ValueError(f'OpenCV could not encode a frame of shape {frame.shape} as {kind}')
    return f'data:image/{kind};base64,{base64.b64encode(data.tobytes()).decode()}'


def frame_strip(frames: Sequence[np.ndarray], dsg: DynamicSceneGraph, max_frames: int = 8,
                times: Sequence[float] | None = None) -> str:
    """HTML of a strip of figures.

    Args:
        frames: image of each key frame. dsg: its graph; boxes are fractions of the frame.
        max_frames: frames shown, see :func:`pick_frames`.
        times: seconds of each frame; the graph's if None.

    Raises:
        ValueError: if there are not as many images as key frames.
    """
    if len(frames) != len(dsg.frames):
        raise ValueError(f'{len(frames)} images for {len(dsg.frames)} key frames of '
                         f'{dsg.video!r}')
    times = dsg.times if times is None else times
    number = number_tracks(dsg)
    figures = []
    for t in pick_frames(dsg, max_frames):
        boxes = [(number[t, i], dsg.frames[t].nodes[i]) for i in dsg.frames[t].of_kind('object')]
        figures.append(_figure(frames[t], [(k, n.label, n.box) for k, n in boxes if n.box],
                               f'{times[t]:.2f} s'))
    return f'<div class="strip">{"".join(figures)}</div>'


def pick_frames(dsg: DynamicSceneGraph, count: int) -> list[int]:
    """Key frames to show: of each of ``count`` equal stretches the one with most nodes."""
    edges = np.linspace(0, len(dsg.frames), min(count, len(dsg.frames)) + 1).round().astype(int)
    # of equally full ones the middle one
    return [max(range(a, b), key=lambda t: (len(dsg.frames[t].nodes), -abs(2 * t - a - b + 1)))
            for a, b in pairwise(edges)]


def _figure(frame: np.ndarray, boxes: list[tuple[int, str, tuple]], caption: str) -> str:
    height = _WIDTH * frame.shape[0] / frame.shape[1]
    parts = [f'<image width="{_WIDTH:.0f}" height="{height:.1f}" preserveAspectRatio="none" '
             f'href="{encode_image(frame)}"/>']
    taken: list[tuple[float, float, float]] = []
    tags = []
    for number, name, (cx, cy, w, h) in boxes:
        colour = track_colour(number)
        x, y = (cx - w / 2) * _WIDTH, (cy - h / 2) * height
        parts.append(rect(x, y, w * _WIDTH, h * height, 'box', 2, f'stroke:{colour}'))
        tags.append(_tag(f'#{number} {shorten(name, 14)}', x, y, height, colour, taken))
    return (f'<figure><svg role="img" aria-label="{escape(caption)}" '
            f'viewBox="0 0 {_WIDTH:.0f} {height:.1f}">{"".join(parts + tags)}</svg>'
            f'<figcaption>{escape(caption)}</figcaption></figure>')


def _tag(text: str, x: float, y: float, height: float, colour: str,
         taken: list[tuple[float, float, float]]) -> str:
    """The name above its box, moved down until it hides no other name."""
    width = 1.08 * text_width(text, 11) + 8
    x = min(max(x, 0.0), max(_WIDTH - width, 0.0))
    y = max(y - 15, 0.0)
    while any(abs(y - other) < 14 and x < right and left < x + width
              for left, right, other in taken) and y + 28 < height:
        y += 14
    taken.append((x, x + width, y))
    return (rect(x, y, width, 14, radius=3, style=f'fill:{colour}')
            + label(x + 4, y + 10.8, text, 'tag'))

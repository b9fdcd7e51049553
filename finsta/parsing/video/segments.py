"""Runs of motion in a trajectory. Lengths in units of the frame's shorter side."""

from dataclasses import dataclass

import numpy as np

from finsta.parsing.video.trajectory import Trajectory

DIRECTIONS = {'left': (-1, 0), 'right': (1, 0), 'up': (0, -1), 'down': (0, 1)}


@dataclass
class Segment:
    """A stretch of one motion.

    Attributes:
        start, end: key frames [start, end) in which it moves: the step into each of them.
        before, after: (2,) place before the first step and after the last.
        path: (end - start + 1, 2) places.
        pauses: standing stretches inside it.
    """

    start: int
    end: int
    path: np.ndarray
    pauses: int = 0

    @property
    def before(self) -> np.ndarray:
        """Place before the first step."""
        return self.path[0]

    @property
    def after(self) -> np.ndarray:
        """Place after the last step."""
        return self.path[-1]

    @property
    def shift(self) -> np.ndarray:
        """(2,) from the first place to the last."""
        return self.after - self.before

    @property
    def distance(self) -> float:
        """Length of the shift."""
        return float(np.hypot(*self.shift))

    @property
    def heading(self) -> np.ndarray:
        """(2,) unit vector of the shift."""
        return self.shift / max(self.distance, 1e-9)

    @property
    def length(self) -> float:
        """Length of the path."""
        return float(np.linalg.norm(np.diff(self.path, axis=0), axis=1).sum())

    def axis(self) -> tuple[str, float]:
        """Nearest of left, right, up, down, and the angle to it in degrees."""
        name = max(DIRECTIONS, key=lambda d: float(np.dot(DIRECTIONS[d], self.heading)))
        cosine = float(np.clip(np.dot(DIRECTIONS[name], self.heading), -1, 1))
        return name, float(np.degrees(np.arccos(cosine)))


def find_segments(thing: Trajectory, step: float = 0.012, drift: float = 0.0065,
                  bridge: int = 8) -> list[Segment]:
    """Motion of a thing, parted where it turns sharply, joined over pauses of a jerky motion.

    Args:
        thing: its trajectory.
        step: shift of one frame that counts as motion.
        drift: mean shift a frame over two frames that counts as motion.
        bridge: longest pause, in frames, inside one motion; the direction must stay the same.
    """
    moving = moving_steps(thing, step, drift)
    runs: list[list[int]] = []
    for k in np.flatnonzero(moving):
        if runs and k == runs[-1][1] and not _turns(thing.xy, runs[-1][0], int(k)):
            runs[-1][1] = int(k) + 1
        else:
            runs.append([int(k), int(k) + 1])
    out: list[Segment] = []
    for a, b in runs:
        new = Segment(thing.first + a, thing.first + b, thing.xy[a - 1:b])
        if new.length < step:
            continue
        if out and 0 < new.start - out[-1].end <= bridge and _continues(out[-1], new):
            last = out.pop()
            new = Segment(last.start, new.end, thing.xy[last.start - thing.first - 1:b],
                          last.pauses + 1)
        out.append(new)
    return out


def moving_steps(thing: Trajectory, step: float = 0.012, drift: float = 0.0065) -> np.ndarray:
    """(K,) True where the step into that frame is motion; False at the first frame."""
    xy = thing.xy
    moving = np.zeros(len(xy), bool)
    if len(xy) < 2:
        return moving
    steps = np.linalg.norm(np.diff(xy, axis=0), axis=1)
    moving[1:] = steps > step
    if len(xy) > 3:
        # slow motion: both halves of a longer stretch must go the same way
        wide = (xy[4:] - xy[:-4]) if len(xy) > 4 else np.zeros((0, 2))
        slow = np.linalg.norm(wide, axis=1) / 4 > drift
        halves = [xy[2:-2] - xy[:-4], xy[4:] - xy[2:-2]] if len(xy) > 4 else [wide, wide]
        same = (halves[0] * halves[1]).sum(1) > 0
        for k in np.flatnonzero(slow & same):
            for j in range(k + 1, k + 5):
                moving[j] |= steps[j - 1] > 0.4 * drift
    return moving


def _turns(xy: np.ndarray, start: int, now: int) -> bool:
    """Whether the step into ``now`` goes another way than the last three."""
    before = xy[now - 1] - xy[max(start - 1, now - 4)]
    step = xy[now] - xy[now - 1]
    size = np.hypot(*before) * np.hypot(*step)
    return bool(size > 1e-6 and np.hypot(*step) > 0.02 and np.dot(before, step) < 0.3 * size)


def _continues(first: Segment, then: Segment) -> bool:
    if min(first.distance, then.distance) < 0.03:
        return False
    apart = np.linalg.norm(then.before - first.after)
    return bool(np.dot(first.heading, then.heading) > 0.97 and apart < 0.02)

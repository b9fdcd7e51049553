"""Motion predicates with intervals, from trajectories.

One rule a predicate, on geometry only; lengths are in units of the frame's shorter side, angles
in degrees. The vocabulary and the rules are ours; the thresholds were set by looking at SynthVL
clips made with seeds that the evaluation does not use.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from finsta.parsing.video.appearance import COLOUR_NAMES
from finsta.parsing.video.builder import RelationSpan
from finsta.parsing.video.segments import Segment, find_segments
from finsta.parsing.video.trajectory import Trajectory, colour_name

MIN_SHIFT = 0.12
_WHITE = COLOUR_NAMES.index('white')


class EventFinder:
    """Predicates of one clip.

    Args:
        things: trajectories; a thing's number is its index.
        num_frames: key frames of the clip.
        fps: key frames a second.
        idle: also say ``stop`` and ``wait`` of what stands after a motion, or all the time.
    """

    def __init__(self, things: Sequence[Trajectory], num_frames: int, fps: float,
                 idle: bool = False) -> None:
        self.things, self.num_frames, self.fps, self.idle = things, num_frames, fps, idle
        self.segments = [find_segments(t) for t in things]
        self.spans: list[RelationSpan] = []

    def find(self) -> list[RelationSpan]:
        """All predicates; entities are unset."""
        for k in range(len(self.things)):
            for segment in self.segments[k]:
                if segment.distance >= 0.06 or segment.length >= 0.2:
                    self._motion(k, segment)
            self._size(k)
            self._rotation(k)
            self._colour(k)
            if self.idle:
                self._idle(k)
        return self.spans

    def _say(self, label: str, subject: int, target: int | None, start: int, end: int,
             adverbs: Sequence[str] = ()) -> None:
        # what moves in the first step that can be seen moved in the frame before it, too
        frames = range(0 if start <= 1 else start, min(self.num_frames, max(end, start + 1)))
        self.spans.append(RelationSpan(label, subject, target, frames, adverbs))

    # ---- motion ---------------------------------------------------------------------------

    def _motion(self, k: int, segment: Segment) -> None:
        around = self._orbit(k, segment)
        if around is not None:
            self._say('circle around', k, around, segment.start, segment.end)
            return
        name, off = segment.axis()
        adverbs = self._adverbs(segment)
        if segment.distance >= MIN_SHIFT and off <= 27:
            self._say(f'move {name}', k, None, segment.start, segment.end, adverbs)
        self._border(k, segment, adverbs)
        if segment.distance < 0.08:
            return
        for other in range(len(self.things)):
            if other != k:
                label, start, end = self._pair(k, other, segment, off)
                if label:
                    self._say(label, k, other, start, end, adverbs)

    def _adverbs(self, segment: Segment) -> tuple[str, ...]:
        speed = segment.distance / max(segment.end - segment.start, 1) * self.fps
        if segment.pauses >= 1:
            return ('jerkily',)
        return ('quickly',) if speed > 0.75 else ('slowly',) if speed < 0.2 else ()

    def _border(self, k: int, segment: Segment, adverbs: tuple[str, ...]) -> None:
        """``enter`` and ``leave``: the track begins or ends at the frame's edge, in motion."""
        thing = self.things[k]
        inside = not thing.edge[thing.at(segment.end - 1)]
        if thing.edge[0] and inside and segment.start <= thing.first + 2:
            self._say('enter', k, None, thing.first, segment.end, adverbs)
        if thing.edge[-1] and not thing.edge[thing.at(max(segment.start - 1, thing.first))] and (
                segment.end >= thing.last):
            self._say('leave', k, None, segment.start, thing.last + 1, adverbs)

    def _orbit(self, k: int, segment: Segment) -> int | None:
        """The thing that a path goes round: a large angle at a steady distance."""
        if segment.end - segment.start < 5 or segment.length < 1.8 * segment.distance:
            return None
        best, wide = None, 4.2
        for other, thing in enumerate(self.things):
            if other == k or not (thing.covers(segment.start) and thing.covers(segment.end - 1)):
                continue
            frames = np.arange(segment.start - 1, segment.end)
            frames = frames[(frames >= thing.first)]
            ray = segment.path[-len(frames):] - thing.xy[thing.at(frames)]
            apart = np.linalg.norm(ray, axis=1)
            swept = abs(np.unwrap(np.arctan2(ray[:, 1], ray[:, 0]))[[0, -1]] @ (-1, 1))
            if swept > wide and apart.std() < 0.2 * apart.mean():
                best, wide = other, swept
        return best

    def _pair(self, k: int, other: int, segment: Segment, off: float
              ) -> tuple[str, int, int]:
        """Label and interval of what a straight motion means for another thing, or ''."""
        a, b = self.things[k], self.things[other]
        begin, end = max(segment.start - 1, a.first), segment.end - 1
        if not (b.covers(begin) and b.covers(end)):
            return '', 0, 0
        i, j = b.at(np.array([begin, end]))
        reach = a.radius[a.at(end)] + b.radius[j]
        ray = b.xy[i] - segment.before
        apart = float(np.hypot(*ray))
        toward = float(np.dot(ray, segment.heading) / max(apart, 1e-9))
        after = float(np.hypot(*(b.xy[j] - segment.after)))
        motion = self._overlap(other, segment)
        if motion is not None:
            return self._together(segment, motion, toward, apart, after, reach)
        hit = self._hit(other, segment, toward, after, reach)
        if hit is not None:
            return 'hit', segment.start, hit
        if float(np.hypot(*(b.xy[j] - b.xy[i]))) > 0.06:
            return '', 0, 0
        if self._crosses(segment, b.xy[i], toward, reach):
            label = 'pass behind' if self._behind(k, other, segment) else 'pass in front of'
            return label, segment.start, segment.end
        if toward > 0.975 and apart - after > 0.13 and after < 1.22 * reach + 0.02:
            return 'approach', segment.start, segment.end
        limit = 0.995 if off > 4 else 0.9997
        if self._was_hit(other, segment):
            return '', 0, 0
        if toward < -limit and after - apart > 0.15 and apart < 0.75:
            return 'move away from', segment.start, segment.end
        return '', 0, 0

    def _overlap(self, other: int, segment: Segment) -> Segment | None:
        """A motion of the other thing in at least half of the same frames."""
        for motion in self.segments[other]:
            both = min(motion.end, segment.end) - max(motion.start, segment.start)
            if (motion.distance >= 0.08
                    and both >= 0.5 * min(motion.end - motion.start,
                                          segment.end - segment.start)):
                return motion
        return None

    def _together(self, segment: Segment, motion: Segment, toward: float, apart: float,
                  after: float, reach: float) -> tuple[str, int, int]:
        """``push`` (in contact) and ``follow`` (behind it at a distance)."""
        same = float(np.dot(segment.heading, motion.heading))
        start, end = min(segment.start, motion.start), max(segment.end, motion.end)
        if same > 0.95 and toward > 0.85:
            if after < 1.0 * reach:
                return 'push', start, end
            if abs(after - apart) < 0.12:
                return 'follow', start, end
        return '', 0, 0

    def _hit(self, other: int, segment: Segment, toward: float, after: float, reach: float
             ) -> int | None:
        """End of the motion of a thing that sets off the same way when it is reached."""
        if toward < 0.96 or after > 1.05 * reach + 0.35:
            return None
        for motion in self.segments[other]:
            if (abs(motion.start - segment.end) <= 2 and motion.distance > 0.1
                    and np.dot(motion.heading, segment.heading) > 0.95):
                contact = float(np.hypot(*(motion.before - segment.after)))
                if contact < 1.05 * reach:
                    return motion.end
        return None

    def _was_hit(self, other: int, segment: Segment) -> bool:
        """Whether the other thing came up, the same way, just before this one set off."""
        return any(abs(m.end - segment.start) <= 2 and m.distance > 0.08
                   and np.dot(m.heading, segment.heading) > 0.95 for m in self.segments[other])

    def _crosses(self, segment: Segment, place: np.ndarray, toward: float, reach: float) -> bool:
        """Whether the path runs over a place and ends beyond it."""
        along = np.dot(segment.path - place, segment.heading)
        nearest = np.linalg.norm(segment.path - place, axis=1).min()
        line = abs(float(np.cross([*segment.heading, 0], [*(place - segment.before), 0])[2]))
        return bool(toward > 0.9 and along[0] < -0.5 * reach and along[-1] > 0.5 * reach
                    and line < 0.4 * reach and nearest < reach)

    def _behind(self, k: int, other: int, segment: Segment) -> bool:
        """Which of two overlapping things loses more of its visible area."""
        kept = []
        for number in (k, other):
            thing = self.things[number]
            frames = np.arange(max(segment.start, thing.first), min(segment.end, thing.last + 1))
            close = [t for t in frames if self._apart(k, other, t)
                     < 0.7 * (self.things[k].radius[self.things[k].at(t)]
                              + self.things[other].radius[self.things[other].at(t)])]
            if not close:
                kept.append(1.0)
                continue
            index = thing.at(np.array(close))
            visible = np.where(thing.seen[index], thing.visible[index], 0.0)
            kept.append(float(visible.mean()) / max(float(np.median(thing.area)), 1.0))
        return kept[0] < kept[1]

    def _apart(self, a: int, b: int, t: int) -> float:
        first, second = self.things[a], self.things[b]
        if not (first.covers(t) and second.covers(t)):
            return np.inf
        return float(np.hypot(*(first.xy[first.at(t)] - second.xy[second.at(t)])))

    # ---- changes of a thing itself --------------------------------------------------------

    def _size(self, k: int) -> None:
        """``grow`` and ``shrink``: a steady change of the enclosing circle by a quarter."""
        thing = self.things[k]
        whole = np.flatnonzero(~thing.cut)
        if len(whole) < 4:
            return
        radius = np.interp(np.arange(len(thing.radius)), whole, thing.radius[whole])
        smooth = np.convolve(np.pad(radius, 1, mode='edge'), np.ones(3) / 3, 'valid')
        change = np.diff(np.log(np.maximum(smooth, 1e-6)))
        for sign, label in ((1, 'grow'), (-1, 'shrink')):
            for a, b in runs(sign * change > 0.006, 3):
                if sign * np.log(smooth[b] / smooth[a]) > 0.2:
                    # smoothing spreads a change by one frame at each end
                    self._say(label, k, None, thing.first + a + 1, thing.first + max(b, a + 2))

    def _rotation(self, k: int) -> None:
        """``rotate``: its pattern turns for some frames; not while its size or colour jumps."""
        thing = self.things[k]
        grown = np.zeros(len(thing.turn), bool)
        grown[1:] = np.abs(np.diff(np.log(np.maximum(thing.radius, 1e-6)))) > 0.08
        flash = np.zeros(len(thing.turn), bool)
        flash[1:] = np.linalg.norm(np.diff(thing.main, axis=0), axis=1) > 12
        turning = (np.abs(thing.turn) >= 5.0) & ~grown & ~flash
        for a, b in runs(turning, 2):
            if b - a >= 3 and turning[a:b].mean() > 0.6 and np.abs(thing.turn[a:b]).sum() > 40:
                self._say('rotate', k, None, thing.first + a, thing.first + b)

    def _colour(self, k: int) -> None:
        """``flash``: white for a while; ``turn <colour>``: another colour for good."""
        thing = self.things[k]
        names = _steady(thing.colour, thing.seen)
        usual = np.bincount(names[names != _WHITE]).argmax() if (names != _WHITE).any() else _WHITE
        lit = (names == _WHITE) & (usual != _WHITE)
        if lit.any() and (~lit).sum() >= 3:
            found = [r for r in runs(lit, 0) if r[1] - r[0] < 0.7 * len(names)]
            if found:
                start, end = found[0][0], found[-1][1]
                # what flashes once is lit in the middle of the event
                spare = end - start if len(found) == 1 and end - start > 2 else 1
                start = start - spare if len(found) == 1 else start
                self._say('flash', k, None, thing.first + start, thing.first + end + spare,
                          ('once',) if len(found) == 1 else ('repeatedly',))
        rest = np.flatnonzero(~lit)
        half = max(2, round(0.75 * self.fps))
        for a, b in pairwise(rest):
            if names[a] != names[b] and _lasts(names[rest], rest, a, b):
                self._say(f'turn {colour_name(names[b])}', k, None, thing.first + b - half,
                          thing.first + b + half)

    def _idle(self, k: int) -> None:
        thing, moves = self.things[k], self.segments[k]
        last = max((m.end for m in moves), default=None)
        if last is None:
            self._say('wait', k, None, thing.first, thing.last + 1)
        elif thing.last + 1 - last >= max(3, self.fps / 2):
            self._say('stop', k, None, last, thing.last + 1)


def runs(flags: np.ndarray, gap: int) -> list[tuple[int, int]]:
    """[start, end) of the True stretches, joined over up to ``gap`` False."""
    out: list[tuple[int, int]] = []
    for k in np.flatnonzero(flags):
        if out and k - out[-1][1] <= gap:
            out[-1] = (out[-1][0], int(k) + 1)
        else:
            out.append((int(k), int(k) + 1))
    return out


def _steady(names: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Colour names without single-frame slips; what was not seen keeps the last name."""
    names = names.copy()
    for t in range(1, len(names)):
        if not seen[t]:
            names[t] = names[t - 1]
    for t in range(1, len(names) - 1):
        if names[t - 1] == names[t + 1] != names[t] and names[t] != _WHITE:
            names[t] = names[t - 1]
    return names


def _lasts(names: np.ndarray, frames: np.ndarray, a: int, b: int) -> bool:
    """Whether most of what comes before ``b`` has the one colour, and after it the other."""
    old, new = names[frames <= a], names[frames >= b]
    return bool(len(old) >= 2 and len(new) >= 2 and (old == old[-1]).mean() > 0.8
                and (new == new[0]).mean() > 0.8)

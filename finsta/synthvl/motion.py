"""How each kind of event changes the states of its things.

Each function fills the frames [s, e) of ``World.states``; the state before is in ``World.now``.
A function returns False where the event has no room (the planner then draws again). Ours.
"""

from collections.abc import Callable

import numpy as np

from finsta.synthvl.scene import States
from finsta.synthvl.vocabulary import COLOURS, DIRECTIONS

MARGIN = 0.03
FIELDS = ('x', 'y', 'radius', 'angle', 'colour', 'lit', 'present', 'depth')


class World:
    """States under construction and the present state of every thing."""

    def __init__(self, frames: int, things: int, rng: np.random.Generator) -> None:
        self.states = States.zeros(frames, things)
        self.now = {name: getattr(self.states, name)[0].copy() for name in FIELDS}
        self.rng = rng

    def hold(self, start: int, end: int) -> None:
        """Everything stays as it is in frames [start, end)."""
        for name in FIELDS:
            getattr(self.states, name)[start:end] = self.now[name]

    def set(self, name: str, thing: int, frames: slice, values) -> None:
        """Write one thing's values and remember the last one."""
        column = getattr(self.states, name)
        column[frames, thing] = values
        self.now[name][thing] = column[frames.stop - 1, thing]

    def carry(self, end: int, thing: int, start: int) -> None:
        """Keep a thing's present state in frames [start, end)."""
        for name in FIELDS:
            getattr(self.states, name)[start:end, thing] = self.now[name][thing]

    def inside(self, x: float, y: float, radius: float) -> bool:
        """Whether a thing of that radius lies inside the canvas."""
        return all(radius + MARGIN <= v <= 1 - radius - MARGIN for v in (x, y))

    def free(self, thing: int, x: float, y: float, ignore: tuple[int, ...] = ()) -> bool:
        """Whether nothing else that is present lies at a place."""
        now = self.now
        for other in range(len(now['x'])):
            if other in (thing, *ignore) or not now['present'][other]:
                continue
            gap = now['radius'][thing] + now['radius'][other]
            if np.hypot(now['x'][other] - x, now['y'][other] - y) < gap * 0.9:
                return False
        return True


def profile(count: int, adverb: str | None) -> np.ndarray:
    """(count,) progress 0..1 of an action; the adverb is what the eye can see of it."""
    u = np.arange(1, count + 1) / count
    if adverb == 'quickly':
        return np.minimum(1.0, u / min(1.0, max(0.34, 2.0 / count)))
    if adverb == 'slowly':
        return u
    if adverb == 'smoothly':
        return u * u * (3 - 2 * u)
    if adverb == 'jerkily':
        steps = 3
        return np.minimum(1.0, np.ceil(u * steps - 1e-9) / steps)
    return np.minimum(1.0, u / 0.7)


def duration(count: int, adverb: str | None) -> int:
    """Frames of a slot of ``count`` in which something is to be seen."""
    return max(2, int(np.argmax(profile(count, adverb) >= 1 - 1e-9)) + 1)


def go(world: World, thing: int, target: tuple[float, float], s: int, e: int,
       adverb: str | None) -> None:
    """Move a thing to a place along a line."""
    p = profile(e - s, adverb)
    for name, goal in zip('xy', target, strict=True):
        begin = world.now[name][thing]
        world.set(name, thing, slice(s, e), begin + (goal - begin) * p)


def _reach(world: World, thing: int, target: tuple[float, float], s: int, e: int,
           adverb: str | None, ignore: tuple[int, ...] = ()) -> bool:
    x, y = target
    if not world.inside(x, y, world.now['radius'][thing]):
        return False
    if not world.free(thing, x, y, ignore):
        return False
    go(world, thing, target, s, e, adverb)
    return True


def move(world: World, event, s: int, e: int) -> bool:
    """Along an axis by a quarter to four tenths of the canvas."""
    a, (dx, dy) = event.subject, DIRECTIONS[event.label.split()[1]]
    far = world.rng.uniform(0.26, 0.42)
    return _reach(world, a, (world.now['x'][a] + dx * far, world.now['y'][a] + dy * far), s, e,
                  event.adverb)


def stop(world: World, event, s: int, e: int) -> bool:
    """Move during the first half of the slot, stand from then on."""
    half = s + max(2, (e - s) // 2)
    dx, dy = list(DIRECTIONS.values())[world.rng.integers(4)]
    a = event.subject
    far = world.rng.uniform(0.26, 0.36)
    target = (world.now['x'][a] + dx * far, world.now['y'][a] + dy * far)
    if not _reach(world, a, target, s, half, 'slowly'):
        return False
    world.carry(e, a, half)
    return True


def enter(world: World, event, s: int, e: int) -> bool:
    """From outside the canvas to the planned place."""
    a, now = event.subject, world.now
    if now['present'][a]:
        return False
    goal = (now['x'][a], now['y'][a])
    if not world.free(a, *goal):
        return False
    dx, dy = list(DIRECTIONS.values())[world.rng.integers(4)]
    r = now['radius'][a]
    now['x'][a] = goal[0] if dx == 0 else 0.5 + dx * (0.5 + r)
    now['y'][a] = goal[1] if dy == 0 else 0.5 + dy * (0.5 + r)
    world.set('present', a, slice(s, e), True)
    go(world, a, goal, s, e, event.adverb)
    return True


def leave(world: World, event, s: int, e: int) -> bool:
    """Out of the canvas by a random side."""
    a, now = event.subject, world.now
    dx, dy = list(DIRECTIONS.values())[world.rng.integers(4)]
    r = now['radius'][a]
    out = (now['x'][a] if dx == 0 else 0.5 + dx * (0.55 + r),
           now['y'][a] if dy == 0 else 0.5 + dy * (0.55 + r))
    go(world, a, out, s, e, event.adverb)
    now['present'][a] = False
    return True


def rotate(world: World, event, s: int, e: int) -> bool:
    """Half a turn slowly, one turn, or three quickly; either sense."""
    a = event.subject
    turns = {'slowly': 0.5, 'quickly': 2.0}.get(event.adverb, 1.0)
    sense = (-1, 1)[world.rng.integers(2)]
    u = np.arange(1, e - s + 1) / (e - s)
    world.set('angle', a, slice(s, e), world.now['angle'][a] + sense * turns * 2 * np.pi * u)
    return True


def scale(world: World, event, s: int, e: int) -> bool:
    """Grow or shrink by a factor of 1.6."""
    a = event.subject
    begin = world.now['radius'][a]
    goal = begin * 1.6 if event.label == 'grow' else begin / 1.6
    if not 0.065 <= goal <= 0.28:
        return False
    x, y = world.now['x'][a], world.now['y'][a]
    if goal > begin and not world.inside(x, y, goal):
        return False
    world.set('radius', a, slice(s, e), begin + (goal - begin) * profile(e - s, event.adverb))
    return True


def flash(world: World, event, s: int, e: int) -> bool:
    """Lit for a third of the slot once, or in turns of two frames."""
    n, a = e - s, event.subject
    k = np.arange(n)
    if event.adverb == 'once':
        lit = (k >= n // 3) & (k < n // 3 + max(2, n // 3))
    else:
        lit = (k // 2) % 2 == 0
    lit[-1] = False
    world.set('lit', a, slice(s, e), lit)
    return True


def turn_colour(world: World, event, s: int, e: int) -> bool:
    """Take another colour half-way through."""
    a, goal = event.subject, list(COLOURS).index(event.label.split()[1])
    begin = world.now['colour'][a]
    if begin == goal:
        return False
    middle = (e - s) // 2
    world.set('colour', a, slice(s, e), np.where(np.arange(e - s) < middle, begin, goal))
    return True


def _line(world: World, a: int, b: int) -> tuple[np.ndarray, float]:
    d = np.array([world.now['x'][b] - world.now['x'][a], world.now['y'][b] - world.now['y'][a]])
    length = float(np.hypot(*d))
    return d / max(length, 1e-6), length


def _gap(world: World, a: int, b: int) -> float:
    return world.now['radius'][a] + world.now['radius'][b]


def approach(world: World, event, s: int, e: int) -> bool:
    """Up to a small distance from the object."""
    a, b = event.subject, event.object
    d, length = _line(world, a, b)
    near = _gap(world, a, b) + 0.02
    if length < near + 0.2:
        return False
    target = np.array([world.now['x'][b], world.now['y'][b]]) - d * near
    return _reach(world, a, tuple(target), s, e, event.adverb)


def withdraw(world: World, event, s: int, e: int) -> bool:
    """Away from the object along the line that joins them."""
    a, b = event.subject, event.object
    d, _ = _line(world, a, b)
    far = world.rng.uniform(0.26, 0.4)
    target = np.array([world.now['x'][a], world.now['y'][a]]) - d * far
    return _reach(world, a, tuple(target), s, e, event.adverb)


def pass_by(world: World, event, s: int, e: int) -> bool:
    """Across the object to its other side, below or above it in depth."""
    a, b = event.subject, event.object
    d, length = _line(world, a, b)
    if length > 0.55:
        return False
    beyond = _gap(world, a, b) + 0.04
    target = np.array([world.now['x'][b], world.now['y'][b]]) + d * beyond
    depth = world.now['depth'][b] + (-0.5 if event.label == 'pass behind' else 0.5)
    if not _reach(world, a, tuple(target), s, e, event.adverb):
        return False
    world.set('depth', a, slice(s, e), depth)
    return True


def hit(world: World, event, s: int, e: int) -> bool:
    """Run into the object, which then moves on in the same direction."""
    a, b = event.subject, event.object
    d, length = _line(world, a, b)
    touch = _gap(world, a, b) * 0.92
    half = s + max(2, (e - s) // 2)
    place = np.array([world.now['x'][b], world.now['y'][b]])
    after = place + d * world.rng.uniform(0.2, 0.3)
    if length < touch + 0.15 or not world.inside(*after, world.now['radius'][b]):
        return False
    if not world.free(b, *after, (a,)):
        return False
    go(world, a, tuple(place - d * touch), s, half, 'slowly')
    world.carry(e, a, half)
    world.carry(half, b, s)
    go(world, b, tuple(after), half, e, None)
    return True


def push(world: World, event, s: int, e: int) -> bool:
    """Reach the object in a quarter of the slot, then both move on, touching."""
    a, b = event.subject, event.object
    d, length = _line(world, a, b)
    touch = _gap(world, a, b) * 0.92
    place = np.array([world.now['x'][b], world.now['y'][b]])
    after = place + d * world.rng.uniform(0.22, 0.35)
    if not touch <= length <= touch + 0.22 or not world.inside(*after, world.now['radius'][b]):
        return False
    if not world.free(b, *after, (a,)):
        return False
    contact = s + max(1, (e - s) // 4)
    go(world, a, tuple(place - d * touch), s, contact, 'slowly')
    world.carry(contact, b, s)
    go(world, a, tuple(after - d * touch), contact, e, event.adverb)
    go(world, b, tuple(after), contact, e, event.adverb)
    return True


def follow(world: World, event, s: int, e: int) -> bool:
    """The object moves along an axis, the subject behind it at its distance."""
    a, b = event.subject, event.object
    d, length = _line(world, a, b)
    dx, dy = max(DIRECTIONS.values(), key=lambda v: v[0] * d[0] + v[1] * d[1])
    if dx * d[0] + dy * d[1] < 0.9 or length > 0.5:
        return False
    far = world.rng.uniform(0.24, 0.36)
    goals = [(world.now['x'][k] + dx * far, world.now['y'][k] + dy * far) for k in (a, b)]
    for k, goal, other in ((a, goals[0], b), (b, goals[1], a)):
        if not world.inside(*goal, world.now['radius'][k]) or not world.free(k, *goal, (other,)):
            return False
    for k, goal in ((a, goals[0]), (b, goals[1])):
        go(world, k, goal, s, e, event.adverb)
    return True


def orbit(world: World, event, s: int, e: int) -> bool:
    """One round about the object at the present distance."""
    a, b = event.subject, event.object
    d, length = _line(world, a, b)
    x, y, r = world.now['x'][b], world.now['y'][b], world.now['radius'][a]
    if length > 0.36 or not world.inside(x, y, r + length - 0.02):
        return False
    for other in range(len(world.now['x'])):
        if other not in (a, b) and world.now['present'][other]:
            gap = np.hypot(world.now['x'][other] - x, world.now['y'][other] - y)
            if abs(gap - length) < r + world.now['radius'][other]:
                return False
    sense = (-1, 1)[world.rng.integers(2)]
    u = np.arange(1, e - s + 1) / (e - s)
    angle = np.arctan2(-d[1], -d[0]) + sense * 2 * np.pi * u
    world.set('x', a, slice(s, e), x + length * np.cos(angle))
    world.set('y', a, slice(s, e), y + length * np.sin(angle))
    return True


def wait(world: World, event, s: int, e: int) -> bool:
    """Stand still."""
    return True


ACTIONS: dict[str, Callable] = {
    'enter': enter, 'leave': leave, 'move': move, 'rotate': rotate, 'grow': scale,
    'shrink': scale, 'flash': flash, 'turn': turn_colour, 'approach': approach,
    'move away from': withdraw, 'pass behind': pass_by, 'pass in front of': pass_by, 'hit': hit,
    'push': push, 'follow': follow, 'circle around': orbit, 'stop': stop, 'wait': wait}


def act(world: World, event, s: int, e: int) -> bool:
    """Perform an event in frames [s, e); False where it has no room."""
    action = ACTIONS.get(event.label) or ACTIONS[event.label.split()[0]]
    return action(world, event, s, e)

"""Draws things and events and plays them out.

A draw that has no room (an object would leave the canvas, or run into another) is thrown away
and drawn again from the same generator, so a scene stays a pure function of its seed.
"""

from itertools import pairwise

import numpy as np

from finsta.synthvl.difficulty import Difficulty, combinations
from finsta.synthvl.motion import World, act, duration
from finsta.synthvl.scene import Background, Event, Scene, States, Thing, still_camera
from finsta.synthvl.vocabulary import (
    COLOURS,
    DIRECTIONS,
    KINDS,
    MOVES,
    RADIUS,
    TURNABLE,
)

MAX_DRAWS = 500
PLACEMENTS = 40


def draw_shot(rng: np.random.Generator, options: Difficulty) -> Scene:
    """A scene without cuts; ValueError where the options leave no room for one."""
    # the counts are drawn once and each plan gets many placements, so that throwing away what
    # has no room does not favour short clips and events that need no room
    count = int(rng.integers(options.objects[0], options.objects[1] + 1))
    total = int(rng.integers(options.events[0], options.events[1] + 1))
    for _ in range(MAX_DRAWS):
        things = draw_things(rng, count, options)
        plan = _draw_events(rng, things, total, options)
        if plan is None:
            continue
        things += [Thing(count + k, t.shape, t.colour, 'small', t.texture) for k, t in
                   enumerate(draw_things(rng, options.distractors, options))]
        for _ in range(PLACEMENTS):
            scene = _try_shot(rng, things, plan, options)
            if scene is not None:
                return scene
    raise ValueError(f'no scene found in {MAX_DRAWS} draws for {options}: allow fewer objects or '
                     'events, or more kinds')


def _try_shot(rng: np.random.Generator, things: list[Thing], plan: list[Event],
              options: Difficulty) -> Scene | None:
    world = World(options.num_frames, len(things), rng)
    absent = {e.subject for e in plan if e.label == 'enter'}
    if not place(world, things, absent, options.inside_rate):
        return None
    if not play(world, plan, options.num_frames):
        return None
    events = finish(plan, world.states)
    return Scene(tuple(things), events, world.states, _camera(rng, options),
                 draw_background(rng, options.backgrounds), options.canvas, options.fps)


def draw_things(rng: np.random.Generator, count: int, options: Difficulty) -> list[Thing]:
    """Things that differ in shape or colour; with some chance two share one of them."""
    pool = combinations(options.combinations)
    things: list[Thing] = []
    alike = rng.random() < options.confusable
    while len(things) < count:
        shape, colour = pool[rng.integers(len(pool))]
        if len(things) == 1 and alike:
            first = things[0]
            key = rng.integers(2)
            same = [p for p in pool if p != (first.shape, first.colour)
                    and p[key] == (first.shape, first.colour)[key]]
            shape, colour = same[rng.integers(len(same))] if same else (shape, colour)
        if any((t.shape, t.colour) == (shape, colour) for t in things):
            continue
        size = ('small', 'large')[rng.integers(2)]
        texture = 'striped' if rng.random() < options.striped else 'plain'
        things.append(Thing(len(things), shape, colour, size, texture))
    order = rng.permutation(count)
    return [Thing(k, things[i].shape, things[i].colour, things[i].size, things[i].texture)
            for k, i in enumerate(order)]


def allowed_kinds(options: Difficulty) -> list[str]:
    """Kinds to draw from; colours count as one kind, directions as four."""
    names = [k for k in KINDS if not k.startswith('turn ')] + ['turn']
    return [k for k in names if not options.kinds or k in options.kinds
            or (k == 'turn' and any(o.startswith('turn ') for o in options.kinds))]


def _draw_events(rng: np.random.Generator, things: list[Thing], total: int,
                 options: Difficulty) -> list[Event] | None:
    kinds = allowed_kinds(options)
    # simple moves are the bulk of what is worth telling apart
    weights = np.array([2.5 if k in MOVES else 1.0 for k in kinds])
    events: list[Event] = []
    for k in range(total):
        label = kinds[rng.choice(len(kinds), p=weights / weights.sum())]
        subject = int(rng.integers(len(things)))
        target = None
        if label == 'turn':
            colours = [c for c in COLOURS if c != things[subject].colour]
            label = f'turn {colours[rng.integers(len(colours))]}'
        kind = KINDS[label]
        if kind.relational:
            others = [t.index for t in things if t.index != subject]
            if not others:
                return None
            target = others[rng.integers(len(others))]
        adverb = None
        if kind.adverbs and rng.random() < options.adverb_rate:
            adverb = kind.adverbs[rng.integers(len(kind.adverbs))]
        events.append(Event(k, label, subject, target, k, k + 1, adverb))
    if not _sensible(events, things):
        return None
    slots = [0]
    for before, after in pairwise(events):
        apart = not {before.subject, before.object} & {after.subject, after.object} - {None}
        overlap = apart and slots.count(slots[-1]) == 1 and rng.random() < options.while_rate
        slots.append(slots[-1] + (0 if overlap else 1))
    length = options.num_frames / (slots[-1] + 1)
    return [Event(e.index, e.label, e.subject, e.object, round(s * length),
                  round((s + 1) * length), e.adverb) for e, s in zip(events, slots, strict=True)]


def _sensible(events: list[Event], things: list[Thing]) -> bool:
    seen: set[tuple] = set()
    gone: set[int] = set()
    scaled: set[int] = set()
    for k, e in enumerate(events):
        parts = {e.subject, e.object} - {None}
        if (e.label, e.subject) in seen or parts & gone:
            return False
        seen.add((e.label, e.subject))
        thing = things[e.subject]
        if e.label == 'rotate' and thing.shape not in TURNABLE and thing.texture == 'plain':
            return False
        later = any({x.subject, x.object} & parts for x in events[:k])
        if e.label == 'enter' and later:
            return False
        if e.label == 'leave':
            gone |= parts
        if e.label in ('grow', 'shrink'):
            if e.subject in scaled:
                return False
            scaled.add(e.subject)
        if e.label == 'wait' and len(events) == 1:
            return False
        if e.label.startswith('turn ') and any(
                x.label.startswith('turn ') and x.subject == e.subject for x in events[:k]):
            return False
    # one colour change must not make two things look alike
    looks = [(t.shape, t.colour) for t in things]
    for e in events:
        if e.label.startswith('turn '):
            if (things[e.subject].shape, e.label.split()[1]) in looks:
                return False
            looks.append((things[e.subject].shape, e.label.split()[1]))
    return True


def place(world: World, things: list[Thing], absent: set[int], inside_rate: float) -> bool:
    """Give things a start place without overlap; a small one may start inside a large one."""
    rng, now, colours = world.rng, world.now, list(COLOURS)
    for t in things:
        k = t.index
        now['radius'][k] = RADIUS[t.size] * rng.uniform(0.94, 1.06)
        now['colour'][k] = colours.index(t.colour)
        now['depth'][k] = k * 0.01
        now['angle'][k] = rng.uniform(-0.12, 0.12)
        now['present'][k] = False
    order = sorted(range(len(things)), key=lambda k: -now['radius'][k])
    for k in order:
        r = now['radius'][k]
        for _ in range(60):
            x, y = rng.uniform(r + 0.03, 1 - r - 0.03, 2)
            if world.free(k, x, y):
                break
        else:
            return False
        now['x'][k], now['y'][k], now['present'][k] = x, y, True
    host, guest = order[0], order[-1]
    if (rng.random() < inside_rate and things[host].size == 'large'
            and things[guest].size == 'small' and things[host].shape in ('square', 'circle')
            and things[host].colour != things[guest].colour):
        now['radius'][guest] = 0.075
        now['x'][guest], now['y'][guest] = now['x'][host], now['y'][host]
        now['depth'][guest] = now['depth'][host] + 0.3
    for k in absent:
        now['present'][k] = False
    return True


def play(world: World, plan: list[Event], frames: int) -> bool:
    """Perform the events slot by slot; False where one has no room."""
    at = 0
    for start in sorted({e.start for e in plan}):
        world.hold(at, start)
        group = [e for e in plan if e.start == start]
        end = group[0].end
        world.hold(start, end)
        for event in group:
            if not act(world, event, start, end):
                return False
        if len(group) == 2 and _collide(world.states, start, end, *[
                {e.subject, e.object} - {None} for e in group]):
            return False
        at = end
    world.hold(at, frames)
    return not _crossing(world.states, plan)


def _collide(states: States, s: int, e: int, first: set[int], second: set[int]) -> bool:
    for a in first:
        for b in second:
            gap = np.hypot(states.x[s:e, a] - states.x[s:e, b],
                           states.y[s:e, a] - states.y[s:e, b])
            if (gap < 0.85 * (states.radius[s:e, a] + states.radius[s:e, b])).any():
                return True
    return False


def _crossing(states: States, plan: list[Event]) -> bool:
    """Whether a thing runs over one that its event does not name."""
    for e in plan:
        s = slice(e.start, e.end)
        for b in range(states.x.shape[1]):
            if b in (e.subject, e.object):
                continue
            both = states.present[s, b] & states.present[s, e.subject]
            gap = np.hypot(states.x[s, e.subject] - states.x[s, b],
                           states.y[s, e.subject] - states.y[s, b])
            if (both & (gap < 0.6 * (states.radius[s, e.subject] + states.radius[s, b]))).any():
                return True
    return False


def finish(plan: list[Event], states: States) -> tuple[Event, ...]:
    """End events where nothing more is to be seen, and add the moves that follow from them."""
    out: list[Event] = []
    for e in plan:
        end = e.end
        if e.adverb != 'slowly' and (e.label in MOVES or e.label in (
                'grow', 'shrink', 'approach', 'move away from', 'pass behind',
                'pass in front of', 'follow')):
            end = e.start + duration(e.end - e.start, e.adverb)
        out.append(Event(e.index, e.label, e.subject, e.object, e.start, end, e.adverb))
    number = len(plan)
    for e in list(out):
        if e.label in MOVES or e.label in ('circle around', 'wait', 'rotate'):
            continue
        for k in sorted({e.subject, e.object} - {None}):
            found = _drift(states, k, e.start, e.end)
            if found:
                out.append(Event(number, f'move {found[0]}', k, None, found[1], found[2],
                                 None, False))
                number += 1
    return tuple(out)


def _drift(states: States, k: int, s: int, e: int) -> tuple[str, int, int] | None:
    """Axis direction and interval of a clear shift of thing k in [s, e), or None."""
    begin = max(0, s - 1)
    dx = states.x[e - 1, k] - states.x[begin, k]
    dy = states.y[e - 1, k] - states.y[begin, k]
    if states.present[s:e, k].sum() < 2:
        return None
    if not states.present[begin, k]:
        dx, dy = states.x[e - 1, k] - states.x[s, k], states.y[e - 1, k] - states.y[s, k]
    if max(abs(dx), abs(dy)) < 0.12 or min(abs(dx), abs(dy)) > 0.5 * max(abs(dx), abs(dy)):
        return None
    step = np.hypot(np.diff(states.x[begin:e, k]), np.diff(states.y[begin:e, k]))
    moving = np.flatnonzero(step > 0.005)
    name = max(DIRECTIONS, key=lambda d: DIRECTIONS[d][0] * dx + DIRECTIONS[d][1] * dy)
    return name, max(s, begin + int(moving[0]) + 1), begin + int(moving[-1]) + 2


def _camera(rng: np.random.Generator, options: Difficulty) -> np.ndarray:
    kind = options.cameras[rng.integers(len(options.cameras))]
    camera = still_camera(options.num_frames)
    u = np.linspace(-1, 1, options.num_frames)
    angle = rng.uniform(0, 2 * np.pi)
    if kind == 'pan':
        camera[:, 0] += 0.07 * np.cos(angle) * u
        camera[:, 1] += 0.07 * np.sin(angle) * u
    elif kind == 'zoom':
        camera[:, 2] = 1 - 0.1 * (1 + (u if angle < np.pi else -u))
    return camera


def draw_background(rng: np.random.Generator, kinds: tuple[str, ...]) -> Background:
    """Dim greys and dim tints, so that every object colour stands out."""
    kind = kinds[rng.integers(len(kinds))]
    low = tuple(int(v) for v in rng.integers(15, 60, 3))
    high = tuple(int(v) for v in rng.integers(50, 105, 3))
    return Background(kind, low, low if kind == 'plain' else high, int(rng.integers(1 << 30)))


def join_shots(shots: list[Scene]) -> Scene:
    """One long clip of several shots with cuts; things and events are numbered through."""
    frames = [s.num_frames for s in shots]
    starts = np.concatenate([[0], np.cumsum(frames)])
    total = sum(len(s.things) for s in shots)
    states = States.zeros(int(starts[-1]), total)
    states.present[:] = False
    things: list[Thing] = []
    events: list[Event] = []
    for shot, at in zip(shots, starts[:-1], strict=True):
        base, columns = len(things), slice(len(things), len(things) + len(shot.things))
        for name, values in vars(shot.states).items():
            getattr(states, name)[at:at + shot.num_frames, columns] = values
        for e in shot.events:
            events.append(Event(len(events), e.label, e.subject + base,
                                None if e.object is None else e.object + base,
                                e.start + int(at), e.end + int(at), e.adverb, e.told))
        things += [Thing(base + t.index, t.shape, t.colour, t.size, t.texture)
                   for t in shot.things]
    return Scene(tuple(things), tuple(events), states,
                 np.concatenate([s.camera for s in shots]), shots[0].background,
                 shots[0].canvas, shots[0].fps, cuts=tuple(int(v) for v in starts[1:-1]),
                 backgrounds=tuple(s.background for s in shots))

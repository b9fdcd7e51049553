"""The nine factors of minimal pairs: for each a function that stages both halves of a pair.

A half is a scene and what is said of it; ``minimal_pairs.py`` lists what the halves differ in.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from finsta.synthvl.language import EARLIER_FIRST, LATER_FIRST, TOGETHER, Narrator, pick
from finsta.synthvl.scene import Event, Scene, States
from finsta.synthvl.staging import (
    COLOUR_NAMES,
    FRAMES,
    HALF,
    Stage,
    backwards,
    draw_colours,
    draw_looks,
    draw_shapes,
    ramp,
    tell_both,
)
from finsta.synthvl.vocabulary import DIRECTIONS, OPPOSITE, TURNABLE

# the forms of a clause pair in which both captions keep the same words
_WHILE = TOGETHER[:3]
_IN_ORDER = (*EARLIER_FIRST, *LATER_FIRST)
Half = tuple[Scene, Callable[[Narrator], None]]


def _motion_direction(rng: np.random.Generator) -> tuple[Half, Half]:
    d = pick(rng, tuple(DIRECTIONS))
    lanes = rng.permutation([0.28, 0.72])
    stage = Stage(draw_looks(rng), [(0.5, 0.5)] * 2, rng)
    flat = DIRECTIONS[d][0] != 0
    along, across = (stage.states.x, stage.states.y) if flat else (stage.states.y, stage.states.x)
    sign = sum(DIRECTIONS[d])
    for k, way in enumerate((sign, -sign)):
        along[:, k] = 0.5 + way * ramp(-0.25, 0.25)
        across[:, k] = lanes[k]
    a, b = stage.event(f'move {d}', 0), stage.event(f'move {OPPOSITE[d]}', 1)
    first = stage.scene()
    turned = [replace(a, label=b.label), replace(b, label=a.label)]
    second = first.replace(states=backwards(stage.states), events=tuple(turned))
    return ((first, lambda n: tell_both(n, a, b, _WHILE)),
            (second, lambda n: tell_both(n, *turned, _WHILE)))


def _agent_patient(rng: np.random.Generator) -> tuple[Half, Half]:
    label = pick(rng, ('push', 'follow'))
    d = pick(rng, tuple(DIRECTIONS))
    gap = 0.24 if label == 'push' else 0.38
    stage = Stage(draw_looks(rng), [(0.5, 0.5)] * 2, rng)
    flat, sign = DIRECTIONS[d][0] != 0, sum(DIRECTIONS[d])
    along, across = (stage.states.x, stage.states.y) if flat else (stage.states.y, stage.states.x)
    across[:] = rng.uniform(0.25, 0.75)
    reach = 0.5 - gap / 2 - 0.15
    middle = sign * ramp(-reach, reach)
    along[:, 0], along[:, 1] = 0.5 + middle - sign * gap / 2, 0.5 + middle + sign * gap / 2
    e = stage.event(label, 0, 1)
    moves = [stage.event(f'move {d}', k, told=False) for k in (0, 1)]
    first = stage.scene()
    turned = replace(e, subject=1, object=0)
    back = [replace(m, label=f'move {OPPOSITE[d]}') for m in moves]
    second = first.replace(states=backwards(stage.states), events=(turned, *back))
    forms = ('finite', 'progressive', 'passive')
    return ((first, lambda n: n.clause(e, form=n.say(forms))),
            (second, lambda n: n.clause(turned, form=n.say(forms))))


def _state_change(rng: np.random.Generator) -> tuple[Half, Half]:
    if rng.random() < 0.5:
        return _scaling(rng)
    (shape, other), (c1, c2, c3) = draw_shapes(rng), draw_colours(rng, 3)
    xs = rng.permutation([0.27, 0.73])
    stage = Stage([(shape, c1), (other, c3)], [(x, rng.uniform(0.25, 0.75)) for x in xs], rng)
    stage.states.colour[HALF:, 0] = COLOUR_NAMES.index(c2)
    e = stage.event(f'turn {c2}', 0)
    first = stage.scene()
    turned = replace(e, label=f'turn {c1}')
    things = (replace(stage.things[0], colour=c2), stage.things[1])
    second = first.replace(states=backwards(stage.states), events=(turned,), things=things)
    forms = ('finite', 'progressive')
    return ((first, lambda n: n.clause(e, form=n.say(forms))),
            (second, lambda n: n.clause(turned, form=n.say(forms))))


def _scaling(rng: np.random.Generator) -> tuple[Half, Half]:
    xs = rng.permutation([0.27, 0.73])
    stage = Stage(draw_looks(rng), [(x, rng.uniform(0.3, 0.7)) for x in xs], rng)
    stage.states.radius[:, 0] = ramp(0.09, 0.19)
    stage.states.radius[:, 1] = ramp(0.19, 0.09)
    a, b = stage.event('grow', 0), stage.event('shrink', 1)
    first = stage.scene()
    turned = [replace(a, label='shrink'), replace(b, label='grow')]
    second = first.replace(states=backwards(stage.states), events=tuple(turned))
    return ((first, lambda n: tell_both(n, a, b, _WHILE)),
            (second, lambda n: tell_both(n, *turned, _WHILE)))


def _relation(rng: np.random.Generator) -> tuple[Half, Half]:
    (s1, c1), (s2, c2) = draw_looks(rng)
    stage = Stage([(s1, c1), (s1, c1), (s2, c2)], [(0.5, 0.5)] * 3, rng)
    flat = bool(rng.integers(2))
    across, along = (stage.states.y, stage.states.x) if flat else (stage.states.x, stage.states.y)
    across[:] = [0.17, 0.83, 0.5]
    for k, way in enumerate((-1, 1)):
        along[:, k] = 0.5 + way * ramp(-0.17, 0.17)
    low, high = ('left', 'right') if flat else ('up', 'down')
    names = ('above', 'below') if flat else ('left of', 'right of')
    a, b = stage.event(f'move {low}', 0), stage.event(f'move {high}', 1)
    first = stage.scene()
    turned = [replace(a, label=b.label), replace(b, label=a.label)]
    second = first.replace(states=backwards(stage.states), events=tuple(turned))
    def say(n: Narrator, events: list[Event]) -> None:
        for k, (e, name) in enumerate(zip(events, names, strict=True)):
            if k:
                n.writer.word(n.say(('while', 'and')))
            n.clause(e, form='finite', place=(name, 2))
    return (first, lambda n: say(n, [a, b])), (second, lambda n: say(n, turned))


def _attribute_binding(rng: np.random.Generator) -> tuple[Half, Half]:
    (s1, s2), (c1, c2) = draw_shapes(rng), draw_colours(rng)
    looks = [(s1, c1), (s2, c2), (s1, c2), (s2, c1)]
    stage = Stage(looks, [(0.5, 0.5)] * 4, rng, radius=0.105)
    flat = bool(rng.integers(2))
    along, across = (stage.states.x, stage.states.y) if flat else (stage.states.y, stage.states.x)
    across[:] = rng.permutation([0.13, 0.377, 0.623, 0.87])
    signs = (pick(rng, (-1, 1)), pick(rng, (-1, 1)))
    path = ramp(-0.3, 0.3)
    frozen = pick(rng, path)
    for k, sign in enumerate(signs):
        along[:, k] = 0.5 + sign * path
        # the other two stand where movers of the same directions are in one of their frames
        along[:, k + 2] = 0.5 + sign * frozen
    names = ('left', 'right') if flat else ('up', 'down')
    a, b = (stage.event(f'move {names[int(sign > 0)]}', k) for k, sign in enumerate(signs))
    first = stage.scene()
    swap = {c1: c2, c2: c1}
    things = tuple(replace(t, colour=swap[t.colour]) for t in stage.things)
    states = replace(stage.states, colour=np.tile(
        [COLOUR_NAMES.index(t.colour) for t in things], (FRAMES, 1)))
    second = first.replace(states=states, things=things)

    def say(n: Narrator) -> None:
        tell_both(n, a, b, _WHILE)
    return (first, say), (second, say)


def _order(rng: np.random.Generator) -> tuple[Half, Half]:
    which = pick(rng, ('two', 'move', 'move', 'scale', 'colour'))
    stage, late = _ORDERS[which](rng)
    first = stage.scene()
    a, b = stage.events
    begin, end = (a.start, b.start), (a.end, b.end)
    swapped = [replace(b, start=begin[0], end=end[0]), replace(a, start=begin[1], end=end[1])]
    second = first.replace(states=late, events=tuple(swapped))
    return ((first, lambda n: tell_both(n, a, b, _IN_ORDER)),
            (second, lambda n: tell_both(n, *swapped, _IN_ORDER)))


def _order_two(rng: np.random.Generator) -> tuple[Stage, States]:
    xs = rng.permutation([0.27, 0.73])
    stage = Stage(draw_looks(rng, TURNABLE), [(x, rng.uniform(0.25, 0.75)) for x in xs], rng)
    for k in range(2):
        angle = rng.uniform(0, 2 * np.pi)
        stage.states.angle[:, k] = angle
        if rng.random() < 0.5:
            stage.states.lit[k * HALF:(k + 1) * HALF, k] = np.arange(HALF) // 2 % 2 == 0
            stage.event('flash', k, None, k * HALF, (k + 1) * HALF)
        else:
            turn = np.arange(1, HALF + 1) / HALF * 2 * np.pi
            stage.states.angle[k * HALF:(k + 1) * HALF, k] += turn
            stage.event('rotate', k, None, k * HALF, (k + 1) * HALF)
    return stage, stage.states.map(lambda v: np.roll(v, HALF, 0))


def _there_and_back(rng: np.random.Generator) -> tuple[Stage, States]:
    d = pick(rng, tuple(DIRECTIONS))
    stage = Stage(draw_looks(rng), [(0.5, 0.5)] * 2, rng)
    flat, sign = DIRECTIONS[d][0] != 0, sum(DIRECTIONS[d])
    along, across = (stage.states.x, stage.states.y) if flat else (stage.states.y, stage.states.x)
    lanes = rng.permutation([0.28, 0.72])
    across[:] = lanes
    along[:, 1] = rng.uniform(0.2, 0.8)
    wave = np.concatenate([ramp(-0.25, 0.25, HALF), ramp(0.25, -0.25, HALF)])
    along[:, 0] = 0.5 + sign * wave
    stage.event(f'move {d}', 0, None, 0, HALF)
    stage.event(f'move {OPPOSITE[d]}', 0, None, HALF, FRAMES)
    return stage, stage.states.map(lambda v: np.roll(v, HALF, 0))


def _grow_and_shrink(rng: np.random.Generator) -> tuple[Stage, States]:
    xs = rng.permutation([0.27, 0.73])
    stage = Stage(draw_looks(rng), [(x, rng.uniform(0.3, 0.7)) for x in xs], rng)
    stage.states.radius[:, 0] = np.concatenate([ramp(0.09, 0.19, HALF),
                                                ramp(0.19, 0.09, HALF)])
    stage.event('grow', 0, None, 0, HALF)
    stage.event('shrink', 0, None, HALF, FRAMES)
    return stage, stage.states.map(lambda v: np.roll(v, HALF, 0))


def _two_colours(rng: np.random.Generator) -> tuple[Stage, States]:
    (shape, other), (c0, c1, c2, c3) = draw_shapes(rng), draw_colours(rng, 4)
    xs = rng.permutation([0.27, 0.73])
    stage = Stage([(shape, c0), (other, c3)], [(x, rng.uniform(0.25, 0.75)) for x in xs], rng)
    third = FRAMES // 3
    stage.states.colour[third:2 * third, 0] = COLOUR_NAMES.index(c1)
    stage.states.colour[2 * third:, 0] = COLOUR_NAMES.index(c2)
    stage.event(f'turn {c1}', 0, None, third - 2, third + 2)
    stage.event(f'turn {c2}', 0, None, 2 * third - 2, 2 * third + 2)
    late = replace(stage.states, colour=np.concatenate([
        stage.states.colour[:third], stage.states.colour[2 * third:],
        stage.states.colour[third:2 * third]]))
    return stage, late


_ORDERS = {'two': _order_two, 'move': _there_and_back, 'scale': _grow_and_shrink,
           'colour': _two_colours}


def _adverb(rng: np.random.Generator) -> tuple[Half, Half]:
    xs = rng.permutation([0.27, 0.73])
    stage = Stage(draw_looks(rng, TURNABLE), [(x, rng.uniform(0.25, 0.75)) for x in xs], rng)
    if rng.random() < 0.7:
        kind, adverbs, u = 'rotate', ('slowly', 'quickly'), np.arange(FRAMES) / FRAMES
        angles = [rng.uniform(0, 2 * np.pi) + pick(rng, (-1, 1)) * turns * 2 * np.pi * u
                  for turns in (0.5, 2.5)]
        stage.states.angle[:] = np.stack(angles, 1)
        other = replace(stage.states, angle=stage.states.angle[:, ::-1].copy())
    else:
        kind, adverbs, k = 'flash', ('once', 'repeatedly'), np.arange(FRAMES)
        stage.states.lit[:, 0] = (k >= 8) & (k < 16)
        stage.states.lit[:, 1] = k // 3 % 3 == 1
        stage.states.lit[-1, 1] = False
        stage.states.lit[0, 1] = stage.states.lit[:, 1].sum() < 8
        other = replace(stage.states, lit=stage.states.lit[:, ::-1].copy())
    a, b = (stage.event(kind, k, adverb=adverbs[k]) for k in range(2))
    first = stage.scene()
    turned = [replace(a, adverb=b.adverb), replace(b, adverb=a.adverb)]
    second = first.replace(states=other, events=tuple(turned))
    return ((first, lambda n: tell_both(n, a, b, _WHILE)),
            (second, lambda n: tell_both(n, *turned, _WHILE)))


def _coreference(rng: np.random.Generator) -> tuple[Half, Half]:
    xs = rng.permutation([0.27, 0.73])
    stage = Stage(draw_looks(rng, TURNABLE), [(x, rng.uniform(0.25, 0.75)) for x in xs], rng)
    stage.states.angle[:] = rng.uniform(0, 2 * np.pi, 2)
    if rng.random() < 0.5:
        stage.states.lit[:HALF, 0] = np.arange(HALF) // 2 % 2 == 0
        a = stage.event('flash', 0, None, 0, HALF)
    else:
        stage.states.radius[:, 0] = np.concatenate([ramp(0.09, 0.17, HALF),
                                                    np.full(HALF, 0.17)])
        a = stage.event('grow', 0, None, 0, HALF)
    waits = stage.event('wait', 1, None, 0, HALF)
    turn = np.concatenate([np.zeros(HALF), np.arange(1, HALF + 1) / HALF * 2 * np.pi])
    scenes, events = [], []
    base = stage.scene()
    for k in range(2):
        angle = stage.states.angle.copy()
        angle[:, k] += turn
        spin = Event(2, 'rotate', k, None, HALF, FRAMES)
        events.append(spin)
        scenes.append(base.replace(states=replace(stage.states, angle=angle),
                                   events=(a, waits, spin)))

    def say(n: Narrator, k: int) -> None:
        for i, e in enumerate((a, waits)):
            n.clause(e, form='finite')
            if i == k:
                n.writer.plain(', then')
                n.clause(events[k], form='finite', it=True)
            if i == 0:
                n.writer.word('.')
    return (scenes[0], lambda n: say(n, 0)), (scenes[1], lambda n: say(n, 1))


def _counting(rng: np.random.Generator) -> tuple[Half, Half]:
    shape = pick(rng, ('triangle', 'star', 'heart', 'square', 'diamond'))
    c1, c2 = draw_colours(rng)
    corners = [(x, y) for x in (0.26, 0.74) for y in (0.26, 0.74)]
    places = [corners[i] for i in rng.permutation(4)]
    stage = Stage([(shape, c1), (shape, c1), (shape, c2), (shape, c2)], places, rng, 0.15)
    stage.states.angle[:] = rng.uniform(0, 2 * np.pi, 4)
    base, scenes, groups = stage.scene(), [], []
    for moving in ((0, 1, 2), (0, 2, 3)):
        angle = stage.states.angle.copy()
        turn = np.arange(FRAMES) / FRAMES * 2 * np.pi * 1.5
        for k in moving:
            angle[:, k] += turn
        events = tuple(Event(i, 'rotate', k, None, 0, FRAMES) for i, k in enumerate(moving))
        scenes.append(base.replace(states=replace(stage.states, angle=angle), events=events))
        groups.append([[k for k in moving if k < 2], [k for k in moving if k > 1]])
    def say(n: Narrator, k: int) -> None:
        w = n.writer
        first = groups[k][0][0]
        w.open_predicate('turn', 'rotate', 0, first)
        for i, members in enumerate(groups[k]):
            if i:
                w.word('and')
            head, number = members[0], ('one', 'two')[len(members) - 1]
            w.attribute(head, number, number)
            w.attribute(head, n.scene.things[head].colour, n.scene.things[head].colour)
            w.thing(head, shape, shape + ('s' if len(members) > 1 else ''))
        w.predicate('turn', n.say(('rotate', 'spin', 'revolve')))
        w.also('turn', groups[k][1][0])
    return (scenes[0], lambda n: say(n, 0)), (scenes[1], lambda n: say(n, 1))


MAKERS: dict[str, Callable[[np.random.Generator], tuple[Half, Half]]] = {
    'attribute_binding': _attribute_binding, 'relation': _relation,
    'agent_patient': _agent_patient, 'order': _order, 'motion_direction': _motion_direction,
    'adverb': _adverb, 'state_change': _state_change, 'coreference': _coreference,
    'counting': _counting}

"""make_scene is a pure function, obeys its options, and plays events as they are meant."""

import numpy as np
import pytest

from finsta.synthvl import HELD_OUT, LONG, Facts, make_scene
from finsta.synthvl.difficulty import combinations
from finsta.synthvl.vocabulary import COLOURS, DIRECTIONS, SHAPES

DRAWN = dict(staged=0.0)


def test_same_number_same_scene_other_number_other_scene():
    a, b, c = make_scene(1, 5), make_scene(1, 5), make_scene(1, 6)
    assert a.things == b.things and a.events == b.events and a.background == b.background
    for name, values in vars(a.states).items():
        assert np.array_equal(values, getattr(b.states, name))
    assert a.things != c.things or a.events != c.events


def test_numbers_of_things_and_events_are_in_range():
    scenes = [make_scene(0, i, objects=(3, 4), events=(2, 3), **DRAWN) for i in range(12)]
    assert {len(s.things) for s in scenes} == {3, 4}
    assert {len(s.told_events) for s in scenes} == {2, 3}
    with_more = make_scene(0, 0, objects=(2, 2), distractors=2, **DRAWN)
    assert len(with_more.things) == 4
    assert all(e.subject < 2 for e in with_more.told_events)


@pytest.mark.parametrize('way', list(DIRECTIONS))
def test_moves_go_their_way(way):
    for i in range(4):
        s = make_scene(2, i, kinds=(f'move {way}',), events=(1, 1), **DRAWN)
        e, = s.told_events
        dx = s.states.x[e.end - 1, e.subject] - s.states.x[0, e.subject]
        dy = s.states.y[e.end - 1, e.subject] - s.states.y[0, e.subject]
        assert np.dot(DIRECTIONS[way], (dx, dy)) > 0.2
        assert abs(np.cross((*DIRECTIONS[way], 0), (dx, dy, 0))[2]) < 1e-9


def test_relational_events_do_what_they_say():
    def gap(s, e, f):
        return np.hypot(s.states.x[f, e.subject] - s.states.x[f, e.object],
                        s.states.y[f, e.subject] - s.states.y[f, e.object])
    for kind, sign in (('approach', -1), ('move away from', 1)):
        s = make_scene(4, 0, kinds=(kind,), events=(1, 1), **DRAWN)
        e, = s.told_events
        assert sign * (gap(s, e, e.end - 1) - gap(s, e, 0)) > 0.15
    s = make_scene(4, 1, kinds=('push',), events=(1, 1), **DRAWN)
    e, = s.told_events
    moved = np.ptp(s.states.x[:, e.object]) + np.ptp(s.states.y[:, e.object])
    assert moved > 0.2 and any(not x.told and x.subject == e.object for x in s.events)
    s = make_scene(4, 2, kinds=('pass behind',), events=(1, 1), **DRAWN)
    e, = s.told_events
    assert s.states.depth[-1, e.subject] < s.states.depth[-1, e.object]


def test_adverbs_change_the_pace():
    paces = {}
    for i in range(40):
        s = make_scene(5, i, kinds=('move left', 'move right'), events=(1, 1), adverb_rate=1.0,
                       **DRAWN)
        e, = s.told_events
        paces[e.adverb] = np.abs(np.diff(s.states.x[:, e.subject]))
    assert paces['quickly'].max() > 1.8 * paces['slowly'].max()
    assert (paces['jerkily'] > 1e-6).sum() <= 3 < (paces['smoothly'] > 1e-6).sum()


def test_held_out_combinations_do_not_meet():
    train, held = set(combinations('train')), set(combinations('held_out'))
    assert not train & held and len(train | held) == 64
    assert {s for s, _ in train} == {s for s, _ in held} == set(SHAPES)
    assert {c for _, c in train} == {c for _, c in held} == set(COLOURS)
    for i in range(8):
        s = make_scene(0, i, **HELD_OUT['combinations'], **DRAWN)
        assert {(t.shape, t.colour) for t in s.things} <= held


def test_long_clips_have_cuts_and_many_events():
    s = make_scene(0, 0, **LONG)
    assert s.num_frames / s.fps >= 30 and 8 <= len(s.told_events) <= 24
    assert len(s.cuts) >= 7
    for e in s.told_events:
        shot = sum(e.start >= c for c in s.cuts)
        assert sum(e.end - 1 >= c for c in s.cuts) == shot, 'an event crosses a cut'


def test_camera_moves_boxes_of_things_that_stand():
    still = make_scene(0, 3, kinds=('wait', 'flash'), events=(1, 1), cameras=('pan',), **DRAWN)
    boxes = Facts(still).boxes
    assert np.ptp(still.states.x[:, 0]) == 0 and np.ptp(boxes[:, 0, :2], axis=0).max() > 0.02


@pytest.mark.parametrize(('options', 'words'), [
    (dict(colour='red'), 'unknown difficulty option'), (dict(objects=(3, 2)), 'objects'),
    (dict(kinds=('fly',)), 'fly'), (dict(num_frames=10), 'too short'),
    (dict(canvas=33), 'canvas'), (dict(objects=(4, 5), distractors=3), 'six')])
def test_wrong_options_are_named(options, words):
    with pytest.raises((TypeError, ValueError), match=words):
        make_scene(0, 0, **options)


def test_twins_are_both_halves_of_one_pair():
    """The same things and words, another event; scenes that are drawn stay their own."""
    options = dict(staged=0.7, twins=True)
    staged = 0
    for k in range(40):
        one, other = (make_scene(3, 2 * k + half, **options) for half in (0, 1))
        assert (one.script is None) == (other.script is None)
        if one.script is None:
            assert one.things != other.things or one.events != other.events
            continue
        staged += 1
        assert [t.shape for t in one.things] == [t.shape for t in other.things]
        assert one.background == other.background
        same_states = all(np.array_equal(a, b) for a, b in
                          zip(vars(one.states).values(), vars(other.states).values(),
                              strict=True))
        assert not (same_states and one.events == other.events and one.things == other.things)
        again = make_scene(3, 2 * k, **options)
        assert again.events == one.events
    assert 18 <= staged <= 38

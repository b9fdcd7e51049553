"""MotionVideoParser on clips drawn here: what is where, what it is called, what it does."""

import numpy as np
import pytest

from finsta.parsing.video.shapes import KNOWN_SHAPES, ShapeClassifier, draw
from finsta.registry import SG_PARSERS

SIDE = 96
RED, GREEN, BLUE, YELLOW = (222, 40, 44), (36, 165, 62), (44, 76, 226), (250, 232, 60)


def background(kind, t, rng):
    yy, xx = np.mgrid[:SIDE, :SIDE] / SIDE
    base = np.full((SIDE, SIDE, 3), (38, 44, 52), float)
    if kind == 'gradient':
        base += 40 * (0.6 * xx + 0.4 * yy)[..., None]
    if kind == 'noise':
        base += rng.normal(0, 7, base.shape)
    if kind == 'moving':
        base += 12 * np.sin(30 * xx + 0.6 * t)[..., None]
    return base


def render(things, frames=16, kind='plain'):
    """things: list of t -> (shape, colour, x, y, radius, angle) or None, drawn in order."""
    rng = np.random.default_rng(0)
    out = np.empty((frames, SIDE, SIDE, 3), np.uint8)
    for t in range(frames):
        image = background(kind, t, rng)
        for thing in things:
            state = thing(t)
            if state is None:
                continue
            shape, colour, x, y, radius, angle = state
            mask = draw(shape, radius, angle, (x % 1, y % 1))
            half = mask.shape[0] // 2
            top, left = int(y) - half, int(x) - half
            ys, xs = np.nonzero(mask)
            ys, xs = ys + top, xs + left
            good = (ys >= 0) & (ys < SIDE) & (xs >= 0) & (xs < SIDE)
            image[ys[good], xs[good]] = colour
        out[t] = np.clip(image, 0, 255)
    return out


def still(shape, colour, x, y, radius=11.0, angle=0.0):
    return lambda t: (shape, colour, x, y, radius, angle)


def parse(frames, fps=8, **kwargs):
    parser = SG_PARSERS.build(dict(type='MotionVideoParser', **kwargs))
    return parser.parse_frames(frames, np.arange(len(frames)) / fps, 'clip')


def said(dsg):
    """(subject label, predicate, object label) -> frames."""
    out = {}
    for t, graph in enumerate(dsg.frames):
        name = [n.label for n in graph.nodes]
        for s, p, o in graph.triples():
            out.setdefault((name[s], name[p], None if o is None else name[o]), []).append(t)
    return out


def objects(dsg, t):
    graph = dsg.frames[t]
    return {graph.nodes[i].label: (graph.nodes[i], {graph.nodes[k].label for k in
                                                    graph.targets(i, 'attribute')})
            for i in graph.of_kind('object')}


@pytest.mark.parametrize('kind', ['plain', 'gradient', 'noise', 'moving'])
def test_standing_and_moving_things_with_names_boxes_and_relations(kind):
    frames = render([still('star', YELLOW, 24, 30, 16),
                     lambda t: ('circle', BLUE, 20 + 3.5 * t, 70, 10, 0)], 16, kind)
    dsg = parse(frames)
    assert len(dsg.frames) == 16 and dsg.size == (SIDE, SIDE)
    for t in (0, 7, 15):
        found = objects(dsg, t)
        assert set(found) == {'star', 'circle'}
        circle, words = found['circle']
        assert {'blue', 'small', 'plain'} <= words
        assert {'yellow', 'large'} <= found['star'][1]
        assert circle.box[0] * SIDE == pytest.approx(20 + 3.5 * t, abs=2)
        assert circle.box[2] * SIDE == pytest.approx(20, abs=4)
    facts = said(dsg)
    moving = facts['circle', 'move right', None]
    assert len(moving) >= 14 and ('star', 'move right', None) not in facts
    both = facts.get(('star', 'above', 'circle'), []) + facts.get(('circle', 'below', 'star'), [])
    assert 0 in both
    for graph, row in zip(dsg.frames[1:], dsg.predecessors[1:], strict=True):
        assert all(row[i] >= 0 for i in graph.of_kind('object'))


def test_identity_survives_a_crossing():
    def mover(shape, colour, x, y, step):
        return lambda t: (shape, colour, x + step * t, y, 10, 0)
    dsg = parse(render([mover('square', RED, 16, 45, 4), mover('circle', GREEN, 78, 51, -4)]))
    for colour, start, step in (('red', 16, 4), ('green', 78, -4)):
        ids = set()
        for t in range(16):
            graph = dsg.frames[t]
            for i in graph.of_kind('object'):
                words = {graph.nodes[k].label for k in graph.targets(i, 'attribute')}
                place = graph.nodes[i].box[0] * SIDE
                if colour in words and abs(place - start - step * t) < 6:
                    ids.add(graph.nodes[i].entity)
        assert len(ids) == 1


@pytest.mark.parametrize('name, subject, states', [
    ('grow', 'circle', lambda t: ('circle', RED, 48, 48, 9 + 0.7 * t, 0)),
    ('shrink', 'square', lambda t: ('square', RED, 48, 48, 20 - 0.7 * t, 0)),
    ('rotate', 'star', lambda t: ('star', RED, 48, 48, 18, 0.35 * t)),
    ('flash', 'circle', lambda t: ('circle', (250, 250, 250) if t in (5, 6, 9, 10) else RED,
                                   48, 48, 14, 0)),
    ('turn blue', 'circle', lambda t: ('circle', BLUE if t >= 8 else RED, 48, 48, 14, 0)),
    ('enter', 'circle', lambda t: ('circle', RED, -9 + 6 * min(t, 8), 48, 10, 0)),
    ('leave', 'circle', lambda t: ('circle', RED, 48 + 5 * t, 48, 10, 0)),
    ('move up', 'square', lambda t: ('square', RED, 48, 76 - 3 * t, 12, 0)),
])
def test_events_of_one_thing(name, subject, states):
    facts = said(parse(render([states])))
    assert (subject, name, None) in facts
    own = {label for _, label, _ in facts}
    # nothing else is said of the thing, but that what enters or leaves also moves
    assert own <= {name, *({'move right'} if name in ('enter', 'leave') else ())}


def path(*stops):
    """(x, y) at frame t, linear between (frame, x, y) stops."""
    stops = np.array(stops, float)
    return lambda t: tuple(np.interp(t, stops[:, 0], stops[:, k]) for k in (1, 2))


@pytest.mark.parametrize('name, first, second', [
    ('approach', path((0, 15, 20), (12, 50, 55)), path((0, 64, 68))),
    ('move away from', path((0, 60, 50), (12, 20, 25)), path((0, 76, 60))),
    ('hit', path((0, 14, 40), (6, 42, 54)), path((0, 60, 62), (6, 60, 62), (12, 82, 73))),
    ('push', path((0, 22, 48), (3, 28, 48), (14, 60, 48)), path((0, 47, 48), (3, 47, 48),
                                                               (14, 79, 48))),
    ('follow', path((0, 15, 40), (12, 48, 40)), path((0, 46, 40), (12, 79, 40))),
    ('circle around', lambda t: (48 + 30 * np.cos(0.4 * t), 48 + 30 * np.sin(0.4 * t)),
     path((0, 48, 48))),
])
def test_events_of_two_things(name, first, second):
    facts = said(parse(render([lambda t: ('square', RED, *first(t), 10, 0),
                               lambda t: ('circle', GREEN, *second(t), 10, 0)])))
    events = {k for k in facts if k[1] in ('approach', 'move away from', 'hit', 'push', 'follow',
                                           'circle around', 'pass behind', 'pass in front of')}
    assert events == {('square', name, 'circle')}


@pytest.mark.parametrize('order', ['pass behind', 'pass in front of'])
def test_who_is_in_front_when_one_passes_the_other(order):
    mover = lambda t: ('square', RED, 14 + 5 * t, 48, 10, 0)  # noqa: E731
    things = [mover, still('circle', GREEN, 48, 50, 14)]
    facts = said(parse(render(things if order == 'pass behind' else things[::-1], 14)))
    assert ('square', order, 'circle') in facts
    assert ('circle', order, 'square') not in facts


def test_idle_words_only_on_demand():
    frames = render([path_thing := (lambda t: ('circle', RED, 20 + 4 * min(t, 8), 48, 10, 0)),
                     still('square', BLUE, 70, 20)], 20)
    assert path_thing(0)
    quiet, loud = said(parse(frames)), said(parse(frames, idle=True))
    assert not {'stop', 'wait'} & {k[1] for k in quiet}
    assert ('circle', 'stop', None) in loud and ('square', 'wait', None) in loud


@pytest.mark.parametrize('frames', [
    np.zeros((8, 64, 64, 3), np.uint8), np.full((5, 64, 64, 3), 255, np.uint8),
    np.random.default_rng(0).integers(0, 255, (8, 64, 64, 3), np.uint8),
    np.zeros((1, 64, 64, 3), np.uint8), np.zeros((2, 1, 1, 3), np.uint8),
    np.random.default_rng(0).integers(0, 255, (1, 3, 200, 3), np.uint8)])
def test_content_never_raises(frames):
    parser = SG_PARSERS.build(dict(type='MotionVideoParser'))
    dsg = parser.parse_frames(frames, np.arange(len(frames)) / 8)
    assert len(dsg.frames) == len(frames) and parser.num_empty == 1
    assert not any(g.nodes for g in dsg.frames)


def test_one_frame_still_has_objects_and_bounds_hold():
    one = parse(render([still('heart', RED, 30, 30, 14), still('circle', BLUE, 70, 60)], 1))
    assert set(objects(one, 0)) == {'heart', 'circle'}
    many = render([still('circle', RED, x, y, 5) for x in range(12, 90, 16)
                   for y in range(12, 90, 16)], 3)
    assert len(parse(many, max_objects=4).frames[0].of_kind('object')) == 4


def test_a_real_looking_scene_gives_only_what_moves_as_object():
    rng = np.random.default_rng(2)
    import cv2
    scene = cv2.resize(rng.integers(0, 255, (10, 14, 3), np.uint8), (160, 120),
                       interpolation=cv2.INTER_CUBIC)
    frames = np.repeat(scene[None], 20, 0)
    for t in range(20):
        frames[t, 40:70, 10 + 5 * t:35 + 5 * t] = (200, 30, 30)
    dsg = parse(frames)
    assert {n.label for g in dsg.frames for n in g.nodes if n.kind == 'object'} == {'object'}
    assert ('object', 'move right', None) in said(dsg)
    box = next(n for n in dsg.frames[10].nodes if n.kind == 'object').box
    assert box[0] * 160 == pytest.approx(10 + 50 + 12.5, abs=6)


def test_same_frames_same_graph_and_files_are_read(tmp_path):
    import cv2
    frames = render([lambda t: ('circle', RED, 20 + 3 * t, 48, 12, 0)])
    assert parse(frames) == parse(frames)
    path = tmp_path / 'clip.mp4'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'mp4v'), 8, (SIDE, SIDE))
    for frame in frames:
        writer.write(frame[..., ::-1])
    writer.release()
    parser = SG_PARSERS.build(dict(type='MotionVideoParser', max_frames=10))
    good, bad = parser.parse([str(path), str(tmp_path / 'none.mp4')])
    assert len(good.frames) == 10 and ('circle', 'move right', None) in said(good)
    assert parser.num_unreadable == 1 and not bad.frames[0].nodes
    assert good.video == str(path) and good.parser.startswith('MotionVideoParser')


def test_shapes_are_told_apart_at_any_rotation():
    classify = ShapeClassifier(KNOWN_SHAPES)
    rng = np.random.default_rng(7)
    right = [classify([draw(name, rng.uniform(9, 20), rng.uniform(0, 7))])[0] == name
             for name in KNOWN_SHAPES for _ in range(10)]
    assert np.mean(right) > 0.93
    assert classify([])[0] == 'object' and classify([np.zeros((4, 4), bool)])[0] == 'object'
    with pytest.raises(ValueError, match='trapezoid'):
        ShapeClassifier(('trapezoid',))

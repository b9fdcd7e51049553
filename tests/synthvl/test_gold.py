"""The gold graph tells what the pixels show, also after encoding."""

import numpy as np
import pytest

from finsta.synthvl import Facts, dynamic_graph, make_scene, render
from finsta.synthvl.gold import RELATION_BASE
from finsta.synthvl.vocabulary import COLOURS


def _lone(scene, k):
    """The clip with thing k only."""
    present = scene.states.present.copy()
    present[:, [i for i in range(present.shape[1]) if i != k]] = False
    states = scene.states.map(np.copy)
    states.present = present
    return scene.replace(states=states)


def _pixel_box(frame, empty, colour):
    """Box of the pixels that are at least half covered."""
    cover = (frame - empty) @ (colour - empty) / ((colour - empty) @ (colour - empty))
    ys, xs = np.nonzero(cover > 0.5)
    return (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1) if len(xs) else None


def _iou(a, b):
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    inter = np.clip(np.subtract(high, low), 0, None).prod()
    area = [(v[2] - v[0]) * (v[3] - v[1]) for v in (a, b)]
    return inter / (sum(area) - inter)


@pytest.mark.parametrize('suffix', [None, '.avi', '.mp4'])
def test_boxes_are_where_the_pixels_are(suffix, tmp_path):
    decord = pytest.importorskip('decord') if suffix else None
    from finsta.synthvl.video_files import write_video
    values = []
    for i in range(4):
        whole = make_scene(0, i, backgrounds=('plain',), staged=0.0, striped=0.0)
        scene = _lone(whole, 0)
        frames, facts = render(scene), Facts(scene)
        if suffix:
            write_video(tmp_path / f'a{i}{suffix}', frames, scene.fps)
            frames = decord.VideoReader(str(tmp_path / f'a{i}{suffix}')).get_batch(
                range(scene.num_frames)).asnumpy()
        for f in np.flatnonzero(facts.visible[:, 0])[::3]:
            colour = (255, 255, 255) if scene.states.lit[f, 0] else \
                list(COLOURS.values())[scene.states.colour[f, 0]]
            found = _pixel_box(frames[f], np.array(scene.background.low), np.array(colour))
            assert found is not None
            values.append(_iou(found, facts.boxes[f, 0] * scene.canvas))
    assert np.mean(values) > (0.88 if suffix else 0.9), np.mean(values)


def test_labels_and_identities():
    scene = make_scene(0, 8)
    graph = dynamic_graph(scene)
    assert len(graph.frames) == scene.num_frames
    for f, frame in enumerate(graph.frames):
        for i in frame.of_kind('object'):
            thing = scene.things[frame.nodes[i].entity]
            words = {frame.nodes[a].label for a in frame.targets(i, 'attribute')}
            colour = list(COLOURS)[scene.states.colour[f, thing.index]]
            assert frame.nodes[i].label == thing.shape and colour in words
        said = {frame.nodes[p].entity for p in frame.of_kind('predicate')
                if frame.nodes[p].entity < RELATION_BASE}
        assert said <= {e.index for e in scene.events if e.start <= f < e.end}


def test_a_colour_change_reaches_the_attributes():
    scene = make_scene(1, 0, kinds=('turn',), events=(1, 1), staged=0.0)
    event, = scene.told_events
    graph = dynamic_graph(scene)

    def colours(f):
        frame = graph.frames[f]
        i = next(k for k in frame.of_kind('object') if frame.nodes[k].entity == event.subject)
        return {frame.nodes[a].label for a in frame.targets(i, 'attribute')} & set(COLOURS)
    assert colours(0) == {scene.things[event.subject].colour}
    assert colours(-1) == {event.label.split()[1]}


def test_relations_hold_in_the_boxes():
    seen = set()
    for i in range(10):
        facts = Facts(make_scene(2, i))
        for f in (0, 12, 23):
            centre = (facts.boxes[f, :, :2] + facts.boxes[f, :, 2:]) / 2
            for a, label, b in facts.relations(f):
                seen.add(label)
                dx, dy = centre[a] - centre[b]
                held = {'left of': dx < 0, 'right of': dx > 0, 'above': dy < 0, 'below': dy > 0}
                assert held.get(label, True)
    assert {'left of', 'right of', 'above', 'below'} <= seen


def test_what_is_hidden_or_outside_is_not_there():
    scene = make_scene(0, 1, kinds=('leave',), events=(1, 1), staged=0.0)
    event, = scene.told_events
    last = dynamic_graph(scene).frames[-1]
    assert event.subject not in {last.nodes[i].entity for i in last.of_kind('object')}

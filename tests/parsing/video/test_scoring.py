"""The scores of video parsers against cases counted by hand, and IDF1 against brute force."""

from itertools import permutations

import numpy as np
import pytest

from finsta.parsing.video.scoring import Score, f1, match_boxes, nearest_frames
from finsta.structures import DynamicSceneGraph, Edge, Node, SceneGraph

pytest.importorskip('motmetrics')
LEFT, MIDDLE, RIGHT = (0.2, 0.5, 0.2, 0.2), (0.5, 0.5, 0.2, 0.2), (0.8, 0.5, 0.2, 0.2)


def frame(things, facts=()):
    """things: (entity, label, box, attributes); facts: (predicate, subject, object or None), by
    place in ``things``."""
    nodes = [Node('object', label, box=box, entity=entity) for entity, label, box, _ in things]
    edges = []
    for i, (*_, attributes) in enumerate(things):
        for label in attributes:
            edges.append(Edge(i, len(nodes), 'attribute'))
            nodes.append(Node('attribute', label))
    for label, subject, target in facts:
        edges.append(Edge(subject, len(nodes), 'subject'))
        if target is not None:
            edges.append(Edge(len(nodes), target, 'object'))
        nodes.append(Node('predicate', label))
    return SceneGraph(tuple(nodes), tuple(edges))


def video(*frames, times=None):
    return DynamicSceneGraph(tuple(frames), times or tuple(i / 8 for i in range(len(frames))))


def summary(gold, parsed):
    score = Score()
    score.add(gold, parsed)
    return score.summary()


def test_objects_labels_and_attributes_counted_by_hand():
    gold = video(frame([(0, 'circle', LEFT, ['red', 'small']), (1, 'square', MIDDLE, ['blue']),
                        (2, 'star', RIGHT, [])]))
    # the first agrees but for one attribute, the second has another label and one too many; the
    # third is moved by half of its width: IoU 1/3, no match
    parsed = video(frame([(7, 'circle', LEFT, ['red']), (8, 'star', MIDDLE, ['blue', 'large']),
                          (9, 'star', (0.9, 0.5, 0.2, 0.2), [])]))
    got = summary(gold, parsed)
    assert got['object recall'] == got['object precision'] == pytest.approx(2 / 3)
    assert got['label accuracy'] == pytest.approx(1 / 2)
    assert got['attribute recall'] == pytest.approx(2 / 3)
    assert got['attribute precision'] == pytest.approx(2 / 3)


def test_recall_and_precision_part_where_one_side_has_more():
    two = frame([(0, 'circle', LEFT, []), (1, 'square', RIGHT, [])])
    one = frame([(0, 'circle', LEFT, [])])
    got = summary(video(two, two), video(one, two))
    assert (got['object recall'], got['object precision']) == (3 / 4, 1.0)
    got = summary(video(one, two), video(two, two))
    assert (got['object recall'], got['object precision']) == (1.0, 3 / 4)


def test_iou_of_one_half_counts_and_less_does_not():
    whole = (0.5, 0.5, 0.4, 0.4)
    for share, recall in ((0.51, 1.0), (0.49, 0.0)):
        part = video(frame([(0, 'circle', (0.5, 0.5, 0.4, 0.4 * share), [])]))
        assert summary(video(frame([(0, 'circle', whole, [])])), part)['object recall'] == recall


def test_the_matching_is_one_to_one_and_best_in_sum():
    # greedy would take 0.9 and leave the second gold box without any
    assert match_boxes(np.array([[0.9, 0.8], [0.7, 0.0]])) == [(0, 1), (1, 0)]
    assert match_boxes(np.array([[0.9, 0.8]])) == [(0, 0)]
    assert match_boxes(np.array([[0.5, 0.49]])) == [(0, 0)]
    assert match_boxes(np.zeros((0, 2))) == match_boxes(np.array([[0.3]])) == []


def test_predicates_counted_by_hand():
    things = [(0, 'circle', LEFT, []), (1, 'square', RIGHT, [])]
    gold = video(frame(things, [('move left', 0, None), ('push', 0, 1), ('left of', 0, 1)]))
    # said rightly: move left; with subject and object exchanged: push; another relation in place
    # of left of; an event that is not there
    parsed = video(frame([(5, 'circle', LEFT, []), (6, 'square', RIGHT, [])], [
        ('move left', 0, None), ('push', 1, 0), ('above', 0, 1), ('flash', 0, None)]))
    score = Score()
    score.add(gold, parsed)
    assert {k: tuple(v) for k, v in score.predicates.items()} == {
        'move left': (1, 0, 0), 'push': (0, 1, 1), 'left of': (0, 0, 1), 'above': (0, 1, 0),
        'flash': (0, 1, 0)}
    got = score.summary()
    assert got['predicate F1'] == pytest.approx(2 * 1 / (2 * 1 + 3 + 2))
    assert got['spatial F1'] == 0.0
    assert got['event F1'] == pytest.approx(2 * 1 / (2 * 1 + 2 + 1))


def test_a_relation_and_its_converse_say_the_same_and_larger_than_does_not():
    things = [(0, 'circle', LEFT, []), (1, 'square', RIGHT, [])]
    gold = video(frame(things, [('left of', 0, 1), ('larger than', 0, 1)]))
    other = video(frame(things, [('right of', 1, 0), ('larger than', 0, 1)]))
    assert summary(gold, other)['predicate F1'] == 1.0
    # said of the higher number first, a one-way relation is left out on both sides
    turned = video(frame(things, [('left of', 0, 1), ('larger than', 1, 0)]))
    score = Score()
    score.add(gold, turned)
    assert tuple(score.predicates['larger than']) == (0, 0, 1)


def test_a_statement_about_an_unmatched_object_is_wrong():
    gold = video(frame([(0, 'circle', LEFT, [])], [('move left', 0, None)]))
    parsed = video(frame([(0, 'circle', RIGHT, [])], [('move left', 0, None)]))
    score = Score()
    score.add(gold, parsed)
    assert tuple(score.predicates['move left']) == (0, 1, 1)


def test_frames_are_paired_by_time_and_none_twice():
    one = SceneGraph()
    gold = video(one, one, one, one, times=(0.0, 1.0, 2.0, 3.0))
    assert nearest_frames(gold, video(one, one, times=(0.4, 2.6))) == [(0, 0), (3, 1)]
    assert nearest_frames(gold, video(one, one, one, times=(0.9, 1.1, 3.0))) == [(1, 0), (3, 2)]
    assert nearest_frames(gold, video()) == nearest_frames(video(), gold) == []


def test_counts_add_up_over_videos_and_nothing_at_all_is_no_number():
    full = video(frame([(0, 'circle', LEFT, [])], [('flash', 0, None)]))
    score = Score()
    assert np.isnan(list(score.summary().values())).all()
    score.add(full, full)
    score.add(full, video(SceneGraph()))
    got = score.summary()
    assert got['object recall'] == 0.5 and got['object precision'] == 1.0
    assert got['predicate F1'] == got['IDF1'] == pytest.approx(2 / 3)
    assert f1(np.array([3, 1, 1])) == pytest.approx(0.75) and np.isnan(f1(np.zeros(3)))


# ---- identity ------------------------------------------------------------------------------


def tracks(rows):
    """Rows of frames: box -> identity; the label plays no part."""
    return video(*(frame([(i, 'x', box, []) for box, i in row.items()]) for row in rows))


def test_idf1_of_a_swap_counted_by_hand():
    gold = tracks([{LEFT: 0, RIGHT: 1}] * 4)
    swapped = tracks([{LEFT: 0, RIGHT: 1}] * 3 + [{LEFT: 1, RIGHT: 0}])
    # each gold track keeps its own for three of four frames: IDTP 6, IDFP 2, IDFN 2
    assert summary(gold, swapped)['IDF1'] == pytest.approx(12 / 16)
    broken = tracks([{LEFT: 0, RIGHT: 1}] * 2 + [{LEFT: 2, RIGHT: 1}] * 2)
    # one track breaks in the middle: IDTP 2 + 4, IDFP 2, IDFN 2
    assert summary(gold, broken)['IDF1'] == pytest.approx(12 / 16)
    assert summary(gold, tracks([{LEFT: 9, RIGHT: 4}] * 4))['IDF1'] == 1.0   # names are free


def brute_idf1(gold, parsed):
    """The best of all one-to-one maps of parsed to gold identities."""
    g_names = sorted({i for row in gold for i in row.values()})
    p_names = sorted({i for row in parsed for i in row.values()})
    together = {(g, p): sum(row.get(box) == g and other.get(box) == p
                            for row, other in zip(gold, parsed, strict=True)
                            for box in row) for g in g_names for p in p_names}
    padded = p_names + [None] * len(g_names)
    best = max(sum(together.get(pair, 0) for pair in zip(g_names, chosen, strict=True))
               for chosen in permutations(padded, len(g_names)))
    return 2 * best / (sum(map(len, gold)) + sum(map(len, parsed)))


@pytest.mark.parametrize('seed', range(12))
def test_idf1_is_the_best_of_all_assignments(seed):
    rng = np.random.default_rng(seed)
    places = (LEFT, MIDDLE, RIGHT)

    def draw():
        rows = []
        for _ in range(6):
            names = rng.permutation(3)
            rows.append({box: int(n) for box, n in zip(places, names, strict=True)
                         if rng.random() < 0.8})
        return rows
    gold, parsed = draw(), draw()
    assert summary(tracks(gold), tracks(parsed))['IDF1'] == pytest.approx(
        brute_idf1(gold, parsed))

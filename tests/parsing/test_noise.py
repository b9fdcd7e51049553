"""corrupt(): rates, validity and what each knob leaves alone."""

import numpy as np
import pytest

from finsta.parsing.noise import corrupt
from finsta.parsing.video.builder import RelationSpan, Track, build_graph


def world(num_tracks=40, num_frames=10):
    frames = range(num_frames)
    tracks = [Track(k, f'thing {k % 5}', {t: (0.5, 0.5, 0.2, 0.1) for t in frames},
                    [('red', None)]) for k in range(num_tracks)]
    relations = [RelationSpan('push', k, k + 1, frames, ['slowly'], entity=k)
                 for k in range(0, num_tracks, 2)]
    return build_graph(tracks, relations, [t / 5 for t in frames])


def objects(graph):
    return [n for g in graph.frames for n in g.nodes if n.kind == 'object']


def test_zero_noise_changes_nothing_and_seed_decides():
    gold = world()
    assert corrupt(gold).frames == gold.frames
    def noisy(seed):
        return corrupt(gold, 0.2, 0.2, 0.1, 0.2, np.random.default_rng(seed))
    assert noisy(3) == noisy(3) and noisy(3).frames != noisy(4).frames


def test_drop_takes_what_hangs_on_a_node_with_it():
    gold = world()
    noisy = corrupt(gold, drop=0.3)
    assert len(objects(noisy)) / len(objects(gold)) == pytest.approx(0.7, abs=0.06)
    for graph in noisy.frames:
        for subject, _, target in graph.triples():
            assert subject is not None and target is not None
        for i, node in enumerate(graph.nodes):
            if node.kind in ('attribute', 'predicate_attribute'):
                assert graph.sources(i, node.kind)
    assert not corrupt(gold, drop=1.0).frames[0].nodes


def test_relabel_is_the_same_in_every_frame():
    gold = world()
    noisy = corrupt(gold, relabel=0.5)
    names = {}
    for node in objects(noisy):
        names.setdefault(node.entity, set()).add(node.label)
    assert all(len(v) == 1 for v in names.values())
    wrong = np.mean([names[k] != {f'thing {k % 5}'} for k in names])
    assert 0.25 < wrong < 0.75
    other = corrupt(gold, relabel=1.0, vocabulary={'object': ['cube']})
    assert {n.label for n in objects(other)} == {'cube'}


def test_split_breaks_a_track_once_and_jitter_moves_boxes_only():
    gold = world()
    split = corrupt(gold, split_tracks=1.0)
    count = {}
    for graph in split.frames:
        for node in graph.nodes:
            if node.kind == 'object':
                count[node.entity] = count.get(node.entity, 0) + 1
    assert len(count) == 80 and sum(count.values()) == 400
    moved = corrupt(gold, jitter=0.05)
    shift = np.array([n.box for n in objects(moved)]) - (0.5, 0.5, 0.2, 0.1)
    assert shift[:, 0].std() == pytest.approx(0.05 * 0.2, rel=0.2)
    assert [n.label for n in objects(moved)] == [n.label for n in objects(gold)]
    assert moved.predecessors == gold.predecessors


@pytest.mark.parametrize('bad', [dict(drop=1.2), dict(relabel=-0.1), dict(jitter=-1)])
def test_bad_rates_are_named(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        corrupt(world(2, 2), **bad)

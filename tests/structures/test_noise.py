"""add_noise(): rates, validity, and what each knob leaves alone; on videos and on texts."""

import numpy as np
import pytest

from finsta.parsing.video.builder import RelationSpan, Track, build_graph
from finsta.structures import DynamicSceneGraph, Edge, Node, SceneGraph
from finsta.structures.noise import add_noise
from finsta.synthvl import describe, dynamic_graph, make_scene


def rng(seed=0):
    return np.random.default_rng(seed)


def world(num_tracks=40, num_frames=10):
    frames = range(num_frames)
    tracks = [Track(k, f'thing {k % 5}', {t: (0.5, 0.5, 0.2, 0.1) for t in frames},
                    [('red', None)]) for k in range(num_tracks)]
    relations = [RelationSpan('push', k, k + 1, frames, ['slowly'], entity=k)
                 for k in range(0, num_tracks, 2)]
    return build_graph(tracks, relations, [t / 5 for t in frames])


@pytest.fixture(scope='module')
def synthvl():
    """Text graph and video graph of one scene."""
    scene = make_scene(0, 13)
    return describe(scene, rng())[1], dynamic_graph(scene)


def objects(graph):
    return [n for g in graph.frames for n in g.nodes if n.kind == 'object']


def test_zero_noise_changes_nothing_and_seed_decides(synthvl):
    gold = world()
    for graph in (gold, *synthvl):
        assert add_noise(graph, rng()) == graph
        def noisy(seed, graph=graph):
            return add_noise(graph, rng(seed), 0.3, 0.3, 0.1, 0.3)
        assert noisy(3) == noisy(3) != noisy(4)
        assert noisy(3).parser.endswith('+ noise')


def test_drop_takes_what_hangs_on_a_node_with_it():
    gold = world()
    noisy = add_noise(gold, rng(), drop=0.3)
    assert len(objects(noisy)) / len(objects(gold)) == pytest.approx(0.7, abs=0.06)
    for graph in noisy.frames:
        for subject, _, target in graph.triples():
            assert subject is not None and target is not None
        for i, node in enumerate(graph.nodes):
            if node.kind in ('attribute', 'predicate_attribute'):
                assert graph.sources(i, node.kind)
    assert not add_noise(gold, rng(), drop=1.0).frames[0].nodes


def test_drop_carries_coreference_over(synthvl):
    """Links are those of the graph, not made anew from the entities."""
    _, video = synthvl
    half = add_noise(video, rng(), drop=0.2)
    linked = 0
    for t, row in enumerate(half.predecessors):
        for i, p in enumerate(row):
            if p >= 0:
                now, before = half.frames[t].nodes[i], half.frames[t - 1].nodes[p]
                assert (now.kind, now.label, now.entity) == (
                    before.kind, before.label, before.entity)
                linked += 1
    assert linked > 50
    unlinked = DynamicSceneGraph(video.frames, video.times,
                                 tuple((-1,) * len(g.nodes) for g in video.frames))
    noisy = add_noise(unlinked, rng(), drop=0.2)
    assert all(p == -1 for row in noisy.predecessors for p in row)


def test_relabel_is_the_same_in_every_frame():
    noisy = add_noise(world(), rng(), relabel=0.5)
    names = {}
    for node in objects(noisy):
        names.setdefault(node.entity, set()).add(node.label)
    assert all(len(v) == 1 for v in names.values())
    wrong = np.mean([names[k] != {f'thing {k % 5}'} for k in names])
    assert 0.25 < wrong < 0.75
    other = add_noise(world(), rng(), relabel=1.0, vocabulary={'object': ['cube']})
    assert {n.label for n in objects(other)} == {'cube'}


def test_relabel_changes_attributes_thing_by_thing():
    """Attributes carry no entity: "red" of one thing may be misread, that of another not."""
    noisy = add_noise(world(), rng(), relabel=0.5, vocabulary={'attribute': ['blue']})
    first = [n.label for n in noisy.frames[0].nodes if n.kind == 'attribute']
    assert 5 < first.count('blue') < 35
    for chain in noisy.chains():
        assert len({noisy.frames[t].nodes[i].label for t, i in chain}) == 1


def test_noise_on_a_text(synthvl):
    text, _ = synthvl
    words = {n.kind: [n.label, 'else'] for n in text.nodes}
    wrong = add_noise(text, rng(), relabel=1.0, vocabulary=words)
    assert all(a.label != b.label for a, b in zip(text.nodes, wrong.nodes, strict=True))
    assert (wrong.text, wrong.edges) == (text.text, text.edges)
    assert not add_noise(text, rng(), drop=1.0).nodes
    same = SceneGraph((Node('object', 'dog', entity=1), Node('object', 'dog'),
                       Node('predicate', 'run')), (Edge(0, 2, 'subject'),))
    assert add_noise(same, rng(), split_tracks=1.0, jitter=1.0).nodes == same.nodes


def test_split_breaks_a_track_once_with_its_attributes():
    split = add_noise(world(), rng(), split_tracks=1.0)
    count = {}
    for node in objects(split):
        count[node.entity] = count.get(node.entity, 0) + 1
    assert len(count) == 80 and sum(count.values()) == 400
    kinds = {}
    for chain in split.chains():
        t, i = chain[0]
        kinds.setdefault(split.frames[t].nodes[i].kind, []).append(chain)
    assert len(kinds['object']) == len(kinds['attribute']) == 80
    assert {(len(c), c[0][0]) for c in kinds['object']} == {
        (len(c), c[0][0]) for c in kinds['attribute']}


def test_jitter_moves_boxes_only():
    gold = world()
    moved = add_noise(gold, rng(), jitter=0.05)
    shift = np.array([n.box for n in objects(moved)]) - (0.5, 0.5, 0.2, 0.1)
    assert shift[:, 0].std() == pytest.approx(0.05 * 0.2, rel=0.2)
    assert [n.label for n in objects(moved)] == [n.label for n in objects(gold)]
    assert moved.predecessors == gold.predecessors


def test_noisy_graphs_are_storable(synthvl):
    noisy = add_noise(synthvl[1], rng(), 0.3, 0.3, 0.2, 0.2)
    assert DynamicSceneGraph.from_dict(noisy.to_dict()).predecessors == noisy.predecessors


@pytest.mark.parametrize('bad', [dict(drop=1.2), dict(relabel=-0.1), dict(jitter=-1),
                                 dict(split_tracks=float('nan'))])
def test_bad_rates_are_named(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        add_noise(world(2, 2), rng(), **bad)

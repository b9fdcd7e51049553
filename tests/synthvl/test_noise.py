"""Noise: nothing at rate 0, everything at rate 1, valid graphs in between."""

import numpy as np
import pytest

from finsta.structures import DynamicSceneGraph
from finsta.synthvl import describe, dynamic_graph, make_scene
from finsta.synthvl.noise import add_noise, drop_nodes, jitter_boxes, relabel, split_tracks


@pytest.fixture(scope='module')
def graphs():
    scene = make_scene(0, 13)
    return describe(scene, np.random.default_rng(0))[1], dynamic_graph(scene)


def rng():
    return np.random.default_rng(7)


def test_rate_zero_changes_nothing(graphs):
    for graph in graphs:
        assert add_noise(graph, rng()) == graph


def test_rate_one(graphs):
    text, video = graphs
    assert not drop_nodes(text, 1.0, rng()).nodes
    assert all(a.label != b.label for a, b in
               zip(text.nodes, relabel(text, 1.0, rng()).nodes, strict=True))
    cut = split_tracks(video, 1.0, rng())
    chains = [c for c in cut.chains() if cut.frames[c[0][0]].nodes[c[0][1]].kind == 'object']
    assert all(len(c) == 1 for c in chains)


def test_half_the_nodes_go_and_links_stay_right(graphs):
    _, video = graphs
    half = drop_nodes(video, 0.5, rng())
    before = sum(len(f.nodes) for f in video.frames)
    after = sum(len(f.nodes) for f in half.frames)
    assert 0.4 * before < after < 0.6 * before
    for t, row in enumerate(half.predecessors):
        for i, p in enumerate(row):
            if p >= 0 and half.frames[t].nodes[i].entity is not None:
                assert half.frames[t].nodes[i].entity == half.frames[t - 1].nodes[p].entity


def test_a_chain_takes_one_wrong_label(graphs):
    _, video = graphs
    wrong = relabel(video, 0.5, rng())
    for chain in wrong.chains():
        assert len({wrong.frames[t].nodes[i].label for t, i in chain}) == len(
            {video.frames[t].nodes[i].label for t, i in chain})


def test_jitter_keeps_boxes_in_the_frame(graphs):
    _, video = graphs
    moved = jitter_boxes(video, 0.3, rng())
    pairs = [(a.box, b.box) for f, g in zip(video.frames, moved.frames, strict=True)
             for a, b in zip(f.nodes, g.nodes, strict=True) if a.box]
    shifts = [abs(a[0] - b[0]) / a[2] for a, b in pairs]
    assert 0.05 < np.mean(shifts) <= 0.3
    for _, (cx, cy, w, h) in pairs:
        assert cx - w / 2 >= -1e-9 and cx + w / 2 <= 1 + 1e-9
        assert cy - h / 2 >= -1e-9 and cy + h / 2 <= 1 + 1e-9


def test_noisy_graphs_are_storable_and_rates_are_checked(graphs):
    noisy = add_noise(graphs[1], rng(), drop=0.3, label=0.3, jitter=0.2, split=0.2)
    assert DynamicSceneGraph.from_dict(noisy.to_dict()).predecessors == noisy.predecessors
    with pytest.raises(ValueError, match='rate=2'):
        drop_nodes(graphs[0], 2, rng())

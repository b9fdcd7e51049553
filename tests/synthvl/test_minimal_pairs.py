"""Minimal pairs: same words, same frames (or frames that do not tell), true graphs."""

from dataclasses import replace

import numpy as np
import pytest

from finsta.synthvl import FACTORS, dynamic_graph, make_pair, render
from finsta.synthvl.probes import single_frame_accuracy

# factors whose two videos have the very same frames in another order
SAME_FRAMES = ('relation', 'agent_patient', 'order', 'motion_direction', 'state_change')


def _words(text):
    return sorted(text.lower().replace('.', '').replace(',', '').split())


@pytest.mark.parametrize('factor', FACTORS)
def test_same_words_in_another_order(factor):
    for i in range(20):
        pair = make_pair(factor, 0, i)
        assert pair.captions[0] != pair.captions[1]
        assert _words(pair.captions[0]) == _words(pair.captions[1])
        assert make_pair(factor, 0, i).captions == pair.captions


@pytest.mark.parametrize('factor', FACTORS)
def test_frames_do_not_tell_but_their_order_does(factor):
    for i in range(3):
        a, b = (render(s) for s in make_pair(factor, 0, i).scenes)
        assert not np.array_equal(a, b)
        if factor in SAME_FRAMES:
            assert sorted(f.tobytes() for f in a) == sorted(f.tobytes() for f in b)


@pytest.mark.parametrize('factor', [f for f in FACTORS if f not in SAME_FRAMES])
def test_one_frame_is_at_chance(factor):
    pairs = [make_pair(factor, 1, i) for i in range(120)]
    # 40 test pairs: the frames of a pair go together, so the figure scatters by about 0.05
    assert single_frame_accuracy(pairs, np.random.default_rng(0)) < 0.63


def test_the_frame_probe_finds_a_leak_that_is_there():
    pairs = [make_pair('order', 0, i) for i in range(36)]
    leaky = [replace(p, scenes=(p.scenes[0], p.scenes[1].replace(
        states=replace(p.scenes[1].states, x=p.scenes[1].states.x + 0.3)))) for p in pairs]
    assert single_frame_accuracy(leaky, np.random.default_rng(0)) > 0.8
    with pytest.raises(ValueError, match='twelve'):
        single_frame_accuracy(pairs[:3], np.random.default_rng(0))


@pytest.mark.parametrize('factor', FACTORS)
def test_each_caption_is_true_of_its_video_only(factor):
    def facts(scene):
        looks = {t.index: (t.shape, t.colour) for t in scene.things}
        return {(e.label, looks[e.subject], looks.get(e.object), e.adverb, e.start)
                for e in scene.events if e.told}
    for i in range(5):
        pair = make_pair(factor, 2, i)
        for scene, graph, text in zip(pair.scenes, pair.graphs, pair.captions, strict=True):
            gold = dynamic_graph(scene)
            there = {(n.kind, n.entity, n.label) for f in gold.frames for n in f.nodes
                     if n.kind in ('object', 'predicate')}
            for n in graph.nodes:
                if n.kind in ('object', 'predicate'):
                    assert (n.kind, n.entity, n.label) in there, (text, n)
        if factor not in ('relation', 'counting'):  # lookalikes: told apart by place and number
            assert facts(pair.scenes[0]) != facts(pair.scenes[1])


def test_an_unknown_factor_is_named():
    with pytest.raises(ValueError, match='smell'):
        make_pair('smell', 0, 0)

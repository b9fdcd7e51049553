"""Captions: exact spans, canonical labels, shared identities, no order leak."""

import numpy as np
import pytest

from finsta.synthvl import LONG, Facts, describe, dynamic_graph, make_scene, subtitles
from finsta.synthvl.language import EARLIER_FIRST, LATER_FIRST, Narrator
from finsta.synthvl.vocabulary import (
    ADVERBS,
    COLOURS,
    KINDS,
    RELATIONS,
    SHAPES,
    SIZES,
    TEXTURES,
)


@pytest.fixture(scope='module')
def told():
    rows = []
    for i in range(60):
        scene = make_scene(0, i)
        rows += [(scene, *describe(scene, np.random.default_rng([i, k]))) for k in range(2)]
    return rows


def test_spans_cover_the_words_of_their_labels(told):
    words = {'object': {k: {*v, 'it'} | {w + 's' for w in v} for k, v in SHAPES.items()},
             'attribute': {**{c: {c} for c in COLOURS}, 'one': {'one'}, 'two': {'two'},
                           **{k: set(v) for k, v in {**SIZES, **TEXTURES}.items()}}}
    for _, text, graph in told:
        assert graph.text == text and text[0].isupper() and text.endswith('.')
        assert '  ' not in text and ' ,' not in text and ' .' not in text
        for node in graph.nodes:
            for begin, end in (node.span, *node.mentions):
                said = text[begin:end].lower()
                assert said == said.strip() and said
                if node.kind in words:
                    assert said in words[node.kind][node.label], (text, node)


def test_labels_and_identities_are_those_of_the_dynamic_graph(told):
    for scene, text, graph in told[::4]:
        gold = dynamic_graph(scene)
        objects = {(n.entity, n.label) for f in gold.frames for n in f.nodes
                   if n.kind == 'object'}
        predicates = {(n.entity, n.label) for f in gold.frames for n in f.nodes
                      if n.kind == 'predicate'}
        for n in graph.nodes:
            if n.kind == 'object':
                assert (n.entity, n.label) in objects, (text, n)
            if n.kind == 'predicate':
                assert (n.entity, n.label) in predicates, (text, n)


def test_predicates_carry_their_arguments(told):
    for scene, text, graph in told:
        events = {e.index: e for e in scene.told_events}
        for s, p, o in graph.triples():
            node = graph.nodes[p]
            if node.label in KINDS and not scene.lookalikes:
                e = events[node.entity]
                assert graph.nodes[s].entity == e.subject, text
                assert (None if o is None else graph.nodes[o].entity) == e.object, text
                said = {graph.nodes[a].label for a in graph.targets(p, 'predicate_attribute')}
                assert {e.adverb} - {None} <= said <= {*ADVERBS, 'first', 'second', 'while'}


def test_every_event_has_at_least_six_forms():
    for i, kind in enumerate(KINDS):
        scene = make_scene(9, i, kinds=(kind,) if kind != 'wait' else ('wait', 'move left'),
                           events=(2, 2) if kind == 'wait' else (1, 1), staged=0.0,
                           adverb_rate=0.0)
        event = scene.told_events[0]
        forms, facts = set(), Facts(scene)
        for k in range(40):
            narrator = Narrator(scene, np.random.default_rng(k), facts)
            narrator.clause(event)
            text, graph = narrator.done()
            node = next(n for n in graph.nodes if n.kind == 'predicate')
            begin = max(0, node.span[0] - 3)
            forms.add((text[begin:node.span[1]][-30:].split(' ', 1)[-1], 'is ' in text,
                       ' by ' in text))
        assert len(forms) >= 6, (kind, forms)


def test_the_order_of_words_does_not_tell_the_order_of_time():
    assert len(EARLIER_FIRST) == len(LATER_FIRST)
    earlier = []
    for i in range(60):
        scene = make_scene(0, i, events=(2, 2), while_rate=0.0, staged=0.0)
        narrator = Narrator(scene, np.random.default_rng(i), Facts(scene))
        narrator.tell(scene.told_events)
        _, graph = narrator.done()
        place = {n.entity: n.span[0] for n in graph.nodes if n.kind == 'predicate'}
        a, b = scene.told_events
        earlier.append(place[a.index] < place[b.index])
        ranks = {graph.nodes[p].entity: {graph.nodes[k].label for k in
                                         graph.targets(p, 'predicate_attribute')}
                 for p in graph.of_kind('predicate')}
        assert 'first' in ranks[a.index] and 'second' in ranks[b.index]
    assert 0.35 < np.mean(earlier) < 0.65


def test_paragraphs_and_subtitles_follow_the_shots():
    scene = make_scene(0, 2, **LONG)
    text, graph = describe(scene, np.random.default_rng(0))
    said = {n.entity for n in graph.nodes if n.kind == 'predicate'}
    assert said >= {e.index for e in scene.told_events}
    assert text.count('.') > len(scene.cuts)
    lines = subtitles(scene, np.random.default_rng(0))
    assert len(lines) == len(scene.told_events)
    assert all(0 <= s < e <= scene.num_frames / scene.fps for _, s, e in lines)


def test_relations_have_several_surfaces():
    assert all(len(v) >= 2 for v in RELATIONS.values())

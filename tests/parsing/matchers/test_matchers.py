"""Matchers: who is joined with whom, against answers written down by hand."""

import numpy as np
import pytest
import torch

from finsta.parsing.matchers import FrozenSimilarityMatcher, GoldMatcher, LexicalMatcher
from finsta.parsing.matchers.words import (
    canonical,
    conflict,
    content_words,
    converse_words,
    label_similarity,
)
from finsta.registry import MATCHERS, NODE_ENCODERS
from finsta.structures import DynamicSceneGraph, HolisticSceneGraph, Node, SceneGraph


def text(*things, predicates=(), entities=None):
    """things: (label, attribute, ...); predicates: (subject, label, object or None, adverb...)."""
    nodes = [Node('object', t[0], entity=None if entities is None else entities[k])
             for k, t in enumerate(things)]
    edges = []
    for k, thing in enumerate(things):
        for attribute in thing[1:]:
            edges.append((k, len(nodes), 'attribute'))
            nodes.append(Node('attribute', attribute))
    for subject, label, obj, *adverbs in predicates:
        p = len(nodes)
        nodes.append(Node('predicate', label))
        edges.append((subject, p, 'subject'))
        if obj is not None:
            edges.append((p, obj, 'object'))
        for adverb in adverbs:
            edges.append((p, len(nodes), 'predicate_attribute'))
            nodes.append(Node('predicate_attribute', adverb))
    return SceneGraph(tuple(nodes), tuple(edges))


def video(*things, predicates=(), frames=3):
    """The same in every frame, objects with tracks 10, 11, ... and boxes."""
    graph = text(*things, predicates=predicates, entities=[10 + k for k in range(len(things))])
    nodes = tuple(Node(n.kind, n.label, box=(0.2 + 0.3 * i, 0.5, 0.2, 0.2), entity=n.entity)
                  if n.kind == 'object' else n for i, n in enumerate(graph.nodes))
    return DynamicSceneGraph((SceneGraph(nodes, graph.edges),) * frames, tuple(range(frames)))


def pairs(hsg: HolisticSceneGraph, kind: str = 'object') -> set[tuple[int, int]]:
    """(text node, visual node) that are joined in every frame."""
    found = {}
    for edge in hsg.cross:
        if hsg.tsg.nodes[edge.text].kind == kind:
            found.setdefault((edge.text, edge.visual), set()).add(edge.frame)
    return {pair for pair, frames in found.items() if len(frames) == len(hsg.dsg.frames)}


def test_words():
    assert canonical('circles') == canonical('disc') == 'circle'
    assert canonical('moving') == canonical('slides') == 'move'
    assert canonical('men') == 'man' and canonical('glass') == 'glass'
    assert conflict(content_words('red'), content_words('blue'))
    assert not conflict(content_words('red'), content_words('big'))
    assert conflict(content_words('move left'), content_words('move right'))
    assert converse_words(content_words('left of')) == content_words('to the right of')
    assert converse_words(content_words('in front of')) == content_words('behind')
    assert converse_words(content_words('eat')) is None
    assert label_similarity('dog', 'dog') == 1.0 > label_similarity('hot dog', 'dog') > 0.5
    assert label_similarity('circle', 'square') == 0.0


@pytest.mark.parametrize('name', ['GoldMatcher', 'LexicalMatcher'])
def test_registered_and_empty_graphs_are_fine(name):
    matcher = MATCHERS.build(dict(type=name))
    for tsg, dsg in ((SceneGraph(), DynamicSceneGraph()), (text(('dog',)), DynamicSceneGraph()),
                     (SceneGraph(), video(('dog',)))):
        assert matcher.match(tsg, dsg, video_id='v').cross == ()


class TestGold:

    def test_same_entity_and_kind_in_every_frame(self):
        tsg = SceneGraph((Node('object', 'ball', entity=1), Node('predicate', 'go', entity=1),
                          Node('attribute', 'red'), Node('object', 'dog'),
                          Node('predicate_attribute', 'quickly')),
                         ((0, 1, 'subject'), (0, 2, 'attribute'), (1, 4, 'predicate_attribute')))
        frame = SceneGraph((Node('object', 'square', entity=0), Node('object', 'circle', entity=1),
                            Node('predicate', 'move', entity=1), Node('attribute', 'red'),
                            Node('attribute', 'red'), Node('predicate_attribute', 'fast')),
                           ((1, 2, 'subject'), (0, 3, 'attribute'), (1, 4, 'attribute'),
                            (2, 5, 'predicate_attribute')))
        hsg = GoldMatcher().match(tsg, DynamicSceneGraph((SceneGraph(), frame), (0, 1)))
        assert [tuple(e) for e in hsg.cross] == [(0, 1, 1, 1.0), (1, 1, 2, 1.0), (2, 1, 4, 1.0),
                                                 (4, 1, 5, 1.0)]


class TestLexical:

    def test_colour_decides_between_equal_labels(self):
        dsg = video(('circle', 'blue'), ('circle', 'red'), ('square', 'red'))
        for label in ('circle', 'ball', 'circles'):
            hsg = LexicalMatcher().match(text((label, 'red')), dsg)
            assert pairs(hsg) == {(0, 1)}
            assert pairs(hsg, 'attribute') == {(1, 4)}

    def test_excluding_attribute_is_no_match(self):
        assert LexicalMatcher().match(text(('circle', 'green')), video(('circle', 'blue'))
                                      ).cross == ()

    def test_agreement_scores_higher_than_silence(self):
        dsg = video(('circle', 'red'))
        score = {name: LexicalMatcher().match(tsg, dsg).cross[0].score for name, tsg in
                 dict(plain=text(('circle',)), agree=text(('circle', 'red')),
                      synonym=text(('disc', 'red'))).items()}
        assert 1.0 >= score['agree'] > score['plain'] > 0.5
        assert score['agree'] > score['synonym']

    def test_action_decides_between_equal_things(self):
        dsg = video(('circle',), ('circle',), predicates=[(0, 'move left', None),
                                                          (1, 'move right', None)])
        hsg = LexicalMatcher().match(text(('circle',), predicates=[(0, 'slide', None, 'right')]),
                                     dsg)
        assert pairs(hsg) == {(0, 1)}
        # text node 1 is the predicate; in the video nodes 2 and 3 are
        assert pairs(hsg, 'predicate') == {(1, 3)}

    def test_things_take_different_tracks_and_numbers_take_several(self):
        dsg = video(('circle', 'red'), ('circle', 'blue'), ('circle', 'green'))
        one_each = LexicalMatcher().match(text(('circle',), ('circle', 'red')), dsg)
        assert (1, 0) in pairs(one_each) and (0, 0) not in pairs(one_each)
        assert len(pairs(LexicalMatcher().match(text(('circle', 'two')), dsg))) == 2

    def test_agent_and_patient_are_not_mixed_up(self):
        dsg = video(('circle',), ('square',), predicates=[(0, 'push', 1)])
        right = LexicalMatcher().match(text(('circle',), ('square',),
                                            predicates=[(0, 'shove', 1)]), dsg)
        wrong = LexicalMatcher().match(text(('circle',), ('square',),
                                            predicates=[(1, 'shove', 0)]), dsg)
        assert pairs(right, 'predicate') == {(2, 2)} and not pairs(wrong, 'predicate')
        assert pairs(right) == pairs(wrong) == {(0, 0), (1, 1)}

    def test_converse_relation_with_swapped_arguments(self):
        dsg = video(('circle',), ('square',), predicates=[(0, 'left of', 1)])
        match = LexicalMatcher().match
        assert pairs(match(text(('circle',), ('square',), predicates=[(1, 'right of', 0)]), dsg),
                     'predicate') == {(2, 2)}
        assert not pairs(match(text(('circle',), ('square',), predicates=[(0, 'right of', 1)]),
                               dsg), 'predicate')

    def test_generic_label_needs_agreeing_attributes(self):
        tsg, red, blue = text(('ball', 'red')), video(('object', 'red')), video(('object', 'blue'))
        assert pairs(LexicalMatcher().match(tsg, red)) == {(0, 0)}
        assert LexicalMatcher().match(tsg, blue).cross == ()
        assert LexicalMatcher(generic=False).match(tsg, red).cross == ()

    def test_a_relation_alone_joins_nothing_with_an_unnamed_track(self):
        """As on real clips: "a woman fries garlic in a pan" and a region inside another."""
        match = LexicalMatcher().match
        for said, seen in (('in', 'inside'), ('over', 'above'), ('touch', 'touching')):
            tsg = text(('woman',), ('pan',), predicates=[(0, said, 1)])
            assert match(tsg, video(('object', 'red'), ('object',), predicates=[(0, seen, 1)])
                         ).cross == ()
            named = match(tsg, video(('woman',), ('object',), predicates=[(0, seen, 1)]))
            assert pairs(named) == {(0, 0)}
            # what the text leaves unnamed may be a named track
            it = text(('it',), ('pan',), predicates=[(0, said, 1)])
            assert pairs(match(it, video(('dog',), ('object',), predicates=[(0, seen, 1)]))) == {
                (0, 0)}

    @pytest.mark.parametrize('label', ['woman', 'something'])
    def test_a_motion_or_colour_joins_with_an_unnamed_track(self, label):
        push = [(0, 'push', 1)]
        dsg = video(('object', 'red'), ('square',), predicates=push)
        match = LexicalMatcher().match
        assert pairs(match(text((label,), ('square',), predicates=push), dsg)) == {(0, 0), (1, 1)}
        assert pairs(match(text((label, 'red'), ('square',)), dsg)) == {(0, 0), (1, 1)}
        assert pairs(match(text((label, 'old'), ('square',)), dsg)) == {(1, 1)}

    def test_coreferent_mentions_share_the_track(self):
        tsg = text(('circle', 'red'), ('it',), entities=[0, 0])
        assert pairs(LexicalMatcher().match(tsg, video(('square', 'red'), ('circle', 'red')))) == {
            (0, 1), (1, 1)}


VECTORS = {'dog': (1, 0, 0, 0), 'puppy': (0.95, 0.31, 0, 0), 'red car': (0, 0, 1, 0),
           'vehicle': (0, 0, 0.6, 0.8), 'run': (0, 1, 0, 0), 'sprint': (0, 0.98, 0.2, 0),
           'sit': (0, 0, 0, 1), 'red': (0.5, 0.5, 0.5, 0.5), 'car': (0, 0.1, 0.99, 0)}


class Encoder:
    """Known vectors for words; a crop's vector is (mean of channels, 0)."""

    def encode_labels(self, labels):
        return torch.tensor([VECTORS[s] for s in labels], dtype=torch.float32)

    def encode_images(self, crops):
        return np.array([[*c.reshape(-1, 3).mean(0), 0.0] for c in crops])


class TestFrozenSimilarity:

    def test_phrases_above_the_threshold(self):
        tsg = text(('puppy',), ('vehicle',), predicates=[(0, 'sprint', None)])
        dsg = video(('car', 'red'), ('dog',), predicates=[(1, 'run', None)])
        hsg = FrozenSimilarityMatcher(Encoder(), text_threshold=0.9).match(tsg, dsg)
        assert pairs(hsg) == {(0, 1)}
        assert pairs(hsg, 'predicate') == {(2, 3)}
        mutual = FrozenSimilarityMatcher(Encoder(), text_threshold=0.9, mutual_best=True)
        assert pairs(mutual.match(tsg, dsg)) == {(0, 1), (1, 0)}

    def test_regions_have_their_own_threshold(self):
        tsg, dsg = text(('dog',)), video(('sit',), ('sit',))
        frames = [np.zeros((40, 100, 3), np.uint8) for _ in range(3)]
        for frame in frames:
            frame[:, 40:60, 0] = 200        # the second box is red: the vector of "dog"
            frame[:, :40, 2] = 200
        matcher = FrozenSimilarityMatcher(Encoder(), text_threshold=0.9, region_threshold=0.3)
        assert matcher.match(tsg, dsg).cross == ()
        assert pairs(matcher.match(tsg, dsg, frames=frames)) == {(0, 1)}
        with pytest.raises(ValueError, match='2 images for the 3 key frames'):
            matcher.match(tsg, dsg, frames=frames[:2])

    def test_encoder_from_config_and_wrong_shape(self):
        NODE_ENCODERS.register_module('EncoderOfThisTest', force=True, module=Encoder)
        cfg = dict(type='FrozenSimilarityMatcher', encoder=dict(type='EncoderOfThisTest'))
        assert pairs(MATCHERS.build(cfg).match(text(('dog',)), video(('dog',)))) == {(0, 0)}
        with pytest.raises(ValueError, match=r'shape \(1, D\)'):
            FrozenSimilarityMatcher(lambda s: np.zeros(3)).match(text(('dog',)), video(('dog',)))

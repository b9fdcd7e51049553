"""What the shipped parser makes of sentences: hand-written gold, spans, hostile input."""

import random

import pytest

from finsta.parsing.text import RuleTextParser
from finsta.registry import SG_PARSERS

# (sentence, triples that must be there, attributes, predicate attributes)
GOLD = [
    ('the small red circle moves left quickly, then it hits the blue striped square',
     {('circle', 'move left', None), ('circle', 'hit', 'square')},
     {'circle': {'small', 'red'}, 'square': {'blue', 'striped'}}, {'move left': {'quickly'}}),
    ('a green star is pushed by the large yellow triangle',
     {('triangle', 'push', 'star')}, {'star': {'green'}, 'triangle': {'large', 'yellow'}}, {}),
    ('after the cross rotates twice, the heart leaves',
     {('cross', 'rotate', None), ('heart', 'leave', None)}, {}, {'rotate': {'twice'}}),
    ('the circle that the square follows stops',
     {('square', 'follow', 'circle'), ('circle', 'stop', None)}, {}, {}),
    ('The cyan ring goes behind the purple box three times and then disappears.',
     {('ring', 'go behind', 'box'), ('ring', 'disappear', None)},
     {'ring': {'cyan'}, 'box': {'purple'}}, {'go behind': {'three times'}}),
    ('the hexagon grows while the disc shrinks',
     {('hexagon', 'grow', None), ('disc', 'shrink', None)}, {}, {}),
    ('the yellow star does not move', {('star', 'move', None)}, {'star': {'yellow'}},
     {'move': {'not'}}),
    ('three small dogs are running and barking',
     {('dogs', 'run', None), ('dogs', 'bark', None)}, {'dogs': {'3', 'small'}}, {}),
    ('a man slowly picks up a ball', {('man', 'pick up', 'ball')}, {}, {'pick up': {'slowly'}}),
    ('a woman holding a cup and a plate',
     {('woman', 'hold', 'cup'), ('woman', 'hold', 'plate')}, {}, {}),
    ('man riding a wave on a surfboard', {('man', 'ride', 'wave')}, {}, {}),
    ('the sofa the man is sitting on .', {('man', 'sit on', 'sofa')}, {}, {}),
    ('a car parked in front of a house', {('car', 'park in front of', 'house')}, {}, {}),
    ('the cat is on the table', {('cat', 'on', 'table')}, {}, {}),
    ('the sky is blue', set(), {'sky': {'blue'}}, {}),
    ('the triangle is larger than the circle', {('triangle', 'larger than', 'circle')}, {}, {}),
    ('leg of the man', {('man', 'have', 'leg')}, {}, {}),
    ('a woman in black shirt', {('woman', 'wear', 'shirt')}, {'shirt': {'black'}}, {}),
    ('a tennis player', set(), {'tennis player': set()}, {}),
    ('a wooden bench', set(), {'bench': {'wooden'}}, {}),
]


@pytest.mark.parametrize('text, triples, attributes, adverbs', GOLD, ids=[g[0][:30] for g in GOLD])
def test_gold_sentence(read, text, triples, attributes, adverbs):
    _, found, said, how = read(text)
    assert triples <= found
    for name, labels in attributes.items():
        assert labels <= said[name]
        assert len(labels) == len(said[name])
    for predicate, labels in adverbs.items():
        assert how[predicate] == labels


@pytest.mark.parametrize('text, label, words', [
    ('a man is riding a big horse', 'ride', 'riding'),
    ('a man is riding a big horse', 'horse', 'horse'),
    ('a man is riding a big horse', 'big', 'big'),
    ('the ball rolls slowly', 'slowly', 'slowly'),
    ('a cat sitting on a mat', 'sit on', 'sitting on'),
])
def test_spans_are_the_words(read, text, label, words):
    graph = read(text)[0]
    node = next(n for n in graph.nodes if n.label == label)
    assert text[slice(*node.span)] == words


def test_every_node_has_a_span_inside_the_text(parser):
    for graph in parser.parse([g[0] for g in GOLD]):
        for node in graph.nodes:
            start, end = node.span
            assert 0 <= start < end <= len(graph.text)


def test_batch_equals_single_and_repeats(parser):
    texts = [g[0] for g in GOLD]
    together = [g.to_dict() for g in parser.parse(texts)]
    assert together == [parser.parse([t])[0].to_dict() for t in texts]
    assert together == [g.to_dict() for g in parser.parse(texts)]


def test_graph_says_who_made_it(parser):
    assert parser.parse(['a dog'])[0].parser.startswith('RuleTextParser/')


def test_empty_content_is_counted():
    parser = SG_PARSERS.build(dict(type='RuleTextParser'))
    texts = ['', '   ', '😀 👍', '...']
    graphs = parser.parse(texts)
    assert [g.text for g in graphs] == texts
    assert all(g.nodes == () for g in graphs)
    assert parser.counts == {'empty': 4}


def test_ten_thousand_words_are_cut_and_counted():
    parser = RuleTextParser(max_words=50)
    text = 'a dog chases a cat and ' * 2000
    graph = parser.parse([text, 'x' * 100_000])[0]
    assert graph.text == text
    assert parser.counts['truncated'] == 2
    assert ('dog', 'chase', 'cat') in {tuple(graph.nodes[i].label for i in t)
                                       for t in graph.triples() if None not in t}
    assert all(n.span[1] <= len(' '.join(['chases'] * 50)) + 50 for n in graph.nodes)


@pytest.mark.parametrize('text', [
    'ein Mann reitet auf einem Pferd', '一个男人骑着马', 'رجل يركب حصانا', 'İstanbul\u0130 ẞ',
    '\x00\x01 \u202eman', 'http://a.b/c?d=e&f <b>man</b>', '((((', '-', "'s", 'of the', 'and and',
    'is is is', 'the', 'who which that', 'twice', 'left', 'in front of', 'on top of of of',
    'cut emoji \ud83d of a man', '\udc00',
    'man ' * 300, 'of ' * 300, '\n\t a  man\n\nrides  a   horse \r\n'])
def test_odd_text_gives_a_valid_graph(parser, text):
    before = parser.counts['failed']
    graph = parser.parse([text])[0]
    graph.validate()
    assert graph.text == text
    assert parser.counts['failed'] == before


def test_fuzz(parser):
    words = [
        'a', 'the', 'man', 'men', 'circle', 'square', 'moves', 'is', 'are', 'hit', 'by', 'of',
        'in', 'front', 'on', 'top', 'left', 'right', 'side', 'and', 'or', 'not', 'who', 'which',
        'that', 'it', 'they', 'he', 'his', 'her', 'two', 'twice', 'quickly', 'up', ',', '.',
        ';', '-', "'", '😀', 'é', 'standing', 'parked', 'red', 'dark', 'blue', 'group', 'to',
        'with', 'be', 'been', 'has', 'there', 'than', 'larger']
    rng = random.Random(7)
    texts = [' '.join(rng.choices(words, k=rng.randint(0, 30))) for _ in range(600)]
    texts += [''.join(chr(rng.choice((rng.randint(1, 0x250), rng.randint(0x2000, 0xD7FF))))
                      for _ in range(rng.randint(0, 60))) for _ in range(200)]
    before = parser.counts['failed']
    graphs = parser.parse(texts)
    assert [g.text for g in graphs] == texts
    for graph in graphs:
        graph.validate()
    assert parser.counts['failed'] == before


def test_plain_rules_without_conventions():
    graph = RuleTextParser(conventions=None).parse(['leg of the man'])[0]
    assert {tuple(graph.nodes[i].label for i in t) for t in graph.triples()} == {
        ('leg', 'of', 'man')}


def test_arguments_are_checked(parser):
    with pytest.raises(TypeError, match='list of strings'):
        parser.parse('a man')
    with pytest.raises(TypeError, match='list of strings'):
        parser.parse(['a man', None])
    with pytest.raises(ValueError, match='max_words=0'):
        RuleTextParser(max_words=0)
    with pytest.raises(FileNotFoundError, match='no_such_pipeline'):
        RuleTextParser(pipeline='no_such_pipeline')
    with pytest.raises(FileNotFoundError):
        RuleTextParser(conventions='no_such_file.json')

"""Pronouns and repeated noun phrases of one text become one object node."""

import pytest


def _chain(graph, text):
    """label -> words of all its mentions."""
    return {n.label: [text[slice(*m)] for m in n.mentions]
            for n in graph.nodes if n.kind == 'object'}


@pytest.mark.parametrize('text, name, mentions', [
    ('The dog runs. It chases the cat.', 'dog', ['It']),
    ('The dog runs. It chases the cat. The cat jumps over the fence.', 'cat', ['cat']),
    ('A woman opens the door and then she leaves.', 'woman', ['she']),
    ('A boy throws a ball. He catches it.', 'boy', ['He']),
    ('A boy throws a ball. He catches it.', 'ball', ['it']),
    ('a woman brushes her hair', 'woman', ['her']),
    ('Two dogs play. They bark.', 'dogs', ['They']),
])
def test_pronoun_joins_its_antecedent(read, text, name, mentions):
    graph = read(text)[0]
    assert _chain(graph, text)[name] == mentions


def test_they_stands_for_a_coordination(read):
    _, triples, _, _ = read('A man and a woman walk. They hold a box.')
    assert {('man', 'hold', 'box'), ('woman', 'hold', 'box')} <= triples


def test_sex_and_number_must_agree(read):
    graph = read('The man sees the woman. She waves.')[0]
    text = 'The man sees the woman. She waves.'
    assert _chain(graph, text) == {'man': [], 'woman': ['She']}


def test_clause_mates_are_two_things(read):
    graph = read('the man hits him')[0]
    ((subject, _, obj),) = graph.triples()
    assert subject != obj
    assert len(graph.of_kind('object')) == 2


def test_different_attributes_are_different_things(read):
    graph = read('The red circle moves up. The blue circle moves down.')[0]
    assert len(graph.of_kind('object')) == 2


def test_entities_number_the_objects(read):
    graph = read('The dog runs. It chases the cat.')[0]
    objects = [graph.nodes[i] for i in graph.of_kind('object')]
    assert [n.entity for n in objects] == list(range(len(objects)))


def test_pronoun_without_antecedent_is_a_node(read):
    assert read('she is dancing')[1] == {('woman', 'dance', None)}

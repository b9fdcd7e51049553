"""FACTUAL lines, tuple sets and spans."""

import pytest

from finsta.parsing.text.factual import (
    find_span,
    graph_of_tuples,
    read_line,
    score_set,
    tuples_of,
    write_line,
)


@pytest.mark.parametrize('line, tuples', [
    ('( man , ride , wave ) , ( wave , is , big )',
     [('man', 'ride', 'wave'), ('wave', 'is', 'big')]),
    ('( plants )', [('plants',)]),
    ('(Man, ride, Wave), (wave, is, big)', [('man', 'ride', 'wave'), ('wave', 'is', 'big')]),
    ('( man , ride , wave ) ( wave , is', [('man', 'ride', 'wave'), ('wave',)]),
    ('( a , b , c , d )', [('a', 'b', 'c , d')]),
    ('( man , ride , wave ) , ( man , ride , wave )', [('man', 'ride', 'wave')]),
    ('', []), ('( )', []), (',,,(((', []),
])
def test_read_line(line, tuples):
    assert read_line(line) == tuples


def test_write_then_read():
    tuples = [('man', 'sit on', 'bench'), ('bench', 'is', 'wooden'), ('tree',)]
    assert read_line(write_line(tuples)) == tuples


def test_score_set_counts_objects_once_and_no_attribute_values():
    assert score_set([('man', 'sit on', 'bench'), ('bench', 'is', 'wooden')]) == {
        ('man',), ('bench',), ('man', 'sit on', 'bench'), ('bench', 'is', 'wooden')}


def test_graph_and_tuples_are_inverse():
    tuples = [('man', 'ride', 'wave'), ('wave', 'is', 'big'), ('sun',)]
    graph = graph_of_tuples(tuples, 'a man rides a big wave under the sun', 'test')
    assert set(tuples_of(graph)) == set(tuples)
    assert [n.entity for n in graph.nodes if n.kind == 'object'] == [0, 1, 2]


@pytest.mark.parametrize('label, text, words', [
    ('man', 'a woman and a man', 'man'), ('ride', 'a man riding', 'riding'),
    ('tennis player', 'two Tennis  Players, a tennis player', 'tennis player'),
    ('cup', 'a plate', None), ('', 'a plate', None), ('is', 'his', None)])
def test_find_span(label, text, words):
    span = find_span(label, text)
    assert (None if span is None else text[slice(*span)]) == words


def test_predicate_without_object_is_written_as_attribute(read):
    graph = read('a man is standing')[0]
    assert ('man', 'is', 'standing') in tuples_of(graph)

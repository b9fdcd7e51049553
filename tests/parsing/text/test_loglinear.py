"""The small classifier and the conventions file."""

import json

import pytest

from finsta.parsing.text.conventions import FACTUAL, Conventions
from finsta.parsing.text.loglinear import LogLinear


def _model():
    return LogLinear(['A', 'B', 'C'], [0.5, 0.0, 0.0],
                     {'x': [(1, 1.0)], 'y': [(1, -2.0), (2, 0.7)]})


@pytest.mark.parametrize('features, barred, best', [
    ([], (), 'A'), (['x'], (), 'B'), (['x', 'y'], (), 'C'), (['x'], ('B',), 'A'),
    (['unknown'], ('A',), 'B')])
def test_best_class(features, barred, best):
    assert _model().best(features, barred) == best


def test_dict_round_trip_keeps_tenths():
    again = LogLinear.from_dict(json.loads(json.dumps(_model().to_dict())))
    assert again.classes == _model().classes
    assert again.weights == _model().weights


def test_weights_must_name_classes():
    with pytest.raises(ValueError, match='class 5'):
        LogLinear(['A'], [0.0], {'x': [(5, 1.0)]})
    with pytest.raises(ValueError, match='2 biases'):
        LogLinear(['A'], [0.0, 1.0], {})


def test_file_without_a_part_is_named(tmp_path):
    path = tmp_path / 'broken.json'
    path.write_text('{"modifiers": {}}')
    with pytest.raises(ValueError, match=r'broken\.json'):
        Conventions.load(str(path))


def test_shipped_file_is_small_and_says_where_it_is_from():
    assert FACTUAL.stat().st_size < 8e6
    with open(FACTUAL, encoding='utf-8') as stream:
        assert 'FACTUAL' in json.load(stream)['source']
    Conventions.load('factual')

"""Accuracy of answers."""

import pytest

from finsta.evaluation.functional import accuracy


def test_overall_and_by_type():
    out = accuracy(['a', 'b', 'c', 'd'], ['a', 'x', 'c', 'd'], ['who', 'who', 'what', 'what'])
    assert out == {'acc': 75, 'acc_who': 50, 'acc_what': 100}
    assert accuracy([1, 2], [1, 3]) == {'acc': 50}


@pytest.mark.parametrize('args', [([], []), (['a'], ['a', 'b']), ([None], ['a']),
                                  ([float('nan')], [1]), (['a'], ['a'], [])])
def test_what_cannot_be_scored_raises(args):
    with pytest.raises(ValueError):
        accuracy(*args)

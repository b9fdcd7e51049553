"""The answer vocabulary: order, bounds, files."""

import json

import pytest

from finsta.structures import AnswerVocabulary
from finsta.utils.annotation_files import AnnotationError


def write(path, answers):
    path.write_text(json.dumps([{'answer': a} for a in answers]))
    return path


def test_most_frequent_first_ties_alphabetical(tmp_path):
    answers = ['man', 'cat', 'man', 'dog', 'Cat', 'ape', ' man ', '']
    vocabulary = AnswerVocabulary(write(tmp_path / 'a.json', answers))
    assert vocabulary.words == ('man', 'cat', 'ape', 'dog') and len(vocabulary) == 4
    assert [vocabulary.index(w) for w in ('man', 'DOG', 'zebra')] == [0, 3, -1]
    assert 'cat' in vocabulary and 'zebra' not in vocabulary
    assert AnswerVocabulary(tmp_path / 'a.json', top_k=2).words == ('man', 'cat')


def test_csv_several_files_and_ready_lists(tmp_path):
    (tmp_path / 'b.csv').write_text('question,answer\nq,dog\nq,dog\nq,cat\n')
    both = AnswerVocabulary([write(tmp_path / 'a.json', ['cat', 'cat', 'ape']),
                             tmp_path / 'b.csv'])
    assert both.words == ('cat', 'dog', 'ape')
    (tmp_path / 'w.json').write_text('["zebra", "ape"]')
    assert AnswerVocabulary(tmp_path / 'w.json').words == ('zebra', 'ape')


def test_what_is_wrong_is_named(tmp_path):
    (tmp_path / 'bad.json').write_text('[{"answer": "x"}, {"reply": "y"}]')
    with pytest.raises(AnnotationError, match="row 1, key 'answer'"):
        AnswerVocabulary(tmp_path / 'bad.json')
    with pytest.raises(ValueError, match='no answer'):
        AnswerVocabulary(write(tmp_path / 'e.json', ['', ' ']))
    with pytest.raises(FileNotFoundError, match=r'none\.json.*make_synthvl'):
        AnswerVocabulary(tmp_path / 'none.json')
    with pytest.raises(AnnotationError, match='neither'):
        AnswerVocabulary(tmp_path / 'x.txt')

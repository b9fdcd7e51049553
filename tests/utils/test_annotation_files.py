"""Packed and damaged annotation files: read in place, or refused by name."""

import gzip
import json
import zipfile

import pytest

from finsta.utils import annotation_files
from finsta.utils.annotation_files import (
    AnnotationError,
    field,
    read_csv,
    read_json,
    read_lines,
)

ROWS = [{'a': 1, 'b': 'ä'}, {'a': 2, 'b': 'x'}]


def test_plain_gz_and_zip_give_the_same(tmp_path):
    text = json.dumps(ROWS, ensure_ascii=False).encode()
    (tmp_path / 'p.json').write_bytes(text)
    (tmp_path / 'q.json.gz').write_bytes(gzip.compress(text))
    with zipfile.ZipFile(tmp_path / 'z.zip', 'w') as archive:
        archive.writestr('in/r.json', text)
    for name in ('p.json', 'q.json.gz', 'q.json', 'z.zip/in/r.json', 'z.zip'):
        assert read_json(tmp_path / name, list) == ROWS
    (tmp_path / 'bom.json').write_bytes(b'\xef\xbb\xbf' + text)
    assert read_json(tmp_path / 'bom.json') == ROWS


# ids: gzip writes the time into its bytes, and xdist's workers must name the tests alike
@pytest.mark.parametrize('name,content,words', [
    ('a.json', b'[{"a": 1}', 'not valid JSON'), ('b.json', b'{"a": 1}', 'expected a list'),
    ('c.json', b'\xff\xfe\x00', 'not UTF-8'), ('d.json.gz', b'\x1f\x8bbroken', 'damaged'),
    ('e.zip', b'PK\x03\x04broken', 'damaged'), ('f.json', b'[' * 100_000, 'not valid JSON'),
    ('g.json.gz', gzip.compress(b'[1, 2, 3]' * 999)[:-20], 'damaged')],
    ids=['cut', 'object', 'utf-16', 'gzip', 'zip', 'deep', 'cut-gzip'])
def test_damaged_files_are_named(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(AnnotationError, match=words) as caught:
        read_json(tmp_path / name, list)
    assert caught.value.path == str(tmp_path / name) and name in str(caught.value)


def test_missing_file_and_member(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'none\.json'):
        read_json(tmp_path / 'none.json')
    with zipfile.ZipFile(tmp_path / 'z.zip', 'w') as archive:
        archive.writestr('a', '1')
        archive.writestr('b', '2')
    with pytest.raises(AnnotationError, match=r"no member 'c', but \['a', 'b'\]"):
        read_json(tmp_path / 'z.zip' / 'c')


def test_decompression_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(annotation_files, 'MAX_BYTES', 1000)
    (tmp_path / 'bomb.json.gz').write_bytes(gzip.compress(b' ' * 10_000))
    with pytest.raises(AnnotationError, match='more than 1000 bytes'):
        read_json(tmp_path / 'bomb.json.gz')


def test_csv_columns_and_ragged_rows(tmp_path):
    path = tmp_path / 't.csv'
    path.write_text('a,b\n1,"x, y"\n2,z\n')
    assert list(read_csv(path, ['b'])) == [{'a': '1', 'b': 'x, y'}, {'a': '2', 'b': 'z'}]
    with pytest.raises(AnnotationError, match="without \\['c'\\]"):
        list(read_csv(path, ['c']))
    path.write_text('a,b\n1,2\n3\n')
    with pytest.raises(AnnotationError, match='row 1'):
        list(read_csv(path))
    path.write_text('1\t2\n')
    assert list(read_csv(path, names=['u', 'v'], delimiter='\t')) == [{'u': '1', 'v': '2'}]
    assert read_lines(path) == ['1\t2']


def test_fields_have_a_type():
    assert field({'k': 1}, 'k', int, 'f', 0) == 1
    for row, kind, words in (({'k': 1}, str, r"row 7, key 'k': is 1 \(int\), expected str"),
                             ({'k': True}, int, 'bool'), ({}, int, 'missing'),
                             ([1], int, 'expected an object')):
        with pytest.raises(AnnotationError, match=words):
            field(row, 'k', kind, 'f', 7)


def test_half_of_a_surrogate_pair_becomes_a_question_mark(tmp_path):
    r"""A cut emoji ("\ud83d") has no UTF-8 form: tokenisers, logs and stores would fail on it."""
    (tmp_path / 'a.json').write_text(
        r'{"\udc00k": ["cut \ud83d", "\ud83d\ude00", {"a": "\uD800"}]}')
    assert read_json(tmp_path / 'a.json') == {'?k': ['cut ?', '😀', {'a': '?'}]}


def test_endless_fields_and_numbers_are_named(tmp_path):
    (tmp_path / 'a.csv').write_text('question\nwhat?\n' + 'why ' * 50_000 + '\n')
    with pytest.raises(AnnotationError, match=r'a\.csv, row 1: is no table .field larger'):
        list(read_csv(tmp_path / 'a.csv'))
    (tmp_path / 'a.json').write_text('[' + '9' * 5000 + ']')
    with pytest.raises(AnnotationError, match='not valid JSON'):
        read_json(tmp_path / 'a.json')

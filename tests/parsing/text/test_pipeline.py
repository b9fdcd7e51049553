"""The shipped pipeline: small, with provenance, loaded without unpickling."""

import json
import pickle

import pytest

spacy = pytest.importorskip('spacy')

from finsta.parsing.text.pipeline import BUILTIN, load_pipeline  # noqa: E402


def test_it_is_small_and_says_where_it_is_from():
    files = [f for f in BUILTIN.rglob('*') if f.is_file()]
    assert sum(f.stat().st_size for f in files) <= 15e6
    assert max(f.stat().st_size for f in files) <= 8e6
    meta = json.loads((BUILTIN / 'meta.json').read_text())
    assert meta['license'] == 'CC BY-SA 4.0'
    assert any('UD_English-EWT' in source for source in meta['finsta']['sources'])
    assert 'train_text_parser.py' in meta['finsta']['command']
    assert meta['performance']['dev']['las'] >= 80
    assert meta['performance']['dev_raw_text']['las'] >= 79.9
    assert '--tokenizer-of' in meta['finsta']['tokenizer_command']


def test_loading_never_unpickles(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError('a pickle was read')

    for name in ('load', 'loads', 'Unpickler'):
        monkeypatch.setattr(pickle, name, refuse)
    doc = load_pipeline()('a man rides a horse')
    assert [t.dep_ for t in doc] == ['det', 'nsubj', 'ROOT', 'det', 'obj']


def test_pipeline_folder_by_path():
    assert load_pipeline(str(BUILTIN)).meta['name'] == 'finsta_ud_ewt'


def test_pipeline_without_parser_is_refused(tmp_path):
    spacy.blank('en').to_disk(tmp_path)
    with pytest.raises(ValueError, match="no 'parser'"):
        load_pipeline(str(tmp_path))


def test_missing_package_is_named():
    with pytest.raises(FileNotFoundError, match='en_core_web_none'):
        load_pipeline('en_core_web_none')

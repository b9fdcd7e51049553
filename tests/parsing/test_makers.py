"""What a store notes of a parser, and which two notes mean the same one."""

import pytest

from finsta.parsing.makers import maker_of, same_maker
from finsta.parsing.store import GraphStore
from finsta.registry import SG_PARSERS
from finsta.structures import SceneGraph


@SG_PARSERS.register_module()
class _ModelParser:
    def __init__(self, model, classes=(), scorer=None, size=1):
        pass


def note(model, **kwargs):
    return maker_of(dict(type='_ModelParser', model=model, **kwargs))


@pytest.fixture
def models(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ('w', 'v', 'a, b=(1)'):
        (tmp_path / name).mkdir()
    (tmp_path / 'link').symlink_to('w')
    return tmp_path


def test_a_path_is_the_same_however_it_is_spelled(models):
    for spelled in ('./w', 'w/', 'v/../w', 'link', str(models / 'w')):
        assert same_maker(note('w'), note(spelled)), spelled
        assert same_maker(note('v', scorer=dict(folder='w', size=1), classes=['w', 'dog']),
                          note('./v', scorer=dict(folder=spelled, size=1),
                               classes=[spelled, 'dog']))
    odd = 'a, b=(1)'
    assert same_maker(note(odd, size=2), note(f'./{odd}', size=2))


def test_other_arguments_and_other_parsers_stay_others(models):
    assert not same_maker(note('w'), note('v'))
    assert not same_maker(note('w'), note('./w', size=2))
    assert not same_maker(note('w'), note('./w').replace('_ModelParser', 'Other'))
    # nothing is there: a hub name, perhaps
    assert not same_maker(note('org/model'), note('./org/model'))
    for other in ('gold graphs', 'made (by hand', '_ModelParser()', '_ModelParser(model=w'):
        assert same_maker(other, other) and not same_maker(note('w'), other)
        assert not same_maker(other, note('w'))


def test_a_store_takes_the_same_path_in_another_spelling(models):
    with GraphStore('store', readonly=False) as store:
        store.begin('text', note('./w'))
        store.put_text('a dog', SceneGraph())
    store = GraphStore('store', readonly=False)
    store.begin('text', note(str(models / 'w')))
    store.put_text('a cat', SceneGraph())
    store.finish()
    GraphStore('store', readonly=False).begin('text', note('w'))
    with pytest.raises(ValueError, match='holds text graphs of _ModelParser'):
        GraphStore('store', readonly=False).begin('text', note('v'))

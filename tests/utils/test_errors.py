"""Which errors are a sentence for the user, and what it says."""

import argparse
import json
import statistics
from concurrent.futures import ThreadPoolExecutor

import pytest

from finsta.utils.errors import add_debug_argument, errors_in_sentences, is_worded
from tests.utils.programs import clean_context


def fails(error):
    raise error


@pytest.mark.parametrize(('action', 'message'), [
    (lambda p: (p / 'none.txt').read_text(), 'none.txt: no such file or directory'),
    (lambda p: p.read_text(), ': is a directory'),
    (lambda p: (p / 'file').mkdir(), 'file: file exists'),
    (lambda p: (p / 'file' / 'x').read_text(), 'x: not a directory'),
    (lambda p: fails(FileNotFoundError('no clips; fetch them')), 'error: no clips; fetch them'),
    (lambda p: fails(ImportError('needs decord', name='decord')), 'needs decord'),
    (lambda p: fails(ValueError('of the tool itself')), 'of the tool itself'),
])
def test_what_the_user_can_mend_is_a_sentence(tmp_path, capsys, action, message):
    (tmp_path / 'file').write_text('')
    with pytest.raises(SystemExit) as stop, errors_in_sentences(False):
        action(tmp_path)
    err = capsys.readouterr().err
    assert stop.value.code == 2 and message in err
    assert 'Traceback' not in err and 'Errno' not in err and '--debug' in err


@pytest.mark.parametrize(('action', 'kind'), [
    (lambda: statistics.mean([]), ValueError),            # of another library's line
    (lambda: json.loads('{'), json.JSONDecodeError),      # names no file
    (lambda: b'\xff'.decode(), UnicodeDecodeError),
    (lambda: fails(TypeError('x')), TypeError),
    (lambda: fails(ImportError('broken', name='finsta.nothing')), ImportError),
    (lambda: fails(OSError('a disk')), OSError),
])
def test_bugs_keep_their_traceback(action, kind):
    with pytest.raises(kind), errors_in_sentences(False):
        action()


def test_debug_leaves_all_errors_alone():
    parser = argparse.ArgumentParser()
    add_debug_argument(parser)
    assert not parser.parse_args([]).debug
    args = parser.parse_args(['--debug'])
    with pytest.raises(FileNotFoundError), errors_in_sentences(args.debug):
        raise FileNotFoundError('x')


def test_more_is_put_behind_the_message(capsys):
    with pytest.raises(SystemExit), errors_in_sentences(False, lambda error: ', and more'):
        raise FileNotFoundError('x')
    assert 'error: x, and more\n' in capsys.readouterr().err


def _in_a_worker(kind):
    if kind == 'value':
        from finsta.synthvl.writing import Plan
        Plan('no such layout')
    statistics.mean([])


@pytest.mark.parametrize(('kind', 'worded'), [('value', True), ('library', False)])
def test_an_error_of_a_worker_counts_by_where_it_was_raised_there(kind, worded):
    with clean_context().Pool(1) as pool, pytest.raises(ValueError) as caught:
        pool.apply(_in_a_worker, (kind,))
    assert is_worded(caught.value) is worded


def test_an_error_of_a_thread_counts_as_any_other():
    with ThreadPoolExecutor(1) as pool, pytest.raises(ValueError) as caught:
        pool.submit(_in_a_worker, 'value').result()
    assert is_worded(caught.value)

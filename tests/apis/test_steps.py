"""A step runs once, resumes its own work only, shows its log when it fails, leaves a record."""

import json
import os
import sys
from datetime import datetime

import pytest

from finsta.apis.steps import StepError, commits_of, file_hash, run_step


def test_a_finished_step_is_skipped_until_it_changes(tmp_path):
    counter = tmp_path / 'count'
    script = f"open({str(counter)!r}, 'a').write('x')"
    command = [sys.executable, '-c', script]
    for _ in range(2):
        run_step('count', command, tmp_path / 'step', 1)
    assert counter.read_text() == 'x'
    run_step('count', command, tmp_path / 'step', 1, stamp='new weights')
    assert counter.read_text() == 'xx'


def test_a_step_whose_product_is_gone_runs_again(tmp_path):
    product = tmp_path / 'made' / 'file'
    command = [sys.executable, '-c', f"import pathlib; p = pathlib.Path({str(product)!r}); "
               "p.parent.mkdir(); p.touch(); print('made it')"]
    for _ in range(2):
        run_step('make', command, tmp_path / 'step', 1, products=[product])
        assert product.is_file()
        product.unlink()
        product.parent.rmdir()


def test_a_step_that_ends_well_without_its_product_is_told(tmp_path):
    with pytest.raises(StepError, match=r'ended without .*model\.bin') as error:
        run_step('idle', [sys.executable, '-c', "print('nothing to do')"], tmp_path / 'step', 1,
                 products=[tmp_path / 'model.bin'])
    assert 'nothing to do' in str(error.value)
    assert not (tmp_path / 'step' / 'done.json').exists()


def test_a_failed_step_shows_command_log_and_end_and_runs_again(tmp_path):
    command = [sys.executable, '-c', "print('the reason'); raise SystemExit(3)"]
    for _ in range(2):
        with pytest.raises(StepError, match='exit code 3') as error:
            run_step('broken', command, tmp_path, 1)
        assert 'the reason' in str(error.value) and 'log.txt' in str(error.value)
    assert not (tmp_path / 'done.json').exists()


class _Bar:
    def __init__(self):
        self.seen, self.steps = [], 0

    def set_postfix_str(self, text):
        self.seen.append(text)

    def update(self, steps):
        self.steps += steps


def test_progress_of_a_step_is_shown(tmp_path):
    script = ("import sys; print('Iter(train) [ 20/300]  lr: 1'); "
              "sys.stderr.write('videos:  5%| 7/150 [00:01<00:09]\\r'); sys.stderr.flush()")
    bar = _Bar()
    run_step('work', [sys.executable, '-c', script], tmp_path, 1, bar)
    assert set(bar.seen) == {'work 20/300', 'work 7/150'} and bar.steps == 1


@pytest.fixture
def at(monkeypatch):
    """Sets the commit that the checkout is at."""
    return lambda name: monkeypatch.setattr('finsta.apis.steps.commit', lambda folder: name)


TRAIN = """
import pathlib, sys
work = pathlib.Path(sys.argv[1])
with open(work / 'saw.txt', 'a') as out:
    out.write('resumed ' if (work / 'iter_5.pth').exists() else 'new ')
(work / 'iter_5.pth').touch()
sys.exit((work / 'fail').exists())
"""


def saw(folder, stamp='', inputs=None):
    """Run a training; for each of its starts, whether it found a checkpoint of its own."""
    run_step('train', [sys.executable, '-c', TRAIN, str(folder)], folder, 1, stamp=stamp,
             inputs=inputs)
    return (folder / 'saw.txt').read_text().split()


def test_a_record_says_what_was_run_where_and_when(tmp_path, at):
    at('abc')
    run_step('s', [sys.executable, '-c', ''], tmp_path, 1, inputs={'config': '12'})
    record = json.loads((tmp_path / 'done.json').read_text())
    assert record['inputs'] == {'config': '12'} and record['command'][1:] == ['-c', '']
    assert record['commits'] == commits_of(tmp_path) == ['abc'] and record['seconds'] > 0
    assert f'{os.cpu_count()} cores' in record['machine']
    assert datetime.fromisoformat(record['date']).tzinfo is not None
    assert not (tmp_path / 'begun.json').exists()


@pytest.mark.parametrize('changed', [dict(stamp='new weights', inputs={'config': '1'}),
                                     dict(inputs={'config': '2'})])
def test_new_inputs_train_anew_instead_of_resuming_the_old_training(tmp_path, changed):
    """``--resume`` would find the checkpoint of the last step and end at once."""
    assert saw(tmp_path, inputs={'config': '1'}) == ['new']
    assert saw(tmp_path, inputs={'config': '1'}) == ['new']
    assert saw(tmp_path, **changed) == ['new', 'new']


def test_a_killed_step_resumes_with_the_same_inputs_only(tmp_path, at):
    (tmp_path / 'fail').touch()
    for commit in ('a', 'b'):
        at(commit)
        with pytest.raises(StepError):
            saw(tmp_path, inputs={'config': '1'})
    assert commits_of(tmp_path) == ['unknown']
    (tmp_path / 'fail').unlink()
    at('c')
    assert saw(tmp_path, inputs={'config': '1'}) == ['new', 'resumed', 'resumed']
    assert commits_of(tmp_path) == ['a', 'b', 'c']
    (tmp_path / 'fail').touch()
    with pytest.raises(StepError):
        saw(tmp_path, inputs={'config': '2'})
    (tmp_path / 'fail').unlink()
    # what the record of the first inputs said is not true of the folder any more
    assert saw(tmp_path, inputs={'config': '1'})[3:] == ['new', 'new']
    assert commits_of(tmp_path) == ['c']


def test_a_training_that_was_begun_before_there_were_records_is_resumed(tmp_path, at):
    at('a')
    (tmp_path / 'iter_5.pth').touch()
    assert saw(tmp_path) == ['resumed'] and commits_of(tmp_path) == ['unknown', 'a']


def test_old_records_are_taken_and_their_commit_is_not_known(tmp_path):
    assert saw(tmp_path) == ['new']
    record = tmp_path / 'done.json'
    old = {k: v for k, v in json.loads(record.read_text()).items()
           if k in ('key', 'seconds', 'command')}
    record.write_text(json.dumps(old))
    assert saw(tmp_path, inputs={'config': '1'}) == ['new']
    assert json.loads(record.read_text()) == old and commits_of(tmp_path) == ['unknown']


def test_hash_of_a_file(tmp_path):
    (tmp_path / 'f').write_bytes(b'abc')
    assert file_hash(tmp_path / 'f').startswith('ba7816bf') and file_hash(tmp_path / 'g') == ''

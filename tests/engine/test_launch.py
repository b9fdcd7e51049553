import argparse
from pathlib import Path

import pytest

from finsta.engine.launch import (
    UsageError,
    add_common_arguments,
    errors_in_sentences,
    find_config,
    load_config,
)
from finsta.structures import GraphError


def test_config_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = Path(find_config('configs/_base_/default_runtime.py'))
    assert found.is_file() and found.is_absolute()
    assert find_config('_base_/default_runtime.py') == str(found)
    (tmp_path / 'own.py').write_text('a = 1')
    assert find_config('own.py') == 'own.py'


def test_unknown_config_is_named():
    with pytest.raises(FileNotFoundError, match=r'no config configs/none_such\.py'):
        find_config('configs/none_such.py')


def test_options_and_work_dir(tmp_path):
    (tmp_path / 'own.py').write_text('model = dict(a=1)')
    parser = argparse.ArgumentParser()
    parser.add_argument('config')
    add_common_arguments(parser)
    config = load_config(parser.parse_args([str(tmp_path / 'own.py'), '--cfg-options',
                                            'model.a=[1,2]', 'model.b=x']))
    assert config.model.to_dict() == {'a': [1, 2], 'b': 'x'}
    assert config.work_dir == 'work_dirs/own' and config.launcher == 'none'
    config = load_config(parser.parse_args([str(tmp_path / 'own.py'), '--work-dir', 'w']))
    assert config.work_dir == 'w'


@pytest.mark.parametrize('name', ['configs/finsta/videoqa_msvd.py',
                                  'configs/synthvl/videoqa_msvd.py'])
def test_data_root_reaches_the_data_sets(name):
    parser = argparse.ArgumentParser()
    parser.add_argument('config')
    add_common_arguments(parser)
    config = load_config(parser.parse_args([
        name, '--cfg-options', 'data_root=/mine', 'test_dataloader.dataset.data_root=/other']))
    assert config.data_root == config.train_dataloader.dataset.data_root == '/mine'
    assert config.test_dataloader.dataset.data_root == '/other'
    assert 'data/' not in str(config.train_dataloader) + str(config.val_dataloader)


@pytest.mark.parametrize('error', [
    FileNotFoundError('no clips under data/msvd'), UsageError('flag'), GraphError('row 3'),
    ImportError('needs decord', name='decord')])
def test_what_the_user_can_mend_is_a_sentence(error, capsys):
    with pytest.raises(SystemExit) as stop, errors_in_sentences(debug=False):
        raise error
    assert stop.value.code == 2
    shown = capsys.readouterr().err
    assert f'error: {error}' in shown and 'Traceback' not in shown


def test_value_errors_of_the_package_are_sentences_too(capsys):
    from finsta.datasets.samplers import ResumableSampler
    with pytest.raises(SystemExit), errors_in_sentences(debug=False):
        ResumableSampler([], seed=0)
    assert 'training set is empty' in capsys.readouterr().err


@pytest.mark.parametrize('error', [TypeError('elsewhere'), KeyError('x'),
                                   ImportError('broken', name='finsta.nothing')])
def test_bugs_keep_their_traceback(error):
    with pytest.raises(type(error)), errors_in_sentences(debug=False):
        raise error


def test_debug_shows_everything():
    with pytest.raises(FileNotFoundError), errors_in_sentences(debug=True):
        raise FileNotFoundError('x')

"""tools/train.py, tools/test.py and dist_train.sh on the toy world, as a user calls them."""

import json
import re

import pytest


def _losses(tmp_path):
    return [line.split()[1] for line in (tmp_path / 'trace.txt').read_text().splitlines()]


SHORT = 'train_cfg.max_iters=3'


def test_train_with_bf16_seed_and_options(toy_config, tmp_path, tool):
    done = tool('train.py', toy_config, '--amp', '--seed', 5, '--no-validate', '--cfg-options',
                SHORT, 'default_hooks.checkpoint.save_best=mean_prediction')
    assert done.returncode == 0, done.stderr
    log = done.stdout + done.stderr
    written = next((tmp_path / 'work_dirs' / 'toy').rglob('*.log')).read_text()
    assert "type='Bf16OptimWrapper'" in written and 'seed=5' in written
    assert 'Iter(val)' not in log
    assert 'structure/nodes: 4' in log
    assert (tmp_path / 'work_dirs' / 'toy' / 'iter_3.pth').is_file()
    assert len(_losses(tmp_path)) == 3
    scalars = list((tmp_path / 'work_dirs' / 'toy').rglob('scalars.json'))
    assert 'structure/nodes' in scalars[0].read_text()
    assert list((tmp_path / 'work_dirs' / 'toy').rglob('events.out.tfevents*'))


def test_resume_without_a_checkpoint_begins_where_load_from_says(toy_config, tmp_path, tool):
    for folder, flags in (('w', []), ('plain', ['load_from=w/iter_3.pth']),
                          ('resumed', ['load_from=w/iter_3.pth'])):
        done = tool('train.py', toy_config, '--work-dir', folder, '--seed', 5,
                    *(['--resume'] if folder == 'resumed' else []), '--cfg-options', SHORT, *flags)
        assert done.returncode == 0, done.stderr
    losses = _losses(tmp_path)
    assert losses[6:] == losses[3:6] != losses[:3]


@pytest.mark.parametrize('flags', [['w/iter_3.pth'], []])
def test_resume_refuses_another_models_checkpoint(toy_config, tmp_path, tool, flags):
    trained = tool('train.py', toy_config, '--work-dir', 'w', '--cfg-options', SHORT)
    assert trained.returncode == 0, trained.stderr
    before = _losses(tmp_path)
    other = tool('train.py', toy_config, '--work-dir', 'w', '--resume', *flags, '--cfg-options',
                 'train_cfg.max_iters=6', 'model.width=5')
    assert other.returncode == 2 and 'Traceback' not in other.stderr
    assert 'another shape: backbone.proj.weight (8, 3) instead of (5, 3)' in other.stderr
    assert 'another --work-dir' in other.stderr and _losses(tmp_path) == before


def test_missing_data_is_a_sentence(toy_config, tmp_path, tool):
    done = tool('train.py', toy_config, '--cfg-options',
                'train_dataloader.dataset.root=data/none')
    assert done.returncode == 2
    assert 'error: there is no toy data under data/none' in done.stderr
    assert 'Traceback' not in done.stderr
    assert done.stdout.count('\n') < 10 and 'Config:' not in done.stdout   # the sentence is seen
    file, = re.findall(r'config, environment and hooks: (\S+)', done.stdout)
    said = (tmp_path / file).read_text()
    assert all(text in said for text in ('Config:', 'System environment:', 'Hooks will be'))


def test_test_with_checkpoint_and_zero_shot(toy_config, tmp_path, tool):
    trained = tool('train.py', toy_config, '--work-dir', 'w', '--cfg-options', SHORT,
                   "custom_hooks.1.type='BackboneExportHook'")
    assert trained.returncode == 0, trained.stderr
    # the validation at the last iteration saw the weights that were saved
    at_end = [json.loads(line) for file in (tmp_path / 'w').rglob('scalars.json')
              for line in file.read_text().splitlines() if 'mean_prediction' in line][-1]
    tested = tool('test.py', toy_config, 'w/iter_3.pth', '--dump', 'out/m.json')
    assert tested.returncode == 0, tested.stderr
    metrics = json.loads((tmp_path / 'out' / 'm.json').read_text())
    assert metrics['mean_prediction'] == pytest.approx(at_end['mean_prediction'], abs=1e-6)
    assert json.loads(tested.stdout[tested.stdout.rindex('{'):]) == metrics

    zero = tool('test.py', toy_config, 'w/backbone', '--zero-shot', '--dump', 'zero.json')
    assert zero.returncode == 0, zero.stderr
    assert json.loads((tmp_path / 'zero.json').read_text())['mean_prediction'] == 3.0

    other = tool('test.py', toy_config, 'w/iter_3.pth', '--cfg-options', 'model.width=5')
    assert other.returncode == 2
    assert 'another shape: backbone.proj.weight (8, 3) instead of (5, 3)' in other.stderr
    assert 'Traceback' not in other.stderr


@pytest.mark.slow
def test_two_processes_by_torchrun(toy_config, tmp_path, tool):
    done = tool('dist_train.sh', toy_config, 2, '--cfg-options', SHORT,
                'train_dataloader.batch_size=2', PORT='29631')
    assert done.returncode == 0, done.stderr
    log = done.stdout + done.stderr
    assert 'Iter(val) [4/4]' not in log and 'num: 13' in log     # 7 samples each, 13 gathered
    assert (tmp_path / 'work_dirs' / 'toy' / 'iter_3.pth').is_file()

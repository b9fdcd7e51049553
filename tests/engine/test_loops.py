import itertools
from pathlib import Path

import pytest
from mmengine.config import Config

from finsta.engine.runner import FinstaRunner
from finsta.registry import DATASETS

_COUNT = itertools.count()


def _trace(path: Path) -> dict[int, str]:
    """iteration -> loss, as text: equality is exact. A later line of an iteration wins."""
    return dict(line.split() for line in path.read_text().splitlines())


def _config(toy_config, tmp_path, **options) -> Config:
    config = Config.fromfile(str(toy_config))
    config.work_dir = str(tmp_path / 'work')
    config.experiment_name = f'test_loops_{next(_COUNT)}'
    config.merge_from_dict(options)
    config.custom_hooks[0].path = str(tmp_path / 'trace.txt')
    return config


@pytest.mark.slow
def test_killed_and_resumed_run_is_the_uninterrupted_run(toy_config, tmp_path, tool):
    """kill -9 in the middle of a pass over the data; other numbers of workers and no validation
    before the kill."""
    whole = tool('train.py', toy_config, '--work-dir', 'whole')
    assert whole.returncode == 0, whole.stderr
    expected = _trace(tmp_path / 'trace.txt')
    (tmp_path / 'trace.txt').unlink()

    killed = tool('train.py', toy_config, '--work-dir', 'cut', '--no-validate', '--cfg-options',
                  'custom_hooks.0.kill_at=11', 'train_dataloader.num_workers=2')
    assert killed.returncode == -9
    seen = _trace(tmp_path / 'trace.txt')
    assert sorted(map(int, seen)) == list(range(12))
    (tmp_path / 'trace.txt').unlink()

    resumed = tool('train.py', toy_config, '--work-dir', 'cut', '--resume')
    assert resumed.returncode == 0, resumed.stderr
    after = _trace(tmp_path / 'trace.txt')
    assert sorted(map(int, after)) == list(range(10, 20))
    assert {**seen, **after} == expected
    assert len(set(expected.values())) == 20


def test_the_data_set_may_refuse_before_the_sampler_is_built(toy_config, tmp_path, monkeypatch):
    """Once, with the config that the run wrote; every one of several that are joined."""
    config = _config(toy_config, tmp_path, **{'train_cfg.max_iters': 1})
    FinstaRunner.from_cfg(config)       # imports the toy world
    asked, toy = [], DATASETS.get('ToyDataset')
    monkeypatch.setattr(toy, 'before_training', lambda self, file: asked.append(file),
                        raising=False)
    joined = dict(type='ConcatDataset', datasets=[dict(type='ToyDataset')] * 2)
    for dataset, times in ((dict(type='ToyDataset'), 1), (joined, 2)):
        config = _config(toy_config, tmp_path, **{'train_cfg.max_iters': 1})
        config.train_dataloader.dataset = dataset
        config.train_dataloader.num_workers = 1
        asked.clear()
        FinstaRunner.from_cfg(config).train()
        assert asked == [str(tmp_path / 'work' / 'toy.py')] * times
        assert Path(asked[0]).is_file()

    def refuse(self, file):
        raise ValueError('of no use')
    monkeypatch.setattr(toy, 'before_training', refuse)
    config = _config(toy_config, tmp_path)
    config.train_dataloader.sampler = dict(type='no such sampler')
    with pytest.raises(ValueError, match='of no use'):
        FinstaRunner.from_cfg(config).train()


def test_steps_differ_and_depend_on_the_seed(toy_config, tmp_path):
    losses = []
    for seed in (0, 0, 1):
        (tmp_path / 'trace.txt').unlink(missing_ok=True)
        options = {'randomness.seed': seed, 'train_cfg.max_iters': 4}
        FinstaRunner.from_cfg(_config(toy_config, tmp_path, **options)).train()
        losses.append(_trace(tmp_path / 'trace.txt'))
    assert losses[0] == losses[1]
    assert losses[0] != losses[2]


def test_sampler_that_cannot_seek_is_refused(toy_config, tmp_path):
    config = _config(toy_config, tmp_path)
    config.train_dataloader.sampler = dict(type='InfiniteSampler')
    with pytest.raises(TypeError, match='ResumableSampler'):
        FinstaRunner.from_cfg(config).train()


def test_fractional_length_is_refused(toy_config, tmp_path):
    config = _config(toy_config, tmp_path, **{'train_cfg.max_iters': 2.5})
    with pytest.raises(ValueError, match='whole number'):
        FinstaRunner.from_cfg(config).train()

"""Arms of the studies: they build as written, change what they name, and take as many steps."""

import argparse
import importlib.util
import sys
from pathlib import Path

import pytest
from mmengine.config import Config, DictAction
from mmengine.registry import DefaultScope

from finsta.registry import MODELS

REPO = Path(__file__).resolve().parents[2]
spec = importlib.util.spec_from_file_location('study_tool', REPO / 'tools/analysis/study.py')
study = importlib.util.module_from_spec(spec)
sys.modules['study_tool'] = study  # its dataclass looks itself up
spec.loader.exec_module(study)
# the arms of the third study, STGT, are tested in tests/apis/test_study.py
KINDS = [name for name in study.STUDIES if name != 'stgt']
ARMS = [(kind, arm) for kind in KINDS for arm in study.STUDIES[kind].arms]


def merged(config: str, options: dict[str, str]) -> Config:
    """A config with options as the command line reads them."""
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={})
    words = ['--cfg-options', *(f'{k}={v}' for k, v in options.items())] if options else []
    found = Config.fromfile(REPO / config)
    found.merge_from_dict(parser.parse_args(words).cfg_options)
    return found


def has(config: Config, key: str) -> bool:
    node = config
    for part in key.split('.'):
        if isinstance(node, list):
            if int(part) >= len(node):
                return False
            node = node[int(part)]
        elif part in node:
            node = node[part]
        else:
            return False
    return True


def test_there_are_the_two_studies():
    assert {'finsta', 'twins'} <= set(KINDS)


@pytest.mark.parametrize('kind', KINDS)
def test_tasks_and_weights_exist_and_defaults_are_arms(kind):
    found = study.STUDIES[kind]
    assert set(found.default) <= set(found.arms)
    assert (Path(found.backbone) / 'config.json').is_file()
    assert {task for task, _ in found.shown} >= set(found.tasks)
    for task in found.tasks.values():
        plain = Config.fromfile(REPO / task.config)
        assert all(has(plain, key) for key in task.options)
        config = merged(task.config, task.options)
        assert has(config, found.start)
        if task.train:
            assert config.param_scheduler[1].end == config.train_cfg.max_iters


@pytest.mark.parametrize(('kind', 'arm'), ARMS, ids=[f'{k}-{a}' for k, a in ARMS])
def test_an_arm_builds_and_its_options_reach_the_model(kind, arm):
    found = study.STUDIES[kind]
    for stage in found.arms[arm].chain():
        plain, config = Config.fromfile(REPO / stage.config), merged(stage.config, stage.options)
        assert has(config, stage.start)
        # an option of a module that the config leaves at its default is checked by the building
        unknown = [key for key in stage.options if not has(plain, key)]
        assert all(key.startswith('model.teacher.encoder.') for key in unknown), unknown
        with DefaultScope.overwrite_default_scope('finsta'):
            model = MODELS.build(config.model)
            assert model is not None
            for key in unknown:
                config.model.teacher.encoder.pop(key.rsplit('.', 1)[1])
                config.model.teacher.encoder['no_such_option'] = False
                with pytest.raises(TypeError, match='no_such_option'):
                    MODELS.build(config.model)


@pytest.mark.parametrize('arm', [a for k, a in ARMS if k == 'finsta' and a != 'plain'])
def test_arms_of_the_first_study_take_as_many_host_steps(arm):
    """250 joint steps of 32 pairs: in the warm-up of the teacher the host is not run."""
    (stage,) = study.ARMS[arm].chain()
    config = merged(stage.config, stage.options)
    warmup = sum(hook.get('warmup_iters', 0) for hook in config.custom_hooks)
    assert config.train_cfg.max_iters - warmup == 250
    assert config.train_dataloader.batch_size == 32
    assert config.param_scheduler[1].end == config.train_cfg.max_iters


@pytest.mark.parametrize(('kind', 'arm'), [(k, a) for k, a in ARMS
                                           if k.startswith('twins') and a != 'plain'])
def test_arms_of_the_twins_take_as_many_steps_warm_up_counted(kind, arm):
    """As docs/en/results/method.md says: 600 steps of 48 captions, Finsta's warm-up among them."""
    (stage,) = study.STUDIES[kind].arms[arm].chain()
    config = merged(stage.config, stage.options)
    assert config.train_cfg.max_iters == {'twins': 600, 'twins-long': 1800,
                                          'twins-longer': 3600}[kind]
    assert config.train_dataloader.batch_size == 48
    assert config.param_scheduler[1].end == config.train_cfg.max_iters
    warmup = sum(hook.get('warmup_iters', 0) for hook in config.custom_hooks)
    assert warmup == (40 if config.model.get('teacher') else 0)


@pytest.mark.parametrize('arm', [a for a in study.ARMS if a.startswith('only-')])
def test_an_only_arm_keeps_the_loss_that_it_is_named_after(arm):
    kept = {'only-negatives': None, 'only-pooled': 'PooledTransfer', 'only-node': 'NodeTransfer',
            'only-relational': 'RelationalTransfer', 'only-token': 'TokenAlignment'}[arm]
    config = merged(study.FINSTA, study.ARMS[arm].options)
    assert [t.type for t in config.model.transfer if t.weight] == ([kept] if kept else [])

"""A mistake in a config or an option is named with its place and what comes closest."""

import importlib.util
import re
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.model import BaseModel

from finsta.apis import get_config, list_models
from finsta.engine.config_check import (
    ConfigError,
    check_config,
    config_mistakes_named,
    merge_options,
)
from finsta.registry import MODELS

REPO = Path(__file__).resolve().parents[2]
POSTTRAIN = 'configs/synthvl/posttrain_msvd.py'


@pytest.fixture
def config():
    return get_config(POSTTRAIN)


@pytest.mark.parametrize('name', list_models())
def test_every_shipped_config_passes(name):
    get_config(name)


@pytest.mark.parametrize(('option', 'message'), [
    ('modle.head', r'no modle in the config; did you mean model\?'),
    ('param_scheduler.7.end', 'param_scheduler is a list, which has no 7; there are 0, 1$'),
    ('param_scheduler.last.end', 'param_scheduler is a list, which has no last; there are 0, 1$'),
    ('param_scheduler.0', r'give all of them: param_scheduler=\[\.\.\.\]'),
    ('train_cfg.max_iters.end', r'train_cfg\.max_iters is \d+, which has no end$'),
    ('train_dataloader.batchsize', r'DataLoader takes no batchsize; did you mean batch_size\?'),
    ('model.teacher.osc.temprature',
     r'model\.teacher\.osc\.temprature: ObjectSpatialContrast takes no temprature; did you mean '
     r'temperature\?'),
    ('train_dataloader.dataset.splt', r'MSVD takes no splt; did you mean split\?'),
    ('train_dataloader.dataset.pipeline.0.num_frame', 'LoadVideoFrames .*num_frames'),
    ('optim_wrapper.optimizer.lrr', r'AdamW takes no lrr; did you mean lr\?'),
    ('optim_wrapper.optimiser.lr', 'OptimWrapper takes no optimiser; did you mean optimizer'),
    ('param_scheduler.0.stop', 'param_scheduler.0.stop: LinearLR takes no stop; there are .*end'),
    ('train_cfg.max_iter', r'ResumableTrainLoop takes no max_iter; did you mean max_iters\?'),
    ('train_dataloader.sampler.type', r'nothing is registered as 5.*custom_imports')])
def test_an_option_that_nothing_takes_is_named(config, option, message):
    with pytest.raises(ConfigError, match=message):
        merge_options(config, {option: '5'})
        check_config(config)


def test_only_the_wrong_options_are_named(config):
    with pytest.raises(ConfigError) as found:
        merge_options(config, {'param_scheduler.7.end': 5, 'train_cfg.max_iters': 3,
                               'train_cfg.val_interval.end': 5, 'model.host_weight': 1})
    assert re.findall(r'--cfg-options (\S+):', str(found.value)) == [
        'param_scheduler.7.end', 'train_cfg.val_interval.end']


def test_a_used_variable_names_the_places_of_its_value(config):
    """mmengine accepts it and changes nothing."""
    with pytest.raises(ConfigError, match='would change nothing') as found:
        merge_options(config, {'max_iters': 7})
    named = dict(p.split('=') for p in re.findall(r'[\w.]+=7', str(found.value)))
    merge_options(config, {key: int(value) for key, value in named.items()})
    assert config.train_cfg.max_iters == config.param_scheduler[1].end == 7
    with pytest.raises(ConfigError, match='set it where it is used'):
        merge_options(config, {'pipeline.0.num_frames': 4})


def test_what_runs_read_can_be_set_though_the_config_lacks_it(config):
    merge_options(config, {'load_optional': ['head'], 'experiment_name': 'x', 'compile': True})
    check_config(config)
    assert config.experiment_name == 'x'


def test_a_component_of_ones_own_with_open_arguments_takes_any():
    @MODELS.register_module()
    class _TakesAny:
        def __init__(self, **kwargs):
            pass

    @MODELS.register_module()
    class _PassesOn(BaseModel):
        def __init__(self, **kwargs):
            super().__init__()
            self.kwargs = kwargs

    @MODELS.register_module()
    class _Narrow(_TakesAny):
        def __init__(self, size):
            pass

    try:
        check_config(Config(dict(model=dict(type='_TakesAny', anything=1))))
        check_config(Config(dict(model=dict(type='_PassesOn', anything=1))))
        check_config(Config(dict(model=dict(type='torch.nn.Identity', anything=1))))
        with pytest.raises(ConfigError, match='_Narrow takes no anything; there are size'):
            check_config(Config(dict(model=dict(type='_Narrow', anything=1))))
    finally:
        for name in ('_TakesAny', '_PassesOn', '_Narrow'):
            MODELS.module_dict.pop(name)


def test_of_a_whole_and_its_part_one_can_be_set(config):
    for options in ({'train_cfg': {'max_iters': 3}, 'train_cfg.max_iters': 5},
                    {'train_cfg.max_iters': 5, 'train_cfg': {'max_iters': 3}}):
        with pytest.raises(ConfigError, match=r'train_cfg and train_cfg\.max_iters: .*one of'):
            merge_options(config, options)
    with pytest.raises(ConfigError, match=r'betas is a tuple.*give all of it'):
        merge_options(config, {'optim_wrapper.optimizer.betas.0': 0.5})


def test_a_whole_model_is_not_to_be_deleted_for_one_wrong_key(config):
    config.model.something = 1
    with pytest.raises(ConfigError, match='takes no something') as error:
        check_config(config)
    assert '_delete_' not in str(error.value)


def test_what_a_former_type_left_is_dropped_as_the_error_says(config):
    options = {'optim_wrapper.optimizer.type': 'SGD', 'optim_wrapper.optimizer.lr': 0.1}
    merge_options(config, options)
    with pytest.raises(ConfigError, match=r'SGD takes no betas; there are .*momentum.*: '
                       r'optim_wrapper\.optimizer\._delete_=True$'):
        check_config(config)
    config = get_config(POSTTRAIN)
    merge_options(config, options | {'optim_wrapper.optimizer._delete_': True})
    check_config(config)
    assert config.optim_wrapper.optimizer == dict(type='SGD', lr=0.1)


def test_metainfo_is_plain_data(config):
    config.train_dataloader.dataset.metainfo = dict(type='mine', classes=dict(type='a', b=1))
    check_config(config)


@pytest.mark.parametrize(('option', 'message'), [
    ({'model.teacher.embed_dims': 8}, r'model\.teacher\.embed_dims: StructureTeacher takes no '),
    ({'model.teacher.encoder.dimm': 8}, r'model\.teacher\.encoder\.dimm: \w+ takes no dimm'),
    ({'model.backbone.pretraned': 'x'}, r'model\.backbone\.pretraned: \w+ takes no pretraned')])
def test_arguments_of_parts_without_a_type_are_named_at_building(config, option, message):
    merge_options(config, option)
    check_config(config)
    with pytest.raises(ConfigError, match=message), config_mistakes_named(config):
        MODELS.build(config.model)


def test_a_required_argument_is_named_at_building(config):
    config.model.backbone = dict(type='SavedBackbone')
    with pytest.raises(ConfigError, match=r"model\.backbone: SavedBackbone needs 'pretrained'"), \
            config_mistakes_named(config):
        MODELS.build(config.model)


def test_a_mistake_in_the_code_keeps_its_traceback(config):
    with pytest.raises(TypeError, match='foo') as found, config_mistakes_named(config):
        check_config(config, foo=1)
    assert found.type is TypeError


@pytest.mark.parametrize('tool', ['print_config', 'cache_features'])
def test_every_tool_reads_options_alike(tool, capsys):
    """Not tools/train.py alone: the same sentence, and data_root moves all that lies in it."""
    spec = importlib.util.spec_from_file_location(tool, REPO / f'tools/misc/{tool}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with pytest.raises(SystemExit) as left:
        module.main([POSTTRAIN, '--cfg-options', 'max_iters=3'])
    assert left.value.code == 2 and 'would change nothing' in capsys.readouterr().err
    if tool == 'print_config':
        module.main([POSTTRAIN, '--cfg-options', 'data_root=elsewhere'])
        assert 'data/synthvl/msvd' not in capsys.readouterr().out

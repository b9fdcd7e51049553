"""Real configs without their data name the command that makes a twin, and its config."""

import inspect
import re
import shlex
from pathlib import Path

import pytest
import torch
import yaml
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

from finsta.apis.models import get_config, list_models
from finsta.datasets.base import MissingDataError
from finsta.engine.launch import errors_in_sentences, twin_of
from finsta.models import FinstaModel
from finsta.registry import DATASETS
from finsta.synthvl.layouts import LAYOUTS
from finsta.synthvl.writing import SIZES
from tests.models.tiny import BACKBONE, TEACHER, batch

REPO = Path(__file__).resolve().parents[1]
MODELS = yaml.safe_load((REPO / 'configs/synthvl/metafile.yml').read_text())['Models']
TWINS = {m['Twin Of']: m['Config'] for m in MODELS if 'Twin Of' in m}
COMMAND = re.compile(r'python tools/datasets/make_synthvl\.py --layout (\S+) --size (\S+) '
                     r'--out ([^\s;]+)')
# the embedded world has neither weights for these nor a config of their own
WITHOUT = {'configs/finsta/posttrain_msvd_neighbours.py',
           'configs/finsta/posttrain_msvd_alpro_neighbours.py',
           'configs/stgt/pretrain_stage1_cached.py', 'configs/finsta/retrieval_msvd_videollava.py',
           *(f'configs/finsta/{task}_msvd_clip4clip-meanp.py'
             for task in ('posttrain', 'retrieval', 'videoqa'))}


def plain(name: str) -> str:
    return re.sub(r'[^a-z0-9]', '', name.lower())


def build(config):
    with DefaultScope.overwrite_default_scope('finsta'):
        return DATASETS.build(config.train_dataloader.dataset)


def test_every_real_config_has_a_twin_or_is_known_to_have_none():
    real = {f'configs/{name}.py' for name in list_models('finsta/*') + list_models('stgt/*')}
    assert set(TWINS) | WITHOUT == real and not set(TWINS) & WITHOUT
    assert all(twin_of(config) is None for config in WITHOUT)
    assert twin_of('configs/synthvl/videoqa_msvd.py') is None


# what a twin may change: where the data lie, how large model, frames and batches are, how long,
# how fast and in which precision it trains
CHANGES = re.compile(r"""
    .*data_root | .*\.ann_file | .*\.store\.root
    | model\.backbone\..* | model\.head\.(num_classes|num_heads|num_layers|width|.*max_.*)
    | model\.teacher\.(embed_dim|encoder\..*) | model\.transfer\.\d\.dim
    | load_from
    | (train|val|test)_dataloader\.(batch_size|num_workers|persistent_workers|drop_last)
    | .*_dataloader\.dataset\.pipeline\..*
    | train_cfg\.(max_iters|val_interval) | param_scheduler\..* | .*\.warmup_iters
    | optim_wrapper\.(type|optimizer\.lr) | optim_wrapper\.paramwise_cfg\.custom_keys\..*lr_mult
    | auto_scale_lr\.base_batch_size""", re.X)


def flat(config, path=''):
    """Dotted path -> value; lists that differ in length are seen through their indices."""
    found = {}
    for key, value in enumerate(config) if isinstance(config, list | tuple) else config.items():
        here = f'{path}.{key}' if path else str(key)
        if isinstance(value, dict | list | tuple) and value:
            found |= flat(value, here)
        else:
            found[here] = value
    return found


def pipeline(config) -> list[str]:
    """Types of the training pipeline, without those that only fit frames to the host's size."""
    return [t.type for t in config.train_dataloader.dataset.pipeline
            if t.type not in ('ResizeFrames', 'RandomCropFrames', 'CenterCropFrames')]


# real -> embedded, where the error about missing data names another size of SynthVL
RECIPES = {'configs/finsta/posttrain_msvd_alpro_neighbours.py':
           'configs/synthvl/posttrain_msvd_alpro_twins-mixed.py'}


@pytest.mark.parametrize('real', sorted(TWINS | RECIPES))
def test_a_twin_changes_data_sizes_and_schedule_only(real):
    """All that the Runner reads, key by key."""
    one, two = get_config(real), get_config((TWINS | RECIPES)[real])
    read = set(inspect.signature(Runner.__init__).parameters) | {'zero_shot_head'}
    ours, theirs = flat(two), flat(one)
    differing = {key for key in ours | theirs if key.split('.')[0] in read
                 and ours.get(key, ...) != theirs.get(key, ...)}
    assert {key for key in differing if not CHANGES.fullmatch(key)} == set()
    assert pipeline(one) == pipeline(two)


def test_the_look_alike_recipe_is_the_same_for_every_backbone():
    """But for the backbone, the frames that it takes and the width of its shared space."""
    one, two = (get_config(f'finsta/posttrain_msvd{host}_neighbours') for host in ('', '_alpro'))
    read = set(inspect.signature(Runner.__init__).parameters)
    ours, theirs = flat(one), flat(two)
    differing = {key for key in ours | theirs if key.split('.')[0] in read
                 and ours.get(key, ...) != theirs.get(key, ...)}
    frames = re.compile(r'model\.backbone\..*|train_dataloader\..*\.num_frames')
    assert {key for key in differing if not frames.fullmatch(key)} == set()
    assert one.train_dataloader.sampler.type == 'GraphNeighbourSampler'
    assert one.model.neighbours.type == 'NeighbourChoice' and one.model.choice is None


def test_the_look_alike_recipe_trains_a_host_without_a_matching_head():
    """CLIP4Clip, tiny, with the config's losses: what it lacks is left out, the rest is finite."""
    config = get_config('finsta/posttrain_msvd_neighbours')
    model = FinstaModel(backbone=BACKBONE, teacher=TEACHER, transfer=config.model.transfer,
                        neighbours=config.model.neighbours).train()
    losses = model(**batch(4), mode='loss')
    assert {'loss_itc', 'loss_neighbours_itc', 'loss_readout_text', 'loss_readout_video',
            'loss_pooled_text', 'loss_pooled_video', 'loss_relational'} <= set(losses)
    assert not any('itm' in key for key in losses)
    total = sum(value for key, value in losses.items() if key.startswith('loss'))
    total.backward()
    assert torch.isfinite(total)


@pytest.mark.parametrize('real', sorted(TWINS))
def test_missing_data_name_the_command_and_the_twin(real, tmp_path, monkeypatch, capsys):
    config = get_config(real)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit), errors_in_sentences(False, real):
        build(config)
    said = capsys.readouterr().err
    twin = get_config(re.search(r'python tools/train\.py (configs/\S+)', said)[1])
    layout, size, out = COMMAND.search(said).groups()
    assert layout in LAYOUTS and size in SIZES
    # the twin: what the command makes, read by the same loader, for the same backbone
    ours, theirs = twin.train_dataloader.dataset, config.train_dataloader.dataset
    assert (ours.type, ours.split, ours.data_root) == (theirs.type, theirs.split, out)
    saved = twin.model.backbone
    assert plain(config.model.backbone.type) in plain(f'{saved.type} {saved.get("pretrained")}')
    # where the twin lacks its data, the same command is named, and no second twin
    with pytest.raises(MissingDataError) as caught:
        build(twin)
    assert COMMAND.search(str(caught.value)).groups() == (layout, size, out)


@pytest.mark.parametrize('name', [n for n in list_models('synthvl/*') if 'pairs' not in n])
def test_the_command_for_an_embedded_config_makes_the_folder_that_it_reads(
        name, tmp_path, monkeypatch):
    config = get_config(name)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MissingDataError) as caught:
        build(config)
    layout, size, out = COMMAND.search(str(caught.value)).groups()
    assert out == config.train_dataloader.dataset.data_root
    shown = next((line for line in (REPO / 'configs' / f'{name}.py').read_text().splitlines()
                  if 'make_synthvl.py' in line and f'--out {out}' in line), None)
    if shown:
        assert shlex.split(shown)[3:] == ['--layout', layout, '--size', size, '--out', out]


@pytest.mark.parametrize('name', list_models())
def test_a_host_gets_as_many_frames_as_it_is_set_to(name):
    """Through every loader; a saved backbone says in its own folder how many that is."""
    config = get_config(name)
    wanted = config.model.backbone.get('num_frames')
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        steps = (config.get(loader) or {}).get('dataset', {}).get('pipeline', ())
        found = {t.num_frames for t in steps if 'num_frames' in t}
        assert len(found) <= 1 and (wanted is None or found <= {wanted}), (loader, found, wanted)


@pytest.mark.parametrize('name', list_models())
def test_the_rate_scales_from_the_batch_that_it_was_chosen_for(name):
    """--auto-scale-lr: the batch of all GPUs. SynthVL's and STGT's fine-tuning were set for one,
    fine-tuning for 4, post-training and pre-training for 8."""
    config = get_config(name)
    if not config.get('train_dataloader'):
        return
    base = config.auto_scale_lr.base_batch_size
    step = config.train_dataloader.batch_size * config.optim_wrapper.get('accumulative_counts', 1)
    folder, task = name.split('/')
    one = folder == 'synthvl' or (folder == 'stgt' and 'pretrain' not in task)
    assert base == step * (1 if one else 8 if task.startswith(('post', 'pre')) else 4)

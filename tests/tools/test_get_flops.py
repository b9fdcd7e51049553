import importlib.util
import json
import random

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from finsta.models import FinstaModel


@pytest.fixture(scope='module')
def tool_module():
    from tests.conftest import REPO
    spec = importlib.util.spec_from_file_location(
        'get_flops', REPO / 'tools' / 'analysis' / 'get_flops.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_count_against_the_formula(tool_module):
    layer = nn.Linear(7, 11)
    x = torch.ones(5, 7)
    assert tool_module.count(lambda: layer(x)) == 2 * 5 * 7 * 11
    # backward: gradient of the weights, none of the input
    assert tool_module.count(lambda: layer(x).sum().backward()) == 2 * 2 * 5 * 7 * 11


def test_random_graphs_have_the_asked_for_size(tool_module):
    graph = tool_module.random_graph(4, False, random.Random(0))
    assert len(graph.of_kind('object')) == len(graph.of_kind('attribute')) == 4
    assert len(graph.of_kind('predicate')) == 3 and len(graph.edges) == 4 + 6
    graph.validate()


def test_parameters(tool_module):
    layer = nn.Linear(2, 3)
    layer.bias.requires_grad_(False)
    assert tool_module.parameters(layer) == 9 and tool_module.parameters(layer, True) == 6
    assert tool_module.parameters(None) == 0


def test_not_computing_changes_no_count(tool_module):
    """The count of a post-training step, forward and backward, with and without the products."""
    from tests.models.tiny import BACKBONE, TEACHER, TRANSFER, batch
    teacher = {**TEACHER, 'encoder': {**TEACHER['encoder'], 'ops': 'dense'}}
    model = FinstaModel(BACKBONE, teacher=teacher, transfer=TRANSFER)
    rows = batch()
    tool_module.frozen_encoder(model, rows)  # labels are in the cache in both runs
    skipped = tool_module.training_step(model, rows)
    with FlopCounterMode(display=False) as counter:
        losses = model(**rows, mode='loss')
        sum(v.mean() for k, v in losses.items() if 'loss' in k).backward()
    assert skipped == counter.get_total_flops() > 0


def test_inference_costs_nothing_more_and_the_parts_add_up(tool, tmp_path):
    done = tool('analysis/get_flops.py', 'configs/synthvl/posttrain_msvd.py', '--train', '--batch',
                2, '--frames', 4, '--out', 'flops.json')
    assert done.returncode == 0, done.stderr
    data = json.loads((tmp_path / 'flops.json').read_text())
    figures = data['figures']
    assert data['graph_attention'] == 'dense' and '--batch 2' in data['command']
    assert figures['added at inference, %'] == 0
    assert figures['added by the structure, %'] == pytest.approx(
        figures['of which the frozen node encoder, %']
        + figures['of which graph encoders, losses, transfer, %'])
    assert 25 < figures['of which the frozen node encoder, %'] < 35  # a third: forward only
    assert figures['training FLOPs per sample, with structure'] > figures[
        'training FLOPs per sample, backbone alone'] > 2 * figures['inference FLOPs per sample']


def test_the_mean_of_a_schedule_counts_the_steps_without_the_teacher(tool):
    done = tool('analysis/get_flops.py', 'configs/synthvl/posttrain_msvd_alpro_twins.py',
                '--train', '--frames', 4, '--json')
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    whole, between = (figures[f'added {part}, %'] for part in (
        'by the structure', 'in the steps between (no teacher)'))
    assert 0 < between < whole
    assert figures['added on average, the teacher in one step of 4, %'] == pytest.approx(
        (whole + 3 * between) / 4)


def test_only_absent_weights_of_known_sizes_are_made_up(tool_module, tmp_path):
    clip = dict(type='CLIP4Clip', pretrained='openai/clip-vit-base-patch32', temporal='meanP')
    made = tool_module.at_random(clip)
    assert made['pretrained'] is None and made['temporal'] == 'meanP'
    assert made['vision']['patch_size'] == 32 and made['text']['hidden_size'] == 512
    for other in (dict(type='CLIP4Clip', pretrained='openai/another'),
                  dict(type='CLIP4Clip', text={}, vision={}),
                  dict(type='SavedBackbone', pretrained='alpro_tiny'),
                  dict(type='ALPRO', pretrained=str(tmp_path))):
        assert tool_module.at_random(other) is other


@pytest.mark.slow
@pytest.mark.parametrize(('config', 'millions', 'gigaflops'), [
    # CLIP ViT-B/32 has 151.3 M parameters (released model), seqTransf beside it four blocks and
    # 77 positions of width 512; 12 frames of 4.4 G multiply-adds: twelve blocks of width 768 on
    # 50 tokens, 12 * (12 * 768^2 * 50 + 2 * 50^2 * 768), and 49 patches of 3,072 numbers
    ('posttrain_msvd', 151.277 + (4 * (12 * 512 ** 2 + 13 * 512) + 77 * 512) / 1e6,
     12 * 2 * 4.4),
    ('posttrain_msvd_clip4clip-meanp', 151.277, 12 * 2 * 4.4)])
def test_a_full_size_host_is_counted_without_its_weights(tool, config, millions, gigaflops):
    done = tool('analysis/get_flops.py', f'configs/finsta/{config}.py', '--json',
                HF_HUB_OFFLINE='1')
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures['parameters of the backbone'] == pytest.approx(millions * 1e6, rel=1e-4)
    assert figures['inference FLOPs per sample'] == pytest.approx(gigaflops * 1e9, rel=0.02)

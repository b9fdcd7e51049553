"""Finsta's own losses over two processes with half the batch each equal the big batch: value and
gradient."""

import copy
import dataclasses
import json
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from torch import nn

from finsta.models import FinstaModel
from finsta.structures import HolisticBatch
from tests.models.graph_factory import empty_graph, holistic_graph
from tests.models.tiny import BACKBONE, TEACHER, batch
from tests.utils.dist import run_processes

SIZE, FRAMES = 4, 4
TRANSFER = [dict(type='PooledTransfer'), dict(type='NodeTransfer'),
            dict(type='RelationalTransfer'), dict(type='TokenAlignment', dim=16),
            dict(type='GraphReadout', dim=16)]
VIDEO_LLAVA = (Path(__file__).parents[2] / 'configs' / '_base_' / 'backbones'
               / 'video_llava_tiny.py')
STAGES = ('warmup', 'joint', 'host')


FALSE = [['a false one', 'another'], ['a third'], [], []]


def _model(choices: bool = False) -> FinstaModel:
    torch.manual_seed(0)
    more = dict(choice=dict(type='CaptionChoice'), reversal=dict(type='VideoChoice'))
    return FinstaModel(backbone=BACKBONE, teacher=copy.deepcopy(TEACHER), transfer=TRANSFER,
                       neighbours=dict(type='NeighbourChoice', group_size=2),
                       **(more if choices else {})).train()


def _batch(rows: slice, choices: bool = False) -> dict:
    """Unequal graphs; the third has no node, and the last two share a text. Only the first
    process has false captions; with them, the first and the last clip are one video."""
    data = batch(SIZE, FRAMES)
    graphs = [holistic_graph(i, 1 + i % 3, FRAMES) for i in range(SIZE)]
    graphs[2] = empty_graph(FRAMES)
    inputs = data['inputs']
    cut = {k: v[rows] if isinstance(v, torch.Tensor) else v for k, v in inputs.items()}
    texts = [graph.tsg.text or 'nothing' for graph in graphs]
    texts[2] = texts[3]
    cut['texts'] = texts[rows]
    cut['negative_texts'] = FALSE[rows] if choices else None
    cut['graphs'] = HolisticBatch.from_graphs(graphs[rows])
    samples = [dataclasses.replace(s, text=t)
               for s, t in zip(data['data_samples'], texts, strict=True)]
    if choices:
        samples[-1] = dataclasses.replace(samples[-1], video_id=samples[0].video_id)
    return dict(inputs=cut, data_samples=samples[rows])


def _losses(model: nn.Module, data: dict) -> tuple[dict, dict]:
    model.zero_grad()
    losses = {k: v for k, v in model(**data, mode='loss').items() if k.startswith('loss')}
    sum(losses.values()).backward()
    inner = getattr(model, 'module', model)
    return ({k: v.item() for k, v in losses.items()},
            {n: p.grad.numpy().copy() for n, p in inner.named_parameters() if p.grad is not None})


def _process(index: int) -> dict:
    found = {}
    for stage in STAGES:
        model = nn.parallel.DistributedDataParallel(_model(), find_unused_parameters=True)
        model.module.set_stage(stage)
        found[stage] = _losses(model, _batch(slice(2 * index, 2 * index + 2)))
    model = nn.parallel.DistributedDataParallel(_model(True), find_unused_parameters=True)
    found['choices'] = _losses(model, _batch(slice(2 * index, 2 * index + 2), True))
    return found


@pytest.mark.slow
def test_two_processes_equal_the_big_batch():
    results = run_processes(_process, 2, timeout=300)
    for stage in (*STAGES, 'choices'):
        model = _model(stage == 'choices')
        model.set_stage('joint' if stage == 'choices' else stage)
        losses, grads = _losses(model, _batch(slice(0, SIZE), stage == 'choices'))
        assert stage != 'choices' or losses['loss_choice_itc'] * losses['loss_reversal_itc'] > 0
        assert stage == 'host' or {'loss_osc', 'loss_ptc', 'loss_graph'} <= set(losses)
        for name, value in losses.items():
            shares = [r[stage][0][name] for r in results]
            assert sum(shares) / 2 == pytest.approx(value, rel=1e-4, abs=1e-6), (stage, name)
        for _, found in (r[stage] for r in results):
            for name, grad in grads.items():
                torch.testing.assert_close(torch.from_numpy(found[name]),
                                           torch.from_numpy(grad), rtol=2e-3, atol=2e-6,
                                           msg=lambda m, at=(stage, name): f'{at}: {m}')


def _qa(answers: Path) -> FinstaModel:
    torch.manual_seed(0)
    return FinstaModel(BACKBONE, head=dict(
        type='OpenEndedQAHead', answers=dict(ann_file=str(answers)), width=32, num_heads=2,
        num_classes=3, dropout=0.0)).train()


def _questions(rows: slice) -> dict:
    """The first process has one known answer, the second two."""
    data = _batch(rows)
    answers = ['violet', 'red', 'blue', 'red'][rows]
    for sample, answer in zip(data['data_samples'], answers, strict=True):
        sample.answer, sample.answer_id = answer, 0
    return data


def _captions(rows: slice) -> dict:
    """The second process has many more words."""
    data = _batch(rows)
    data['inputs']['texts'] = ['a star', 'a disc', 'a red star and two green squares move left',
                               'a blue disc'][rows]
    return data


def _speaker() -> FinstaModel:
    """Video-LLaVA with its next-token loss alone."""
    torch.manual_seed(0)
    return FinstaModel(Config.fromfile(VIDEO_LLAVA).model.backbone).eval()


def _task_process(index: int, answers: Path) -> dict:
    rows = slice(2 * index, 2 * index + 2)
    return {name: _losses(nn.parallel.DistributedDataParallel(model, find_unused_parameters=True),
                          data(rows))
            for name, model, data in (('loss_qa', _qa(answers), _questions),
                                      ('loss_lm', _speaker(), _captions))}


@pytest.mark.slow
def test_losses_of_unequal_shares_are_the_big_batch(tmp_path):
    answers = tmp_path / 'answers.json'
    answers.write_text(json.dumps(['red', 'blue']))
    results = run_processes(_task_process, 2, answers, timeout=300)
    for name, model, data in (('loss_qa', _qa(answers), _questions),
                              ('loss_lm', _speaker(), _captions)):
        losses, grads = _losses(model, data(slice(0, SIZE)))
        assert sum(r[name][0][name] for r in results) / 2 == pytest.approx(losses[name], rel=1e-4)
        for found in (r[name][1] for r in results):
            for key, grad in grads.items():
                torch.testing.assert_close(torch.from_numpy(found[key]), torch.from_numpy(grad),
                                           rtol=2e-3, atol=2e-6)

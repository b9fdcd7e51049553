import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.logging import MessageHub
from torch import nn

from finsta.registry import HOOKS


class _Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.stages = []
        self.last_stats = {}

    def set_stage(self, name):
        self.stages.append(name)


def _runner(model, tmp_path, name):
    return SimpleNamespace(model=model, iter=0, max_iters=10, work_dir=str(tmp_path),
                           message_hub=MessageHub.get_instance(f'test_hooks_{name}'))


def test_stage_follows_the_iteration(tmp_path):
    runner = _runner(_Model(), tmp_path, 'stage')
    hook = HOOKS.build(dict(type='StageHook', warmup_iters=3))
    hook.before_train(runner)
    for runner.iter in range(5):
        hook.before_train_iter(runner, runner.iter)
    assert runner.model.stages == ['warmup', 'joint']
    assert runner.iter == 4


def test_structure_in_every_third_joint_iteration(tmp_path):
    runner = _runner(_Model(), tmp_path, 'every')
    hook = HOOKS.build(dict(type='StageHook', warmup_iters=1, structure_every=3))
    hook.before_train(runner)
    for runner.iter in range(6):
        hook.before_train_iter(runner, runner.iter)
    assert runner.model.stages == ['warmup', 'joint', 'host', 'joint', 'host']
    resumed = _runner(_Model(), tmp_path, 'every_resumed')
    hook.before_train(resumed)
    resumed.iter = 6
    hook.before_train_iter(resumed, 6)
    assert resumed.model.stages == ['host']
    with pytest.raises(ValueError, match='structure_every'):
        HOOKS.build(dict(type='StageHook', warmup_iters=1, structure_every=0))


def test_a_resumed_run_is_in_the_right_stage(tmp_path):
    runner = _runner(_Model(), tmp_path, 'resumed')
    hook = HOOKS.build(dict(type='StageHook', warmup_iters=3))
    runner.iter = 7
    hook.before_train(runner)
    hook.before_train_iter(runner, 7)
    assert runner.model.stages == ['joint']


def test_a_run_that_ends_in_the_warm_up_is_refused(tmp_path):
    runner = _runner(_Model(), tmp_path, 'short')
    HOOKS.build(dict(type='StageHook', warmup_iters=9)).before_train(runner)
    hook = HOOKS.build(dict(type='StageHook', warmup_iters=10))
    with pytest.raises(ValueError, match=r'warmup_iters=10 .*train_cfg\.max_iters=10'):
        hook.before_train(runner)


def test_stage_hook_refuses_what_has_no_stages(tmp_path):
    hook = HOOKS.build(dict(type='StageHook', warmup_iters=3))
    with pytest.raises(TypeError, match='set_stage'):
        hook.before_train(_runner(nn.Linear(1, 1), tmp_path, 'none'))
    with pytest.raises(ValueError, match='-1'):
        HOOKS.build(dict(type='StageHook', warmup_iters=-1))


def test_structure_log(tmp_path):
    runner = _runner(_Model(), tmp_path, 'log')
    hook = HOOKS.build(dict(type='StructureLogHook', interval=2))
    for step in range(4):
        runner.iter = step
        runner.model.last_stats = {'nodes': step, 'teacher_r1': torch.tensor(0.5)}
        hook.after_train_iter(runner, step)
    data, _ = runner.message_hub.get_scalar('train/structure/nodes').data
    assert data.tolist() == [1.0, 3.0]
    runner.model.last_stats = {}
    hook.after_train_iter(runner, 4)
    runner.model.last_stats = {'host_r1': float('nan')}     # not measured
    hook.after_train_iter(runner, 5)
    assert 'train/structure/host_r1' not in runner.message_hub.log_scalars
    runner.model.last_stats = {'teacher_r1': float('inf')}
    with pytest.raises(ValueError, match=r'teacher_r1.*inf'):
        hook.after_train_iter(runner, 5)


def test_structure_log_waits_for_a_step_with_structure(tmp_path):
    """In every third step only, and never in one that the interval divides."""
    runner = _runner(_Model(), tmp_path, 'log_every')
    hook = HOOKS.build(dict(type='StructureLogHook', interval=4))
    for step in range(15):
        runner.model.last_stats = {'host_r1': step} | ({} if step % 3 else {'nodes': step})
        hook.after_train_iter(runner, step)
    nodes, _ = runner.message_hub.get_scalar('train/structure/nodes').data
    host, _ = runner.message_hub.get_scalar('train/structure/host_r1').data
    assert nodes.tolist() == [3.0, 9.0] and host.tolist() == [3.0, 7.0, 11.0]


def test_a_model_without_structure_logs_nothing(tmp_path):
    runner = _runner(nn.Linear(1, 1), tmp_path, 'plain')
    HOOKS.build(dict(type='StructureLogHook')).after_train_iter(runner, 0)
    assert not runner.message_hub.log_scalars


class _Backbone(nn.Linear):
    def save(self, folder):
        with open(f'{folder}/weights.json', 'w') as file:
            json.dump(self.weight.tolist(), file)


def test_export_writes_the_backbone_alone(tmp_path):
    model = nn.Module()
    model.backbone, model.teacher = _Backbone(1, 1), nn.Linear(1, 1)
    runner = _runner(model, tmp_path, 'export')
    hook = HOOKS.build(dict(type='BackboneExportHook'))
    hook.before_train(runner)
    hook.after_train(runner)
    content = json.loads((tmp_path / 'backbone' / 'weights.json').read_text())
    assert content == model.backbone.weight.tolist()


def test_export_complains_before_the_training(tmp_path):
    hook = HOOKS.build(dict(type='BackboneExportHook'))
    with pytest.raises(TypeError, match='save'):
        hook.before_train(_runner(nn.Linear(1, 1), tmp_path, 'bad'))


def test_prediction_strips(tmp_path):
    cv2 = pytest.importorskip('cv2')
    hook = HOOKS.build(dict(type='PredictionStripHook', out_dir=str(tmp_path / 'show'), limit=2,
                            height=20))
    hook.before_test(None)
    frames = torch.zeros(3, 4, 3, 10, 20, dtype=torch.uint8)
    frames[:, :, 0] = 200
    mask = torch.tensor([[True] * 4, [True, True, False, False], [True] * 4])
    outputs = [{'pred': 'cat', 'answer': 'naïve', 'video_emb': torch.ones(2)}] * 3
    hook.after_test_iter(None, 0, {'inputs': {'frames': frames, 'frame_mask': mask}}, outputs)
    files = sorted((tmp_path / 'show').iterdir())
    assert [f.name for f in files] == ['0_0000.png', '0_0001.png']
    first, second = (cv2.imread(str(f)) for f in files)
    assert first.shape == second.shape == (20 + 2 * 22 + 8, 320, 3)
    # red frames, four of 40 pixels in the first and two in the second; then white, then letters
    assert np.all(first[:20, :160] == (0, 0, 200)) and np.all(second[:20, 80:] == 255)
    assert (first[20:] < 100).any()

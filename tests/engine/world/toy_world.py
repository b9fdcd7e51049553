"""A tiny model and data set with every kind of randomness a training has; used by the tests of
the engine through ``custom_imports``."""

import os
import random
import signal

import numpy as np
import torch
from mmengine.dataset import BaseDataset
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from torch import nn

from finsta.registry import DATASETS, HOOKS, METRICS, MODELS


@DATASETS.register_module()
class ToyDataset(BaseDataset):
    """13 samples; each training read adds noise from all three global generators."""

    def __init__(self, root=None, **kwargs):
        self.toy_root = root
        super().__init__(**kwargs)

    def load_data_list(self):
        if self.toy_root is not None and not os.path.isdir(self.toy_root):
            raise FileNotFoundError(f'there is no toy data under {self.toy_root}')
        return [dict(value=float(i)) for i in range(13)]

    def prepare_data(self, idx):
        value = self.get_data_info(idx)['value']
        if self.test_mode:
            return dict(inputs=torch.tensor([value, 0.5, 1.0]), data_samples=value)
        noise = random.random() + np.random.rand() + torch.rand(()).item()
        return dict(inputs=torch.tensor([value, noise, 1.0]), data_samples=value)


class ToyBackbone(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.proj = nn.Linear(3, width)

    def forward(self, x):
        return self.proj(x).tanh()

    def save(self, folder):
        from safetensors.torch import save_file
        save_file(self.state_dict(), os.path.join(folder, 'model.safetensors'))

    def load(self, folder):
        from safetensors.torch import load_file
        self.load_state_dict(load_file(os.path.join(folder, 'model.safetensors')))


@MODELS.register_module()
class ToyHead(nn.Module):
    def __init__(self, width=8, bias=0.0):
        super().__init__()
        self.out = nn.Linear(width, 1)
        self.bias = bias

    def forward(self, x):
        return self.out(x)[:, 0] + self.bias


@MODELS.register_module()
class ConstantHead(nn.Module):
    """A head without weights, as a zero-shot head is."""

    def forward(self, x):
        return x.mean(dim=1) * 0 + 3.0


@MODELS.register_module()
class ToyModel(BaseModel):
    def __init__(self, head, width=8):
        super().__init__()
        self.backbone = ToyBackbone(width)
        self.head = MODELS.build(head)
        self.drop = nn.Dropout(0.5)
        self.last_stats = {}
        self.stages = []

    def set_stage(self, name):
        self.stages.append(name)

    def forward(self, inputs, data_samples=None, mode='tensor'):
        x = torch.stack(list(inputs)) if not isinstance(inputs, torch.Tensor) else inputs
        value = self.head(self.drop(self.backbone(x)))
        if mode == 'loss':
            self.last_stats = {'nodes': len(x)}
            target = torch.as_tensor(data_samples, dtype=value.dtype)
            return {'loss_toy': ((value - target) ** 2).mean()}
        return [{'prediction': v} for v in value.tolist()]


@METRICS.register_module()
class MeanPrediction(BaseMetric):
    def process(self, data_batch, data_samples):
        self.results += [sample['prediction'] for sample in data_samples]

    def compute_metrics(self, results):
        return {'mean_prediction': float(np.mean(results)), 'num': len(results)}


@HOOKS.register_module()
class TraceHook(Hook):
    """Appends "iteration loss" to a file; kills the process, hard, at an iteration."""

    def __init__(self, path, kill_at=None):
        self.path, self.kill_at = path, kill_at

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        with open(self.path, 'a') as file:
            file.write(f'{runner.iter} {outputs["loss"].item()!r}\n')
        if runner.iter == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

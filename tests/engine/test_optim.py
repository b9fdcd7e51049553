import copy
import logging
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.optim import build_optim_wrapper
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from finsta.registry import OPTIM_WRAPPERS

CONFIGS = Path(__file__).parents[2] / 'configs'


def _wrapper(model, **kwargs):
    return OPTIM_WRAPPERS.build(dict(
        type='Bf16OptimWrapper', optimizer=torch.optim.SGD(model.parameters(), lr=0.1), **kwargs))


def test_forward_is_bf16_and_weights_stay_fp32():
    model = nn.Linear(4, 2)
    wrapper = _wrapper(model)
    with wrapper.optim_context(model):
        out = model(torch.ones(3, 4))
    assert out.dtype == torch.bfloat16
    wrapper.update_params(out.float().sum())
    assert model.weight.dtype == torch.float32
    assert not torch.is_autocast_enabled('cpu')


def test_accumulation_equals_one_step_of_the_mean():
    torch.manual_seed(0)
    model = nn.Linear(4, 1)
    other = copy.deepcopy(model)
    x = torch.randn(4, 4)
    parts = _wrapper(model, accumulative_counts=2)
    parts.initialize_count_status(model, 0, 4)
    for half in x.split(2):
        with parts.optim_context(model):
            loss = model(half).float().pow(2).mean()
        before = model.weight.clone()
        parts.update_params(loss)
    assert not torch.equal(model.weight, before)      # stepped on the second half
    whole = _wrapper(other)
    with whole.optim_context(other):
        loss = other(x).float().pow(2).mean()
    whole.update_params(loss)
    torch.testing.assert_close(model.weight, other.weight, rtol=1e-2, atol=1e-3)


def test_close_to_fp32():
    torch.manual_seed(0)
    model = nn.Linear(16, 16)
    x = torch.randn(8, 16)
    with _wrapper(model).optim_context(model):
        half = model(x).float()
    full = model(x)
    assert 0 < (half - full).abs().max() < 0.05


def test_attention_is_formed_in_fp32_on_a_cpu_and_only_while_training():
    """bf16 keeps 8 bits; formed in fp32 from the same bf16 inputs, the result is exact."""
    model = nn.Linear(4, 2)
    fused = F.scaled_dot_product_attention
    torch.manual_seed(0)
    q, k, v = (torch.randn(2, 3, 5, 8).bfloat16().requires_grad_() for _ in range(3))
    bias = torch.randn(5, 5)
    with _wrapper(model).optim_context(model):
        out = F.scaled_dot_product_attention(q, k, v, bias.bfloat16())
    assert F.scaled_dot_product_attention is fused
    expected = fused(q.float(), k.float(), v.float(), bias.bfloat16().float())
    assert out.dtype == torch.bfloat16 and torch.equal(out, expected.bfloat16())
    out.sum().backward()
    assert q.grad is not None and torch.isfinite(q.grad).all()


def test_gradient_checkpointing_computes_again_in_the_same_types():
    torch.manual_seed(0)
    model = nn.Linear(8, 8)
    x = torch.randn(2, 3, 8)

    def attend(h):
        h = model(h)[:, None]
        return F.scaled_dot_product_attention(h, h, h).exp()

    grads = []
    for again in (True, False):
        wrapper = _wrapper(model)
        with wrapper.optim_context(model):
            out = checkpoint(attend, x, use_reentrant=False) if again else attend(x)
        wrapper.backward(out.float().sum())
        grads.append(model.weight.grad.clone())
        model.zero_grad()
    torch.testing.assert_close(*grads, rtol=0, atol=0)


@pytest.mark.parametrize('config', ['synthvl/retrieval_msvd_alpro', 'synthvl/videoqa_msvd',
                                    'synthvl/videoqa_msvd_stgt'])
def test_the_task_head_alone_learns_faster(config, tmp_path):
    """Not the backbone's matching head, whose name ends in the same word."""
    from finsta.apis import get_model
    cfg = Config.fromfile(f'{CONFIGS}/{config}.py')
    (tmp_path / 'answers.json').write_text('["red", "two"]')
    qa = {'model.head.answers.ann_file': str(tmp_path / 'answers.json')}
    model = get_model(config, options=qa if 'videoqa' in config else None)
    built = build_optim_wrapper(model, cfg.optim_wrapper)
    rate = {id(p): g['lr'] for g in built.optimizer.param_groups for p in g['params']}
    base = cfg.optim_wrapper.optimizer.lr
    fast = [n for n, p in model.named_parameters() if rate.get(id(p), base) > base]
    assert fast == [n for n, p in model.named_parameters()
                    if n.startswith('head.') and id(p) in rate]
    assert bool(fast) == ('videoqa' in config)


def test_the_log_sums_up_what_is_trained_how_fast():
    """Same groups as mmengine's constructor makes, one line in the place of one for each."""
    model = nn.ModuleDict({'head': nn.Linear(4, 2), 'rest': nn.Linear(3, 4),
                           'fixed': nn.Linear(5, 5)})
    model['fixed'].requires_grad_(False)
    config = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=0.1, weight_decay=0.01),
                  paramwise_cfg=dict(bias_decay_mult=0.0, custom_keys=dict(
                      head=dict(lr_mult=10.0))))
    lines = []
    handler = logging.Handler(logging.INFO)
    handler.emit = lambda record: lines.append(record.getMessage())
    logger = MMLogger.get_current_instance()
    logger.addHandler(handler)
    try:
        plain = build_optim_wrapper(model, copy.deepcopy(config))
        assert any('requires_grad=False' in line for line in lines)
        lines.clear()
        ours = build_optim_wrapper(
            model, {**copy.deepcopy(config), 'constructor': 'SummedUpOptimWrapperConstructor'})
    finally:
        logger.removeHandler(handler)
    assert lines == ['parameters: 10 at lr 1, weight decay 0.01; 12 at lr 0.1, weight decay '
                     '0.01; 4 at lr 0.1, weight decay 0; 30 frozen']
    assert ([{k: v for k, v in g.items() if k != 'params'} for g in ours.param_groups]
            == [{k: v for k, v in g.items() if k != 'params'} for g in plain.param_groups])

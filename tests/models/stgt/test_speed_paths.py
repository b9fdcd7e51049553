"""What STGT computes another way to be quick is the plain computation, value and gradients."""

import json
import weakref

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from finsta.models.backbones.blocks import ResidualAttentionBlock
from finsta.models.stgt import FrameBandGraph, build_graph, fusion
from finsta.models.stgt import attention as attention_module
from finsta.models.stgt.attention import auto_attention, banded_attention, dense_attention
from finsta.models.stgt.fusion import FusionBlock
from finsta.models.stgt.projections import project
from finsta.models.stgt.sparse import sparse_attention
from tests.models.stgt.test_adapter import clustered, module


@pytest.mark.parametrize('hidden', [64, 1 << 22])
@pytest.mark.parametrize('padded', [False, True])
def test_fusion_block_is_clips_block(hidden, padded, monkeypatch):
    """64 hidden activations at a time: one row, so that chunks do and do not divide."""
    monkeypatch.setattr(fusion, 'HIDDEN_CPU', hidden * 3)
    torch.manual_seed(0)
    plain, ours = (cls(16, 2).double() for cls in (ResidualAttentionBlock, FusionBlock))
    for parameter in plain.parameters():
        nn.init.normal_(parameter, std=0.5)
    ours.load_state_dict(plain.state_dict())
    padding = torch.zeros(2, 5, dtype=torch.bool)
    padding[1, 3:] = padded
    up, found = torch.randn(2, 5, 16, dtype=torch.float64), []
    x = torch.randn(2, 5, 16, dtype=torch.float64)
    for block in (plain, ours):
        leaf = x.clone().requires_grad_()
        out = block(leaf, padding if padded else None)
        (out * up)[~padding].sum().backward()
        found.append([out[~padding], leaf.grad, *(p.grad for p in block.parameters())])
    for reference, given in zip(*found, strict=True):
        torch.testing.assert_close(given, reference, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize('needed', [False, True])
def test_projections_in_a_row(needed):
    torch.manual_seed(0)
    linears = [nn.Linear(8, 8).double() for _ in range(4)]
    leaves = [p for linear in linears for p in linear.parameters()]
    tokens = torch.randn(2, 3, 5, 8, dtype=torch.float64, requires_grad=needed)
    offset = torch.randn(2, 3, 8, dtype=torch.float64, requires_grad=True)
    leaves += [offset, *([tokens] if needed else [])]
    up = torch.randn(3, 2, 3, 5, 8, dtype=torch.float64)
    z = linears[0](tokens + offset.unsqueeze(2))
    plain = torch.stack([linear(z) for linear in linears[1:]])
    pairs = [(linear.weight, linear.bias) for linear in linears]
    ours_z, *ours = project(tokens, offset, pairs[0], pairs[1:])
    ours = torch.stack(ours)
    assert not ours_z.requires_grad
    torch.testing.assert_close(ours_z, z)
    torch.testing.assert_close(ours, plain)
    for given, reference in zip(torch.autograd.grad(ours, leaves, up),
                                torch.autograd.grad(plain, leaves, up), strict=True):
        torch.testing.assert_close(given, reference, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize('form', ['auto', 'banded', 'sparse', 'dense'])
def test_gradients_do_not_depend_on_whether_the_tokens_need_one(form):
    x = clustered(2, 3, 7, 16, dtype=torch.float64)
    found = []
    for needed in (False, True):
        model = module(num_layers=2, attention=form, sim_threshold=0.3).double()
        model(x.clone().requires_grad_(needed), 2, 3).pooled.square().sum().backward()
        found.append([p.grad for p in model.parameters()])
    for frozen, trained in zip(*found, strict=True):
        torch.testing.assert_close(frozen, trained, rtol=1e-8, atol=1e-10)


def test_autocast_gradients_are_near_those_of_fp32():
    x, found = clustered(2, 3, 17, 16), []
    for half in (False, True):
        model = module(sim_threshold=0.3, num_layers=1)
        with torch.autocast('cpu', torch.bfloat16, enabled=half):
            tokens = model(x, 4, 4).tokens
        tokens.float().square().sum().backward()
        found.append([p.grad for p in model.layers.parameters()])
    for plain, half in zip(*found, strict=True):
        assert float((half - plain).norm()) <= 0.05 * float(plain.norm()) + 1e-3


@pytest.mark.parametrize('form', [banded_attention, sparse_attention])
def test_head_major_and_token_major_inputs_give_the_same(form):
    graph = build_graph(clustered(2, 3, 6, 8), 0.3)
    torch.manual_seed(0)
    tokens = torch.randn(3, 2, 3, 6, 2, 4).permute(0, 1, 4, 2, 3, 5)
    up = torch.randn(2, 2, 3, 6, 4)
    found = []
    for inputs in (tokens, tokens.contiguous()):
        leaves = [x.detach().requires_grad_() for x in inputs]
        out = form(*leaves, graph)
        found.append([out, *torch.autograd.grad(out, leaves, up)])
    for token_major, head_major in zip(*found, strict=True):
        torch.testing.assert_close(token_major, head_major)


@pytest.mark.parametrize(('pattern', 'expected'), [
    ('blocks', 'sparse'), ('full', 'banded'), ('scattered', 'banded')])
def test_auto_counts_the_logits_that_tiles_would_form(pattern, expected, monkeypatch):
    """Few edges are not enough: scattered ones leave a tile no column to drop."""
    cluster = torch.arange(96) // 16
    same = dict(blocks=(cluster[:, None] == cluster).float(), full=torch.ones(96, 96),
                scattered=torch.eye(96) + (torch.arange(96)[:, None] % 12
                                           == torch.arange(96) % 12).float())[pattern]
    graph = FrameBandGraph(same.expand(1, 2, 96, 96), same.expand(1, 1, 96, 96))
    if pattern == 'scattered':
        # rows sorted by their first neighbour would gather these classes; a shared one stops it
        same = same.clone()
        same[:, 0] = same[0] = 1
        graph = FrameBandGraph(same.expand(1, 2, 96, 96), same.expand(1, 1, 96, 96))
        assert graph.density() < attention_module.SPARSE_BELOW
    used = []
    for name in ('banded', 'sparse'):
        plain = getattr(attention_module, f'{name}_attention')
        monkeypatch.setattr(attention_module, f'{name}_attention',
                            lambda *a, _n=name, _f=plain: (used.append(_n), _f(*a))[1])
    torch.manual_seed(0)
    inputs = torch.randn(3, 1, 2, 2, 96, 4)
    torch.testing.assert_close(auto_attention(*inputs, graph), dense_attention(*inputs, graph))
    assert used == [expected]


def test_auto_on_a_gpu_looks_for_no_tiles(monkeypatch):
    def refuse(graph):
        raise AssertionError('tiles were looked for')

    same = torch.eye(64).expand(1, 2, 64, 64)
    graph = FrameBandGraph(same, same[:, :1])
    monkeypatch.setattr(attention_module, 'tiles', refuse)
    monkeypatch.setattr(attention_module, 'banded_attention', lambda *a: 'banded')
    query = torch.empty(1, 2, 2, 64, 4, device='meta')
    assert auto_attention(query, query, query, graph) == 'banded'


def test_the_threshold_of_auto_is_the_measured_one(repo_root):
    found = json.loads((repo_root / 'docs/en/results/benchmark_stgt.json').read_text())
    assert pytest.approx(found['sparse_wins_below_formed'], abs=0.02) == \
        attention_module.SPARSE_BELOW


def test_quick_mlp_is_quickgelu():
    torch.manual_seed(0)
    wide, narrow, x = nn.Linear(4, 8), nn.Linear(8, 4), torch.randn(3, 5, 4)
    hidden = wide(x)
    torch.testing.assert_close(fusion.quick_mlp(x, wide, narrow),
                               F.linear(hidden * torch.sigmoid(1.702 * hidden), narrow.weight,
                                        narrow.bias))


@pytest.mark.parametrize('wanted', [True, False])
def test_nothing_is_kept_for_a_backward_pass_that_is_not_wanted(wanted, monkeypatch):
    """The softmax of a frame is freed before the next frame's is formed."""
    alive, most = [], []
    softmax = torch.Tensor.softmax

    def counted(x, *args):
        out = softmax(x, *args)
        alive.append(weakref.ref(out))
        most.append(sum(ref() is not None for ref in alive))
        return out

    monkeypatch.setattr(torch.Tensor, 'softmax', counted)
    graph = build_graph(clustered(2, 4, 6, 8), 0.3)
    leaves = [x.requires_grad_() for x in torch.randn(3, 2, 2, 4, 6, 4)]
    with torch.set_grad_enabled(wanted):
        banded_attention(*leaves, graph)
    assert len(most) >= 4
    assert max(most) == (len(most) if wanted else 2)

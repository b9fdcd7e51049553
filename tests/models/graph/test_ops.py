"""Back ends of graph attention: one formula, four ways."""

import math

import pytest
import torch

from finsta.models.graph import Topology, build_graph_attention
from finsta.models.graph.ops_segment import SegmentGraphAttention

FORMS = ['dense', 'segment', 'traced', 'auto', 'dgl']


def back_end(name):
    if name == 'dgl':
        pytest.importorskip('dgl')
    return build_graph_attention({'type': 'SegmentGraphAttention', 'form': 'traced'}
                                 if name == 'traced' else name)


def topology(sizes=(5, 1, 0, 7), isolated=True, doubled=True, seed=0):
    """Units of several sizes; some edges twice; without self loops, so that some nodes hear
    nothing."""
    generator = torch.Generator().manual_seed(seed)
    src, dst, start = [], [], 0
    for size in sizes:
        for _ in range(3 * size if size > 1 else 0):
            i, j = torch.randint(size, (2,), generator=generator).tolist()
            if isolated and i == 0:
                continue
            src.append(start + j)
            dst.append(start + i)
        start += size
    if doubled:
        src, dst = src + src[:4], dst + dst[:4]
    order = torch.argsort(torch.tensor(dst, dtype=torch.long), stable=True)
    index = torch.tensor([src, dst], dtype=torch.long)[:, order]
    return Topology(index[0], index[1], torch.zeros(len(src), dtype=torch.long), list(sizes))


def inputs(top, heads=2, width=4, dtype=torch.float32, seed=1):
    generator = torch.Generator().manual_seed(seed)
    make = lambda *s: torch.randn(*s, generator=generator).to(dtype).requires_grad_()  # noqa: E731
    n = top.num_nodes
    return (*(make(n, heads, width) for _ in range(3)), make(top.num_edges, heads))


def by_hand(q, k, v, top, bias):
    """Node by node, edge by edge, in Python."""
    out = []
    for i in range(top.num_nodes):
        edges = (top.dst == i).nonzero().squeeze(1).tolist()
        rows = []
        for h in range(q.shape[1]):
            if not edges:
                rows.append(torch.zeros_like(v[i, h]))
                continue
            logits = torch.stack([q[i, h] @ k[top.src[e], h] / math.sqrt(q.shape[-1])
                                  + bias[e, h] for e in edges])
            weight = torch.exp(logits) / torch.exp(logits).sum()
            rows.append(sum(w * v[top.src[e], h] for w, e in zip(weight, edges, strict=True)))
        out.append(torch.stack(rows))
    return torch.stack(out)


def run(attention, tensors, top):
    q, k, v, bias = tensors
    out = attention.attend(q, k, v, top, bias)
    probe = torch.linspace(-1, 2, out.numel()).view_as(out).to(out.dtype)
    return out, torch.autograd.grad((out * probe).sum(), tensors)


@pytest.mark.parametrize('name', FORMS)
@pytest.mark.parametrize('doubled', [False, True])
def test_equals_the_formula_forward_and_gradient(name, doubled):
    top = topology(doubled=doubled)
    tensors = inputs(top)
    expected = by_hand(*tensors[:3], top, tensors[3])
    probe = torch.linspace(-1, 2, expected.numel()).view_as(expected)
    expected_grads = torch.autograd.grad((expected * probe).sum(), tensors)
    out, grads = run(back_end(name), tensors, top)
    torch.testing.assert_close(out, expected, atol=1e-5, rtol=1e-5)
    for grad, other in zip(grads, expected_grads, strict=True):
        torch.testing.assert_close(grad, other, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize('name', ['dense', 'segment', 'traced', 'dgl'])
def test_aggregate_is_attend_with_ready_logits(name):
    top = topology()
    q, k, v, bias = inputs(top)
    logits = (q[top.dst] * k[top.src]).sum(-1) / math.sqrt(q.shape[-1]) + bias
    attention = back_end(name)
    torch.testing.assert_close(attention.aggregate(logits, v, top),
                               attention.attend(q, k, v, top, bias), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize('name', FORMS)
def test_large_batch_agrees_with_the_dense_form(name):
    """Many chunks of the fused form, wide units, 8 heads."""
    top = topology(sizes=(40, 3, 300, 17, 64), isolated=False)
    tensors = inputs(top, heads=8, width=32)
    out, grads = run(back_end(name), tensors, top)
    expected, expected_grads = run(back_end('dense'), tensors, top)
    torch.testing.assert_close(out, expected, atol=1e-5, rtol=1e-4)
    for grad, other in zip(grads, expected_grads, strict=True):
        torch.testing.assert_close(grad, other, atol=1e-5, rtol=1e-4)


def test_chunks_of_dot_products_join_without_seams(monkeypatch):
    top = topology(isolated=False)
    tensors = inputs(top)
    whole, grads = run(SegmentGraphAttention('fused'), tensors, top)
    monkeypatch.setattr('finsta.models.graph.ops_segment._CHUNK_BYTES', 2 * 2 * 4 * 4 * 5)
    chunked, other = run(SegmentGraphAttention('fused'), tensors, top)
    torch.testing.assert_close(chunked, whole)
    for grad, expected in zip(other, grads, strict=True):
        torch.testing.assert_close(grad, expected)


def test_hand_written_gradient_passes_gradcheck():
    top = topology(sizes=(4, 3))
    tensors = inputs(top, dtype=torch.float64)
    attend = SegmentGraphAttention('fused').attend
    assert torch.autograd.gradcheck(lambda q, k, v, b: attend(q, k, v, top, b), tensors)


@pytest.mark.parametrize('name', FORMS)
def test_nodes_without_edges_get_zero_and_finite_gradients(name):
    top = topology()
    alone = top.in_degree == 0
    assert alone.any() and not alone.all()
    out, grads = run(back_end(name), inputs(top), top)
    assert (out[alone] == 0).all() and (out[~alone] != 0).any()
    assert all(g.isfinite().all() for g in grads)


@pytest.mark.parametrize('name', FORMS)
@pytest.mark.parametrize('sizes', [(), (0, 0), (1, 2)])
def test_empty_graphs(name, sizes):
    """No nodes, or nodes and no edges."""
    none = torch.zeros(0, dtype=torch.long)
    top = Topology(none, none, none, list(sizes))
    tensors = inputs(top)
    out, grads = run(back_end(name), tensors, top)
    assert out.shape == (sum(sizes), 2, 4) and (out == 0).all()
    assert all(g.isfinite().all() for g in grads)


@pytest.mark.parametrize('name', FORMS)
def test_huge_logits_stay_finite(name):
    top = topology(isolated=False)
    q, k, v, bias = inputs(top)
    out = back_end(name).attend(q * 1e4, k * 1e4, v, top, bias)
    assert out.isfinite().all()
    assert out.abs().max() <= v.abs().max() * (1 + 1e-5)


@pytest.mark.parametrize('name', FORMS)
def test_bf16_is_near_fp32(name):
    top = topology(sizes=(20, 30), isolated=False)
    wide = inputs(top, heads=4, width=16)
    half = tuple(x.detach().bfloat16().requires_grad_() for x in wide[:3])
    bias = wide[3].detach().requires_grad_()
    out, grads = run(back_end(name), (*half, bias), top)
    expected, expected_grads = run(back_end('dense'), wide, top)
    assert out.dtype == torch.bfloat16
    torch.testing.assert_close(out.float(), expected, atol=0.06, rtol=0.05)
    for grad, other in zip(grads, expected_grads, strict=True):
        error = (grad.float() - other).norm() / other.norm()
        assert error < 0.03


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match='none of'):
        build_graph_attention('sparse')
    with pytest.raises(ValueError, match="'fused'"):
        SegmentGraphAttention('quick')


def test_an_instance_is_taken_as_it_is():
    attention = SegmentGraphAttention()
    assert build_graph_attention(attention) is attention


@pytest.mark.parametrize(('name', 'whole'), [('segment', False), ('auto', False),
                                             ('traced', True)])
def test_compiled_is_the_same(name, whole):
    """Result and gradient; the traced form without a break in the graph."""
    top = topology(isolated=False)
    tensors = inputs(top)
    attention = back_end(name)
    torch.compiler.reset()
    compiled = torch.compile(lambda q, k, v, b: attention.attend(q, k, v, top, b),
                             backend='eager', fullgraph=whole)
    out = compiled(*tensors)
    expected, grads = run(attention, tensors, top)
    torch.testing.assert_close(out, expected, atol=1e-5, rtol=1e-5)
    probe = torch.linspace(-1, 2, out.numel()).view_as(out)
    for grad, other in zip(torch.autograd.grad((out * probe).sum(), tensors), grads, strict=True):
        torch.testing.assert_close(grad, other, atol=1e-5, rtol=1e-5)

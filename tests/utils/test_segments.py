"""Segment-wise and masked reductions against plain Python, and on empty rows."""

import pytest
import torch

from finsta.utils.segments import (
    segment_logsumexp,
    segment_mean,
    segment_softmax,
)

INDEX = torch.tensor([2, 0, 2, 2, 4])
X = torch.tensor([[1., 2.], [3., 5.], [-1., 0.], [6., 1.], [2., 2.]])


def rows(s):
    return X[s == INDEX]


def test_mean_and_weighted_mean():
    out = segment_mean(X, INDEX, 6)
    for s in range(6):
        expected = rows(s).mean(0) if len(rows(s)) else torch.zeros(2)
        torch.testing.assert_close(out[s], expected)
    weight = torch.tensor([1., 0., 3., 0., 2.])
    weighted = segment_mean(X, INDEX, 6, weight)
    torch.testing.assert_close(weighted[2], (X[0] + 3 * X[2]) / 4)
    assert (weighted[0] == 0).all()
    torch.testing.assert_close(segment_mean(X, INDEX, 6, weight > 0)[2], (X[0] + X[2]) / 2)


def test_softmax_and_logsumexp():
    out = segment_softmax(X, INDEX, 6)
    for s in (0, 2, 4):
        torch.testing.assert_close(out[s == INDEX], rows(s).softmax(0))
    dense = torch.tensor([1, 0, 1, 1, 2])
    expected = torch.stack([X[dense == s].logsumexp(0) for s in range(3)])
    torch.testing.assert_close(segment_logsumexp(X, dense, 3), expected)


def test_huge_logits_do_not_overflow():
    out = segment_softmax(X * 1e30, INDEX, 6)
    assert out.isfinite().all() and out[1].tolist() == [1., 1.]


@pytest.mark.parametrize('function', [segment_mean, segment_softmax])
def test_gradient_is_right_and_finite(function):
    x = X.double().requires_grad_()
    assert torch.autograd.gradcheck(lambda v: function(v, INDEX, 6), x)


@pytest.mark.parametrize('function', [segment_mean, segment_softmax])
def test_no_entries(function):
    x = torch.zeros(0, 2, requires_grad=True)
    out = function(x, torch.zeros(0, dtype=torch.long), 3)
    assert (out == 0).all()
    out.sum().backward()
    assert x.grad.shape == (0, 2)


def test_bf16_sums_in_fp32():
    x = torch.full((4096,), 1.0, dtype=torch.bfloat16)
    x[0] = 4096.
    out = segment_mean(x, torch.zeros(4096, dtype=torch.long), 1)
    assert out.dtype == torch.bfloat16 and float(out) == 2.0

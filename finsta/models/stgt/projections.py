"""Projections in a row, z = x W^T + b and then several of z, where only weights need a gradient.

Tokens of a frozen tower need no gradient. Then that of z is not formed either: with G_i = d_i^T x,

    dW_i = d_i^T z = G_i W^T + ...,    dW = (sum_i d_i W_i)^T x = sum_i W_i^T G_i + ...

which are d x d products; five of the fourteen large products of a backward pass go (of x and z
with M rows: the gradients of z, three, of W and of x). What a frame adds to all of its tokens is
kept apart for that. Same function either way; ours.

Shapes: F frames of N tokens, d channels, M = F N rows.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def project(tokens: Tensor, offset: Tensor, first: Sequence[Tensor],
            then: Sequence[Sequence[Tensor]]) -> tuple[Tensor, ...]:
    """(z, projections of z), each (..., N, d), of tokens (..., N, d) + offset (..., d).

    Args:
        first: weight (d, d) and bias (d,) that make z. then: weights and biases applied to z.

    z carries no gradient: it is meant for a similarity graph. No double backward.
    """
    kind = tokens.device.type
    given = [tokens.flatten(0, -3), offset.flatten(0, -2), *first, *(t for p in then for t in p)]
    if torch.is_autocast_enabled(kind):
        given = [t.to(torch.get_autocast_dtype(kind)) for t in given]
    with torch.autocast(kind, enabled=False):
        return tuple(x.view(tokens.shape) for x in _Projections.apply(*given))


class _Projections(torch.autograd.Function):
    """tokens (F, N, d), offset (F, d), then weight and bias in turn; all of one type."""

    @staticmethod
    def forward(ctx, tokens: Tensor, offset: Tensor, weight: Tensor, bias: Tensor,
                *then: Tensor) -> tuple[Tensor, ...]:
        x = tokens.flatten(0, 1)
        z = x @ weight.T
        z.view(tokens.shape).add_(torch.addmm(bias, offset, weight.T).unsqueeze(1))
        out = [torch.addmm(b, z, w.T) for w, b in zip(then[::2], then[1::2], strict=True)]
        # z is needed only where its own gradient is
        kept = z if ctx.needs_input_grad[0] else z.new_empty(0)
        ctx.save_for_backward(tokens, offset, weight, bias, kept, *then[::2])
        ctx.mark_non_differentiable(z)
        return z, *out

    @staticmethod
    @once_differentiable
    def backward(ctx, _, *grads: Tensor) -> tuple:
        tokens, offset, weight, bias, z, *then = ctx.saved_tensors
        x, d_x = tokens.flatten(0, 1), None
        grads = [g.contiguous() for g in grads]
        frames = [g.view(tokens.shape).sum(1) for g in grads]
        # of z, summed over the tokens of a frame
        d_z = sum(f @ w for f, w in zip(frames, then, strict=True))
        d_then = []
        if ctx.needs_input_grad[0]:
            full = grads[0] @ then[0]
            for g, w in zip(grads[1:], then[1:], strict=True):
                full.addmm_(g, w)
            d_x = (full @ weight).view(tokens.shape)
            d_weight = full.T @ x
            for g, f in zip(grads, frames, strict=True):
                d_then += [g.T @ z, f.sum(0)]
        else:
            added = torch.addmm(bias, offset, weight.T)
            d_weight = torch.zeros_like(weight)
            for g, f, w in zip(grads, frames, then, strict=True):
                product = g.T @ x
                d_weight.addmm_(w.T, product)
                d_then += [torch.addmm(f.T @ added, product, weight.T), f.sum(0)]
        d_weight.addmm_(d_z.T, offset)
        return d_x, d_z @ weight, d_weight, d_z.sum(0), *d_then

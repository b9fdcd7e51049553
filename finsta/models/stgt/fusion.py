"""The block that mixes [CLS ; patches] inside a frame: CLIP's block, with less memory traffic.

Same function and parameter names as ``backbones.blocks.ResidualAttentionBlock``. On a CPU a large
new tensor costs more than the arithmetic on it, so query, key and value are views of three
projections (no head-major copies) and the MLP runs a few rows at a time and keeps one hidden
tensor instead of three. Ours.

Shapes: B sequences of L tokens, C channels, M = B L rows.
"""

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from finsta.models.backbones.blocks import ResidualAttentionBlock

# hidden activations formed at a time: a CPU's cache; a GPU takes all rows at once
HIDDEN_CPU, HIDDEN_GPU = 1 << 22, 1 << 40
SLOPE = 1.702


class FusionBlock(ResidualAttentionBlock):
    """No double backward."""

    def forward(self, x: Tensor, padding: Tensor | None = None) -> Tensor:
        """x (B, L, C); ``padding`` (B, L) True = ignore."""
        y = self.ln_1(x)
        weights, biases = self.attn.in_proj_weight.chunk(3), self.attn.in_proj_bias.chunk(3)
        query, key, value = (
            F.linear(y, w, b).unflatten(-1, (self.attn.num_heads, -1)).transpose(1, 2)
            for w, b in zip(weights, biases, strict=True))
        allowed = None if padding is None else ~padding[:, None, None]
        mixed = F.scaled_dot_product_attention(query, key, value, allowed)
        x = x + self.attn.out_proj(mixed.transpose(1, 2).flatten(2))
        return x + quick_mlp(self.ln_2(x), self.mlp.c_fc, self.mlp.c_proj)


def quick_mlp(x: Tensor, widen: torch.nn.Linear, narrow: torch.nn.Linear) -> Tensor:
    """narrow(QuickGELU(widen(x))), (..., C) -> (..., C).

    x sigmoid(1.702 x) = silu(1.702 x) / 1.702, so the factors go into the two matrices.
    """
    kind = x.device.type
    given = (x.flatten(0, -2), widen.weight * SLOPE, widen.bias * SLOPE, narrow.weight / SLOPE,
             narrow.bias)
    if torch.is_autocast_enabled(kind):
        given = tuple(t.to(torch.get_autocast_dtype(kind)) for t in given)
    return _SiluMlp.apply(*given, torch.is_grad_enabled()).view(*x.shape[:-1], -1)


class _SiluMlp(torch.autograd.Function):
    """x (M, C), w1 (D, C), b1 (D), w2 (C, D), b2 (C) of one type -> (M, C)."""

    @staticmethod
    def forward(ctx, x: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor,
                backward: bool) -> Tensor:
        out = x.new_empty(len(x), len(w2))
        hidden = []
        with torch.autocast(x.device.type, enabled=False):
            active, = _scratch(x, w1, 1)
            for rows in _rows(x, w1):
                h = torch.addmm(b1, x[rows], w1.T)
                if backward:
                    hidden.append(h)
                here = active[:len(h)]
                torch.ops.aten.silu.out(h, out=here)
                torch.addmm(b2, here, w2.T, out=out[rows])
        ctx.save_for_backward(x, w1, w2, *hidden)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple:
        x, w1, w2, *hidden = ctx.saved_tensors
        d_x, d_w1, d_w2 = torch.empty_like(x), torch.zeros_like(w1), torch.zeros_like(w2)
        d_b1 = w1.new_zeros(len(w1))
        with torch.autocast(x.device.type, enabled=False):
            active, d_active = _scratch(x, w1, 2)
            for rows, h in zip(_rows(x, w1), hidden, strict=True):
                up, here, d_here = grad[rows], active[:len(h)], d_active[:len(h)]
                d_w2.addmm_(up.T, torch.ops.aten.silu.out(h, out=here))
                torch.mm(up, w2, out=d_here)
                d_h = torch.ops.aten.silu_backward.grad_input(d_here, h, grad_input=here)
                d_w1.addmm_(d_h.T, x[rows])
                d_b1 += d_h.sum(0)
                torch.mm(d_h, w1, out=d_x[rows])
        return d_x, d_w1, d_b1, d_w2, grad.sum(0), None


def _scratch(x: Tensor, w1: Tensor, number: int) -> list[Tensor]:
    """Places for hidden activations, taken once: an allocator may give such sizes back at once."""
    rows = _rows(x, w1)[0]
    return [x.new_empty(min(rows.stop, len(x)), len(w1)) for _ in range(number)]


def _rows(x: Tensor, w1: Tensor) -> list[slice]:
    """Rows taken at a time, of about equal number."""
    limit = HIDDEN_CPU if x.device.type == 'cpu' else HIDDEN_GPU
    parts = max(1, -(-len(x) * len(w1) // limit))
    step = max(1, -(-len(x) // parts))
    return [slice(low, low + step) for low in range(0, len(x), step)]

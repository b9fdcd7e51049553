"""Segment-wise reductions that are safe for empty segments.

An empty segment gives 0 and a finite (zero) gradient, never NaN. Sums run in at least fp32.

Shapes: E entries in S segments; ``index`` (E,) names the segment of each entry.
"""

import torch
from torch import Tensor


def _wide(x: Tensor) -> Tensor:
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def segment_sum(x: Tensor, index: Tensor, num: int) -> Tensor:
    """Sum of (E, ...) per segment -> (num, ...), in at least fp32."""
    x = _wide(x)
    return x.new_zeros(num, *x.shape[1:]).index_add(0, index, x)


def segment_count(index: Tensor, num: int) -> Tensor:
    """Entries per segment, (num,) long."""
    return torch.zeros(num, dtype=torch.long, device=index.device).index_add_(
        0, index, torch.ones_like(index))


def segment_mean(x: Tensor, index: Tensor, num: int, weight: Tensor | None = None) -> Tensor:
    """Mean of (E, ...) per segment -> (num, ...) in ``x.dtype``; 0 where a segment is empty.

    Args:
        weight: (E,) non-negative weights or a bool mask; a segment of total weight 0 gives 0.
    """
    if weight is None:
        total = segment_sum(x, index, num)
        size = segment_count(index, num).to(total.dtype)
    else:
        weight = weight.to(_wide(x).dtype)
        total = segment_sum(_wide(x) * weight.view(-1, *[1] * (x.dim() - 1)), index, num)
        size = segment_sum(weight, index, num)
    safe = torch.where(size > 0, size, torch.ones_like(size))
    return (total / safe.view(-1, *[1] * (x.dim() - 1))).to(x.dtype)


def segment_max(x: Tensor, index: Tensor, num: int) -> Tensor:
    """Maximum of (E, ...) per segment, without gradient; 0 where a segment is empty."""
    out = x.new_full((num, *x.shape[1:]), float('-inf'))
    spread = index.view(-1, *[1] * (x.dim() - 1)).expand_as(x)
    out = out.scatter_reduce(0, spread, x.detach(), 'amax')
    return torch.where(torch.isinf(out) & (out < 0), torch.zeros_like(out), out)


def segment_softmax(logits: Tensor, index: Tensor, num: int) -> Tensor:
    """Softmax of (E, ...) inside each segment, in at least fp32, back in ``logits.dtype``."""
    wide = _wide(logits)
    shifted = torch.exp(wide - segment_max(wide, index, num).index_select(0, index))
    total = segment_sum(shifted, index, num)
    return (shifted / total.index_select(0, index)).to(logits.dtype)


def segment_logsumexp(x: Tensor, index: Tensor, num: int) -> Tensor:
    """log sum exp of (E, ...) per segment -> (num, ...); every segment needs an entry."""
    wide = _wide(x)
    top = segment_max(wide, index, num)
    total = segment_sum(torch.exp(wide - top.index_select(0, index)), index, num)
    return (total.log() + top).to(x.dtype)

"""Attention along the graph: the weight of an edge is a mask and a factor on the logit.

    out_i = sum_j softmax_j(A_ij q_i . k_j / sqrt(d_h), -inf where A_ij = 0) v_j

Three forms of the same function: ``dense_attention`` forms all (T N)^2 logits (reference),
``banded_attention`` only those of the 3T - 2 frame blocks the graph has, and
``sparse.sparse_attention`` only tiles with edges. The factor on the logit keeps this from being
one call of SDPA. stgt.md, local branch; banded and sparse forms ours.

Shapes: B videos, H heads, T frames, N patches, c = d / H channels a head.
"""

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from .graph import FrameBandGraph, widen
from .sparse import sparse_attention

FORMS = ('banded', 'sparse', 'dense')
# logits formed at a time: a share of a CPU's cache; a GPU takes a frame at once
CHUNK_CPU, CHUNK_GPU = 1 << 20, 1 << 28


def dense_attention(query: Tensor, key: Tensor, value: Tensor, graph: FrameBandGraph,
                    dropout: float = 0.0) -> Tensor:
    """All pairs of patches. query (scaled), key, value and the result: (B, H, T, N, c)."""
    weights = graph.dense().unsqueeze(1)
    flat = [x.flatten(2, 3) for x in (query, key, value)]
    logits = widen(flat[0] @ flat[1].mT) * weights
    logits = logits.masked_fill(weights == 0, -torch.inf)
    attention = torch.dropout(logits.softmax(-1), dropout, dropout > 0)
    return (attention.to(value.dtype) @ flat[2]).view_as(query)


def banded_attention(query: Tensor, key: Tensor, value: Tensor, graph: FrameBandGraph,
                     dropout: float = 0.0) -> Tensor:
    """As :func:`dense_attention`; time and memory grow with T, not with T^2. No double
    backward."""
    return _Banded.apply(query.contiguous(), key.contiguous(), value.contiguous(), graph.same,
                         graph.after, dropout)


class _Banded(torch.autograd.Function):
    """One query frame at a time, a few heads at a time; the softmax is kept for the backward
    pass, everything else is formed again or overwritten in place."""

    @staticmethod
    def forward(ctx, query: Tensor, key: Tensor, value: Tensor, same: Tensor, after: Tensor,
                dropout: float) -> Tensor:
        graph = FrameBandGraph(same, after)
        out = torch.empty_like(query)
        saved = []
        with torch.autocast(query.device.type, enabled=False):
            for frame, lo, hi, heads in _chunks(query, graph):
                if heads.start == 0:
                    weights, bias = _factors(graph, frame)
                keys, values = (x[:, heads, lo:hi].flatten(2, 3) for x in (key, value))
                logits = widen(query[:, heads, frame] @ keys.mT)
                torch.addcmul(bias, logits, weights, out=logits)
                attention = logits.softmax(-1).to(query.dtype)
                kept = None
                if dropout > 0:
                    kept = torch.rand_like(logits) >= dropout
                    saved.append(kept)
                saved.append(attention)
                out[:, heads, frame] = _thinned(attention, kept, dropout) @ values
        ctx.save_for_backward(query, key, value, same, after, out, *saved)
        ctx.dropout = dropout
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple:
        query, key, value, same, after, out, *saved = ctx.saved_tensors
        graph, dropout = FrameBandGraph(same, after), ctx.dropout
        d_query, d_key, d_value = (torch.zeros_like(x) for x in (query, key, value))
        saved = iter(saved)
        with torch.autocast(query.device.type, enabled=False):
            # sum_j P_ij dP_ij = dO_i . O_i, also under dropout
            inner = (widen(grad) * widen(out)).sum(-1, keepdim=True)
            for frame, lo, hi, heads in _chunks(query, graph):
                if heads.start == 0:
                    weights, _ = _factors(graph, frame)
                kept = next(saved) if dropout > 0 else None
                attention = next(saved)
                keys, values = (x[:, heads, lo:hi].flatten(2, 3) for x in (key, value))
                up = grad[:, heads, frame]
                span = (values.shape[0], values.shape[1], hi - lo, -1, values.shape[3])
                d_value[:, heads, lo:hi] += (
                    _thinned(attention, kept, dropout).mT @ up).view(span)
                d_logits = widen(up @ values.mT)
                if kept is not None:
                    d_logits.mul_(kept).div_(1 - dropout)
                d_logits.sub_(inner[:, heads, frame]).mul_(attention).mul_(weights)
                d_logits = d_logits.to(query.dtype)
                d_query[:, heads, frame] = d_logits @ keys
                d_key[:, heads, lo:hi] += (d_logits.mT @ query[:, heads, frame]).view(span)
        return d_query, d_key, d_value, None, None, None


def _chunks(query: Tensor, graph: FrameBandGraph):
    """(frame, first and last + 1 frame it sees, heads) so that the logits of one stay small."""
    b, heads, frames, n, _ = query.shape
    limit = CHUNK_CPU if query.device.type == 'cpu' else CHUNK_GPU
    for frame in range(frames):
        lo, hi = graph.columns(frame)
        step = max(1, min(heads, limit // (b * n * n * (hi - lo))))
        for start in range(0, heads, step):
            yield frame, lo, hi, slice(start, min(start + step, heads))


def _factors(graph: FrameBandGraph, frame: int) -> tuple[Tensor, Tensor]:
    """(B, 1, N, n N) factors on the logits, and 0 or -inf."""
    weights = graph.rows(frame).unsqueeze(1)
    return weights, torch.zeros_like(weights).masked_fill_(weights == 0, -torch.inf)


def _thinned(attention: Tensor, kept: Tensor | None, dropout: float) -> Tensor:
    return attention if kept is None else attention * kept / (1 - dropout)


class GraphAttention(nn.Module):
    """Multi-head graph attention with its projections; no residual around it.

    Args:
        dim: d. num_heads: H. dropout: of the attention weights. form: one of ``FORMS``.

    Raises:
        ValueError: unknown form, or ``dim`` that the heads do not divide.
    """

    def __init__(self, dim: int, num_heads: int, dropout: float = 0.1, form: str = 'banded'
                 ) -> None:
        super().__init__()
        if form not in FORMS:
            raise ValueError(f'attention must be one of {FORMS}, got {form!r}')
        if dim % num_heads:
            raise ValueError(f'{num_heads} heads do not divide dim={dim}')
        self.num_heads, self.dropout, self.form = num_heads, dropout, form
        self.query, self.key = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.value, self.out = nn.Linear(dim, dim), nn.Linear(dim, dim)

    def forward(self, tokens: Tensor, graph: FrameBandGraph) -> Tensor:
        """(B, T, N, d) -> (B, T, N, d)."""
        def heads(x: Tensor) -> Tensor:
            return x.unflatten(-1, (self.num_heads, -1)).permute(0, 3, 1, 2, 4)

        scale = (tokens.shape[-1] // self.num_heads) ** -0.5
        attend = {'banded': banded_attention, 'sparse': sparse_attention,
                  'dense': dense_attention}[self.form]
        mixed = attend(heads(self.query(tokens) * scale), heads(self.key(tokens)),
                       heads(self.value(tokens)), graph, self.dropout if self.training else 0.0)
        return self.out(mixed.permute(0, 2, 3, 1, 4).flatten(-2))

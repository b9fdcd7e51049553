"""Attention along the graph: the weight of an edge is a mask and a factor on the logit.

    out_i = sum_j softmax_j(A_ij q_i . k_j / sqrt(d_h), -inf where A_ij = 0) v_j

Forms of the same function: ``dense_attention`` forms all (T N)^2 logits (reference),
``banded_attention`` only those of the 3T - 2 frame blocks the graph has, and
``sparse.sparse_attention`` only tiles with edges; ``auto`` picks one of
the last two by the graph. The factor on the logit keeps this from being
one call of SDPA. stgt.md, local branch; banded and sparse forms ours.

Shapes: B videos, H heads, T frames, N patches, c = d / H channels a head.
"""

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from .graph import FrameBandGraph, widen
from .sparse import sparse_attention, tiles

FORMS = ('auto', 'banded', 'sparse', 'dense')
# share of the band's logits below which forming them tile by tile takes less time: measured on a
# CPU (benchmark_stgt.json, sparse_wins_below_formed)
SPARSE_BELOW = 0.41
# logits formed at a time: a share of a CPU's cache; a GPU takes a frame at once
CHUNK_CPU, CHUNK_GPU = 1 << 19, 1 << 28


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
    return _Banded.apply(query, key, value, graph.same, graph.after, dropout,
                         torch.is_grad_enabled())


def auto_attention(query: Tensor, key: Tensor, value: Tensor, graph: FrameBandGraph,
                   dropout: float = 0.0) -> Tensor:
    """On a CPU the sparse form where its tiles hold less than ``SPARSE_BELOW`` of the band, else
    banded. On a GPU banded: finding the tiles waits for the device once for each of them (not
    measured)."""
    if query.device.type == 'cpu' and graph.density() < SPARSE_BELOW:
        found = list(tiles(graph))
        b, t, n = graph.shape
        if sum(w.numel() for *_, w in found) < SPARSE_BELOW * b * (3 * t - 2) * n * n:
            return sparse_attention(query, key, value, graph, dropout, found)
    return banded_attention(query, key, value, graph, dropout)


class _Banded(torch.autograd.Function):
    """One query frame at a time, a few heads at a time; the softmax is kept for the backward
    pass, everything else is formed again or overwritten in place. Works on views: the layout of
    the inputs, head-major or token-major, is that of the result and of the gradients."""

    @staticmethod
    def forward(ctx, query: Tensor, key: Tensor, value: Tensor, same: Tensor, after: Tensor,
                dropout: float, backward: bool) -> Tensor:
        graph = FrameBandGraph(same, after)
        out = torch.empty_like(query)
        saved = []
        with torch.autocast(query.device.type, enabled=False):
            for at, seen, weights in _chunks(query, graph):
                bias = torch.zeros_like(weights).masked_fill_(weights == 0, -torch.inf)
                for heads in _heads(query, weights):
                    logits = widen(query[at][:, heads] @ _columns(key, seen, heads).mT)
                    torch.addcmul(bias, logits, weights, out=logits)
                    attention = logits.softmax(-1).to(query.dtype)
                    kept = torch.rand_like(logits) >= dropout if dropout > 0 else None
                    if backward:
                        saved += [attention] if kept is None else [kept, attention]
                    _product(out[at][:, heads], _thinned(attention, kept, dropout),
                             _columns(value, seen, heads))
        ctx.save_for_backward(query, key, value, same, after, out, *saved)
        ctx.dropout = dropout
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple:
        query, key, value, same, after, out, *saved = ctx.saved_tensors
        graph, dropout = FrameBandGraph(same, after), ctx.dropout
        d_query = torch.empty_like(query)
        d_key, d_value = torch.zeros_like(key), torch.zeros_like(value)
        saved = iter(saved)
        with torch.autocast(query.device.type, enabled=False):
            for at, seen, weights in _chunks(query, graph):
                # sum_j P_ij dP_ij = dO_i . O_i, also under dropout
                inner = (widen(grad[at]) * widen(out[at])).sum(-1, keepdim=True)
                for heads in _heads(query, weights):
                    kept = next(saved) if dropout > 0 else None
                    attention = next(saved)
                    up = grad[at][:, heads]
                    _product(_columns(d_value, seen, heads),
                             _thinned(attention, kept, dropout).mT, up, 1)
                    d_logits = widen(up @ _columns(value, seen, heads).mT)
                    if kept is not None:
                        d_logits.mul_(kept).div_(1 - dropout)
                    d_logits.sub_(inner[:, heads]).mul_(attention).mul_(weights)
                    d_logits = d_logits.to(query.dtype)
                    _product(d_query[at][:, heads], d_logits, _columns(key, seen, heads))
                    _product(_columns(d_key, seen, heads), d_logits.mT, query[at][:, heads], 1)
        return d_query, d_key, d_value, None, None, None, None


def _chunks(query: Tensor, graph: FrameBandGraph):
    """(index of rows, index of columns, weights (b, 1, N, n N)) of one query frame: of every
    video on a GPU, of one video on a CPU."""
    videos, _, frames = query.shape[:3]
    step = 1 if query.device.type == 'cpu' else videos
    for frame in range(frames):
        lo, hi = graph.columns(frame)
        weights = graph.rows(frame).unsqueeze(1)
        for start in range(0, videos, step):
            part = slice(start, start + step)
            yield (part, slice(None), frame), (part, lo, hi), weights[part]


def _heads(query: Tensor, weights: Tensor) -> list[slice]:
    """Heads taken at a time, so that their logits stay small."""
    limit = CHUNK_CPU if query.device.type == 'cpu' else CHUNK_GPU
    step = max(1, limit // weights.numel())
    return [slice(start, start + step) for start in range(0, query.shape[1], step)]


def _columns(x: Tensor, seen: tuple[slice, int, int], heads: slice) -> Tensor:
    """(b, h, n N, c) of the frames that are seen; a view where the layout is dense."""
    videos, lo, hi = seen
    return x[videos, heads, lo:hi].flatten(2, 3)


def _product(into: Tensor, left: Tensor, right: Tensor, keep: int = 0) -> None:
    """into = keep into + left @ right, written through a view; (b, h, ., .)."""
    for target, a, b in zip(into, left, right, strict=True):
        target.baddbmm_(a, b, beta=keep)


def _thinned(attention: Tensor, kept: Tensor | None, dropout: float) -> Tensor:
    return attention if kept is None else attention * kept / (1 - dropout)


class GraphAttention(nn.Module):
    """Multi-head graph attention with its projections; no residual around it.

    Args:
        dim: d. num_heads: H. dropout: of the attention weights. form: one of ``FORMS``.

    Raises:
        ValueError: unknown form, or ``dim`` that the heads do not divide.
    """

    def __init__(self, dim: int, num_heads: int, dropout: float = 0.1, form: str = 'auto'
                 ) -> None:
        super().__init__()
        if form not in FORMS:
            raise ValueError(f'attention must be one of {FORMS}, got {form!r}')
        if dim % num_heads:
            raise ValueError(f'{num_heads} heads do not divide dim={dim}')
        self.num_heads, self.dropout, self.form = num_heads, dropout, form
        self.query, self.key = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.value, self.out = nn.Linear(dim, dim), nn.Linear(dim, dim)

    def projections(self) -> list[tuple[Tensor, Tensor]]:
        """Weight and bias of query (with 1 / sqrt(d_h) in them), key and value."""
        scale = (self.out.in_features // self.num_heads) ** -0.5
        return [(self.query.weight * scale, self.query.bias * scale),
                (self.key.weight, self.key.bias), (self.value.weight, self.value.bias)]

    def forward(self, query: Tensor, key: Tensor, value: Tensor, graph: FrameBandGraph) -> Tensor:
        """What :meth:`projections` make of the tokens, (B, T, N, d) each -> (B, T, N, d)."""
        heads = [x.unflatten(-1, (self.num_heads, -1)).permute(0, 3, 1, 2, 4)
                 for x in (query, key, value)]
        attend = {'auto': auto_attention, 'banded': banded_attention, 'sparse': sparse_attention,
                  'dense': dense_attention}[self.form]
        mixed = attend(*heads, graph, self.dropout if self.training else 0.0)
        return self.out(mixed.permute(0, 2, 3, 1, 4).flatten(-2))

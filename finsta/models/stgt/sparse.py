"""Graph attention over the few columns that a tile of rows has edges to.

Rows of a frame are sorted by their first neighbour inside the frame, so that rows of one cluster
stand together; each tile of ``TILE`` rows then forms logits against the union of its neighbours
only. Exact for any graph; it gains when the graph is sparse *and* clustered, as thresholded
cosines are. tools/analysis/benchmark_stgt.py states from which density on. Ours.

Shapes: B videos, H heads, T frames, N patches, c channels a head, M = B T N; R rows and S columns
of a tile.
"""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .graph import FrameBandGraph, widen

TILE = 32
Tiling = list[tuple[Tensor, Tensor, Tensor]]


def sparse_attention(query: Tensor, key: Tensor, value: Tensor, graph: FrameBandGraph,
                     dropout: float = 0.0, tiling: Tiling | None = None) -> Tensor:
    """As ``attention.dense_attention``: (B, H, T, N, c), query scaled. No double backward.

    Args:
        tiling: what :func:`tiles` gives for ``graph``, if at hand.
    """
    b, _, t, n, _ = query.shape
    # token-major, a view for GraphAttention's inputs: the heads of a patch are gathered at once
    flat = [x.permute(0, 2, 3, 1, 4).flatten(0, 2) for x in (query, key, value)]
    out = _Tiled.apply(*flat, list(tiles(graph)) if tiling is None else tiling, dropout,
                       torch.is_grad_enabled())
    return out.unflatten(0, (b, t, n)).permute(0, 3, 1, 2, 4)


def tiles(graph: FrameBandGraph) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """(rows (R,), columns (S,), weights (R, S)) covering every row once; rows and columns are
    places among the M patches."""
    b, t, n = graph.shape
    first = (graph.same != 0).to(torch.uint8).argmax(-1)
    order = torch.argsort(first, dim=-1, stable=True)
    for frame in range(t):
        weights = graph.rows(frame)
        start = graph.columns(frame)[0] * n
        for video in range(b):
            here = order[video, frame]
            for rows, part in zip(here.split(TILE), weights[video, here].split(TILE),
                                  strict=True):
                columns = part.any(0).nonzero().flatten()
                yield (rows + (video * t + frame) * n, columns + (video * t * n + start),
                       part.index_select(1, columns))


class _Tiled(torch.autograd.Function):
    """Inputs (M, H, c)."""

    @staticmethod
    def forward(ctx, query: Tensor, key: Tensor, value: Tensor, tiling: Tiling, dropout: float,
                backward: bool) -> Tensor:
        out = torch.empty_like(query, memory_format=torch.contiguous_format)
        saved = []
        with torch.autocast(query.device.type, enabled=False):
            for rows, columns, weights in tiling:
                logits = widen(_take(query, rows) @ _take(key, columns).mT)
                logits.mul_(weights).masked_fill_(weights == 0, -torch.inf)
                attention = logits.softmax(-1)
                kept = torch.empty(0, dtype=torch.bool, device=query.device)
                thinned = attention
                if dropout > 0:
                    kept = torch.rand_like(attention) >= dropout
                    thinned = attention * kept / (1 - dropout)
                out.index_copy_(0, rows, _product(thinned.to(value.dtype), _take(value, columns)))
                if backward:
                    saved += [rows, columns, weights, attention.to(query.dtype), kept]
        ctx.save_for_backward(query, key, value, *saved)
        ctx.dropout = dropout
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple:
        query, key, value, *saved = ctx.saved_tensors
        d_query, d_key, d_value = (x.new_zeros(x.shape) for x in (query, key, value))
        with torch.autocast(query.device.type, enabled=False):
            for i in range(0, len(saved), 5):
                rows, columns, weights, attention, kept = saved[i:i + 5]
                up = _take(grad, rows)
                d_logits = widen(up @ _take(value, columns).mT)
                thinned = attention
                if ctx.dropout > 0:
                    thinned = attention * kept / (1 - ctx.dropout)
                    d_logits.mul_(kept).div_(1 - ctx.dropout)
                d_value.index_add_(0, columns, _product(thinned.to(up.dtype).mT, up))
                inner = (d_logits * attention).sum(-1, keepdim=True)
                d_logits.sub_(inner).mul_(attention).mul_(weights)
                d_logits = d_logits.to(query.dtype)
                d_query.index_copy_(0, rows, _product(d_logits, _take(key, columns)))
                d_key.index_add_(0, columns, _product(d_logits.mT, _take(query, rows)))
        return d_query, d_key, d_value, None, None, None


def _take(x: Tensor, places: Tensor) -> Tensor:
    """(H, R, c) of the patches at ``places``."""
    return x.index_select(0, places).transpose(0, 1)


def _product(left: Tensor, right: Tensor) -> Tensor:
    """left (H, R, S) @ right (H, S, c), laid out token-major: (R, H, c)."""
    out = right.new_empty(left.shape[1], right.shape[0], right.shape[2])
    torch.bmm(left, right, out=out.transpose(0, 1))
    return out

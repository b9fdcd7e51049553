"""Graph attention over the few columns that a tile of rows has edges to.

Rows of a frame are sorted by their first neighbour inside the frame, so that rows of one cluster
stand together; each tile of ``TILE`` rows then forms logits against the union of its neighbours
only. Exact for any graph; it gains when the graph is sparse *and* clustered, as thresholded
cosines are. tools/analysis/benchmark_stgt.py states from which density on. Ours.

Shapes: B videos, H heads, T frames, N patches, c channels a head; R rows and S columns of a tile.
"""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .graph import FrameBandGraph, widen

TILE = 32


def sparse_attention(query: Tensor, key: Tensor, value: Tensor, graph: FrameBandGraph,
                     dropout: float = 0.0) -> Tensor:
    """As ``attention.dense_attention``: (B, H, T, N, c), query scaled. No double backward."""
    flat = [x.flatten(2, 3).contiguous() for x in (query, key, value)]
    return _Tiled.apply(*flat, graph.same, graph.after, dropout).view(query.shape)


def tiles(graph: FrameBandGraph) -> Iterator[tuple[int, Tensor, Tensor, Tensor]]:
    """(video, rows (R,), columns (S,), weights (R, S)) covering every row once; rows and columns
    are places among the T N patches."""
    b, t, n = graph.shape
    first = (graph.same != 0).to(torch.uint8).argmax(-1)
    order = torch.argsort(first, dim=-1, stable=True)
    for frame in range(t):
        weights = graph.rows(frame)
        start = graph.columns(frame)[0] * n
        for video in range(b):
            sorted_weights = weights[video, order[video, frame]]
            for low in range(0, n, TILE):
                part = sorted_weights[low:low + TILE]
                columns = (part != 0).any(0).nonzero().flatten()
                rows = order[video, frame, low:low + TILE]
                yield video, rows + frame * n, columns + start, part[:, columns]


class _Tiled(torch.autograd.Function):
    """Inputs (B, H, T N, c)."""

    @staticmethod
    def forward(ctx, query: Tensor, key: Tensor, value: Tensor, same: Tensor, after: Tensor,
                dropout: float) -> Tensor:
        out = torch.empty_like(query)
        saved = []
        ctx.videos = []
        with torch.autocast(query.device.type, enabled=False):
            for video, rows, columns, weights in tiles(FrameBandGraph(same, after)):
                logits = widen(query[video][:, rows] @ key[video][:, columns].mT)
                logits.mul_(weights).masked_fill_(weights == 0, -torch.inf)
                attention = logits.softmax(-1)
                kept = torch.empty(0, dtype=torch.bool, device=query.device)
                thinned = attention
                if dropout > 0:
                    kept = torch.rand_like(attention) >= dropout
                    thinned = attention * kept / (1 - dropout)
                out[video][:, rows] = thinned.to(value.dtype) @ value[video][:, columns]
                saved += [rows, columns, weights, attention.to(query.dtype), kept]
                ctx.videos.append(video)
        ctx.save_for_backward(query, key, value, out, *saved)
        ctx.dropout = dropout
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple:
        query, key, value, out, *saved = ctx.saved_tensors
        d_query, d_key, d_value = (torch.zeros_like(x) for x in (query, key, value))
        with torch.autocast(query.device.type, enabled=False):
            # sum_j P_ij dP_ij = dO_i . O_i, also under dropout
            inner = (widen(grad) * widen(out)).sum(-1, keepdim=True)
            for i, video in enumerate(ctx.videos):
                rows, columns, weights, attention, kept = saved[5 * i:5 * i + 5]
                up = grad[video][:, rows]
                d_logits = widen(up @ value[video][:, columns].mT)
                thinned = attention
                if ctx.dropout > 0:
                    thinned = attention * kept / (1 - ctx.dropout)
                    d_logits.mul_(kept).div_(1 - ctx.dropout)
                d_value[video].index_add_(1, columns, (thinned.mT @ up).to(value.dtype))
                d_logits.sub_(inner[video][:, rows]).mul_(attention).mul_(weights)
                d_logits = d_logits.to(query.dtype)
                d_query[video][:, rows] = d_logits @ key[video][:, columns]
                d_key[video].index_add_(1, columns, d_logits.mT @ query[video][:, rows])
        return d_query, d_key, d_value, None, None, None

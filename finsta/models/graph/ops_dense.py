"""Graph attention as fused dense attention over padded units.

Units become rows of one (U, H, M, M) attention with an additive bias: the edge's bias on edges, a
value that underflows to weight 0 elsewhere. Several edges between the same two nodes are merged
by log-sum-exp of their biases, which is the same sum. Cost U * M^2: for small or dense units, and
for GPUs.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from finsta.models.graph.ops import GraphAttention, no_edges
from finsta.models.graph.topology import Topology
from finsta.registry import GRAPH_ENCODERS
from finsta.utils.segments import segment_logsumexp


@GRAPH_ENCODERS.register_module()
class DenseGraphAttention(GraphAttention):
    """``scaled_dot_product_attention`` on padded units with an additive mask."""

    name = 'dense'

    def attend(self, q: Tensor, k: Tensor, v: Tensor, topology: Topology, bias: Tensor) -> Tensor:
        """See :meth:`GraphAttention.attend`."""
        if topology.num_edges == 0:
            return no_edges(v, q, k, bias)
        padded = [topology.pad(x).transpose(1, 2) for x in (q, k, v)]
        mask = _dense_bias(bias, topology, q.dtype)
        out = F.scaled_dot_product_attention(*padded, attn_mask=mask)
        return _silence_isolated(topology.unpad(out.transpose(1, 2)), topology)

    def aggregate(self, logits: Tensor, v: Tensor, topology: Topology) -> Tensor:
        """See :meth:`GraphAttention.aggregate`."""
        if topology.num_edges == 0:
            return no_edges(v, logits)
        wide = torch.float64 if logits.dtype == torch.float64 else torch.float32
        weight = _dense_bias(logits, topology, wide).softmax(-1).to(v.dtype)
        out = weight @ topology.pad(v).transpose(1, 2)
        return _silence_isolated(topology.unpad(out.transpose(1, 2)), topology)


def _positions(topology: Topology) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """Unit, row and column of each distinct edge, and (E,) edge -> distinct edge or None."""
    m = topology.width
    key = topology.slot[topology.dst] * m + topology.position[topology.src]
    distinct, inverse = torch.unique(key, return_inverse=True)
    if distinct.numel() == key.numel():
        distinct, inverse = key, None
    return distinct // (m * m), distinct // m % m, distinct % m, inverse


def _dense_bias(bias: Tensor, topology: Topology, dtype: torch.dtype) -> Tensor:
    """(E, H) -> (U, H, M, M) with the most negative finite value where there is no edge."""
    unit, row, column, inverse = topology.keep('dense', lambda: _positions(topology))
    if inverse is not None:
        bias = segment_logsumexp(bias, inverse, unit.numel())
    shape = (topology.num_units, bias.shape[1], topology.width, topology.width)
    dense = torch.full(shape, torch.finfo(dtype).min, dtype=dtype, device=bias.device)
    heads = torch.arange(bias.shape[1], device=bias.device)
    return dense.index_put((unit[:, None], heads, row[:, None], column[:, None]), bias.to(dtype))


def _silence_isolated(out: Tensor, topology: Topology) -> Tensor:
    """Rows without any edge would average the whole unit: make them 0."""
    connected = topology.keep('connected', lambda: (topology.in_degree > 0).view(-1, 1, 1))
    return torch.where(connected, out, torch.zeros_like(out))

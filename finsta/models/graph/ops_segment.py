"""Graph attention edge by edge, in plain torch.

Two forms of the same sum:

* the *fused* form, an autograd function whose sums are weighted ``embedding_bag`` calls over
  edges sorted by target (forward, dq) and by source (dk, dv), and whose dot products run over
  chunks of edges that stay in the cache: nothing of size (E, H * d) is ever stored;
* the *traced* form, gathers and ``index_add``: what double backward and devices other than the
  CPU use.

Under ``torch.compile`` the fused form is a break in the graph: called as it is, it is faster than
what the compiler makes of either form (docs/en/design/graph_encoders.md).

Cost E: for large sparse units.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from finsta.models.graph.ops import GraphAttention, no_edges
from finsta.models.graph.topology import Topology
from finsta.registry import GRAPH_ENCODERS
from finsta.utils.segments import segment_softmax, segment_sum

# bytes of the two gathered blocks of one chunk of dot products: about half of an L2 cache
_CHUNK_BYTES = 1 << 20


@GRAPH_ENCODERS.register_module()
class SegmentGraphAttention(GraphAttention):
    """Edge-wise attention.

    Args:
        form: ``'fused'``, ``'traced'`` (compiles without a break), or None: fused on a CPU.
    """

    name = 'segment'

    def __init__(self, form: str | None = None) -> None:
        if form not in (None, 'fused', 'traced'):
            raise ValueError(f"form={form!r} must be 'fused', 'traced' or None")
        self.form = form

    def _fused(self, x: Tensor) -> bool:
        if self.form is not None:
            return self.form == 'fused'
        return x.device.type == 'cpu'

    def attend(self, q: Tensor, k: Tensor, v: Tensor, topology: Topology, bias: Tensor) -> Tensor:
        """See :meth:`GraphAttention.attend`."""
        if topology.num_edges == 0:
            return no_edges(v, q, k, bias)
        if self._fused(v) and v.dtype in _BAG_DTYPES:
            return _fused_attention(q, k, v, bias, topology)
        scale = 1.0 / math.sqrt(q.shape[-1])
        product = q.index_select(0, topology.dst) * k.index_select(0, topology.src)
        wide = torch.promote_types(q.dtype, torch.float32)
        return self._sum(product.sum(-1, dtype=wide) * scale + bias, v, topology)

    def aggregate(self, logits: Tensor, v: Tensor, topology: Topology) -> Tensor:
        """See :meth:`GraphAttention.aggregate`."""
        if topology.num_edges == 0:
            return no_edges(v, logits)
        return self._sum(logits, v, topology)

    def _sum(self, logits: Tensor, v: Tensor, topology: Topology) -> Tensor:
        weight = segment_softmax(logits, topology.dst, topology.num_nodes)
        message = v.index_select(0, topology.src) * weight.unsqueeze(-1).to(v.dtype)
        return segment_sum(message, topology.dst, topology.num_nodes).to(v.dtype)


# embedding_bag's weighted sum exists for these
_BAG_DTYPES = (torch.float32, torch.float64, torch.bfloat16)


class _Bags:
    """Index form of 'for each node and head, sum over its edges' for embedding_bag.

    Bag (i, h) lists the rows ``other * H + h`` of an (N * H, d) table for the edges of node i;
    ``order`` brings weights (E, H) into that order.
    """

    def __init__(self, other: Tensor, ptr: Tensor, edge: Tensor | None, heads: int) -> None:
        count = ptr[1:] - ptr[:-1]
        num, total = count.numel(), other.numel()
        owner = torch.repeat_interleave(torch.arange(num, device=ptr.device), count,
                                        output_size=total)
        start, size = ptr[owner], count[owner]
        head = torch.arange(heads, device=ptr.device)
        inside = torch.arange(total, device=ptr.device) - start
        place = (start * heads + inside)[:, None] + head * size[:, None]
        entry = torch.arange(total, device=ptr.device) if edge is None else edge
        self.order = torch.empty(total * heads, dtype=torch.long, device=ptr.device)
        self.order[place.view(-1)] = (entry[:, None] * heads + head).view(-1)
        self.rows = torch.empty(total * heads, dtype=torch.int32, device=ptr.device)
        self.rows[place.view(-1)] = (other[:, None] * heads + head).view(-1).int()
        self.offsets = (ptr[:-1, None] * heads + head * count[:, None]).view(-1).int()

    def sum(self, weight: Tensor, table: Tensor) -> Tensor:
        """sum_e weight[e, h] * table[other_e, h] -> (N, H, d)."""
        n, h, d = table.shape
        weight = weight.reshape(-1).index_select(0, self.order).to(table.dtype)
        out = F.embedding_bag(self.rows, table.reshape(n * h, d), self.offsets, mode='sum',
                              per_sample_weights=weight)
        return out.view(-1, h, d)


def _bags(topology: Topology, heads: int) -> tuple[_Bags, _Bags]:
    """Bags by target (rows: sources) and by source (rows: targets)."""
    by_source = torch.argsort(topology.src, stable=True)
    nodes = torch.arange(topology.num_nodes + 1, device=topology.device)
    ptr = torch.searchsorted(topology.src[by_source], nodes)
    return (_Bags(topology.src, topology.ptr, None, heads),
            _Bags(topology.dst[by_source], ptr, by_source, heads))


def _edge_dot(x: Tensor, y: Tensor, topology: Topology) -> Tensor:
    """x[dst] . y[src] per edge and head, (E, H) in at least fp32, by chunks of edges."""
    n, h, d = x.shape
    wide = torch.promote_types(x.dtype, torch.float32)
    x, y = x.reshape(n, h * d), y.reshape(n, h * d)
    edges = topology.num_edges
    step = max(1, min(edges, _CHUNK_BYTES // (2 * h * d * x.element_size())))
    left, right = x.new_empty(step, h * d), x.new_empty(step, h * d)
    out = torch.empty(edges, h, dtype=wide, device=x.device)
    for a in range(0, edges, step):
        b = min(a + step, edges)
        m = b - a
        torch.index_select(x, 0, topology.dst[a:b], out=left[:m])
        torch.index_select(y, 0, topology.src[a:b], out=right[:m])
        left[:m].mul_(right[:m])
        torch.sum(left[:m].view(m, h, d), -1, dtype=wide, out=out[a:b])
    return out


def _spread(x: Tensor, topology: Topology) -> Tensor:
    return x.index_select(0, topology.dst)


def _reduce(x: Tensor, how: str, topology: Topology) -> Tensor:
    """(E, H) -> (N, H) over incoming edges."""
    return torch.segment_reduce(x, how, offsets=topology.ptr, axis=0, unsafe=True, initial=None)


class _FusedAttention(torch.autograd.Function):
    """Forward and hand-written backward; first derivatives only."""

    @staticmethod
    def forward(ctx, q: Tensor, k: Tensor, v: Tensor, bias: Tensor, topology: Topology) -> Tensor:
        scale = 1.0 / math.sqrt(q.shape[-1])
        logits = _edge_dot(q, k, topology).mul_(scale).add_(bias)
        top = _reduce(logits, 'max', topology)
        weight = logits.sub_(_spread(top, topology)).exp_()
        weight.div_(_spread(_reduce(weight, 'sum', topology), topology))
        targets, _ = topology.keep(('bags', q.shape[1]), lambda: _bags(topology, q.shape[1]))
        ctx.save_for_backward(q, k, v, weight)
        ctx.topology, ctx.scale, ctx.bias_dtype = topology, scale, bias.dtype
        return targets.sum(weight, v)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad: Tensor):
        q, k, v, weight = ctx.saved_tensors
        topology = ctx.topology
        grad = grad.to(v.dtype).contiguous()
        targets, sources = topology.keep(('bags', q.shape[1]), lambda: _bags(topology, q.shape[1]))
        grad_v = sources.sum(weight, grad) if ctx.needs_input_grad[2] else None
        product = _edge_dot(grad, v, topology).mul_(weight)
        share = _spread(_reduce(product, 'sum', topology), topology)
        grad_logits = product.addcmul_(weight, share, value=-1)
        scaled = grad_logits * ctx.scale
        grad_q = targets.sum(scaled, k) if ctx.needs_input_grad[0] else None
        grad_k = sources.sum(scaled, q) if ctx.needs_input_grad[1] else None
        grad_bias = grad_logits.to(ctx.bias_dtype) if ctx.needs_input_grad[3] else None
        return grad_q, grad_k, grad_v, grad_bias, None


@torch.compiler.disable
def _fused_attention(q: Tensor, k: Tensor, v: Tensor, bias: Tensor, topology: Topology) -> Tensor:
    with torch.autocast(v.device.type, enabled=False):
        return _FusedAttention.apply(q, k, v, bias, topology)

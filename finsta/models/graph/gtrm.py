"""GTrm: the graph Transformer of Dwivedi & Bresson (arXiv 2012.09699).

Per layer and head: ``s_ij = (Q h_i . K h_j) / sqrt(d) + bias[type_ij]``, softmax over the
neighbours of i, ``h_i' = Norm(h_i + O concat_k sum_j a_ij V h_j)``, feed-forward, Norm
(method.md section 2). ``edge_mode='product'`` is the paper's own form, where the product of query
and key is multiplied element by element with an edge embedding; the bias is ours: it runs in fused
attention.

Shapes: N nodes, E edges, D width, H heads.
"""

import math

from mmengine.model import BaseModule
from torch import Tensor, nn

from finsta.models.graph.context import GraphContext
from finsta.models.graph.ops import GraphAttention, build_graph_attention
from finsta.models.graph.topology import Topology
from finsta.registry import GRAPH_ENCODERS
from finsta.structures import NUM_EDGE_TYPES

EDGE_MODES = ('bias', 'product')
_ACTIVATIONS = {'relu': nn.ReLU, 'gelu': nn.GELU}


class GraphSelfAttention(BaseModule):
    """Projections, edge terms and the attention of one layer.

    Args:
        dim: D. num_heads: H, divides D.
        ops: a back end, see :func:`build_graph_attention`.
        edge_mode: ``'bias'`` or ``'product'``.
    """

    def __init__(self, dim: int, num_heads: int, ops: str | dict | GraphAttention = 'auto',
                 edge_mode: str = 'bias') -> None:
        super().__init__()
        if dim % num_heads:
            raise ValueError(f'dim={dim} is not a multiple of num_heads={num_heads}')
        if edge_mode not in EDGE_MODES:
            raise ValueError(f'edge_mode={edge_mode!r} is none of {list(EDGE_MODES)}')
        self.dim, self.num_heads, self.edge_mode = dim, num_heads, edge_mode
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)
        width = num_heads if edge_mode == 'bias' else dim
        self.edge = nn.Embedding(NUM_EDGE_TYPES, width)
        nn.init.normal_(self.edge.weight, 0. if edge_mode == 'bias' else 1., 0.02)
        self.ops = build_graph_attention(ops)

    def project(self, x: Tensor) -> Tensor:
        """(N, D) -> queries, keys and values (N, 3, H, D / H)."""
        return self.qkv(x).view(-1, 3, self.num_heads, self.dim // self.num_heads)

    def project_values(self, x: Tensor) -> Tensor:
        """(N, D) -> what :meth:`project` gives for the values, (N, H, D / H)."""
        weight, bias = self.qkv.weight[2 * self.dim:], self.qkv.bias[2 * self.dim:]
        out = nn.functional.linear(x, weight, bias)
        return out.view(-1, self.num_heads, self.dim // self.num_heads)

    def edge_terms(self, topology: Topology) -> Tensor:
        """The edge embedding of every edge: (E, H) for 'bias', (E, D) for 'product'."""
        return self.edge.weight.index_select(0, topology.edge_type)

    def forward(self, q: Tensor, k: Tensor, v: Tensor, topology: Topology, edge: Tensor,
                bias: Tensor | None = None) -> Tensor:
        """Attention and output projection, (N, D).

        Args:
            q, k, v: (N, H, D / H).
            edge: :meth:`edge_terms` of the topology's edges.
            bias: (E, H) further term of the logits.
        """
        if self.edge_mode == 'bias':
            mixed = self.ops.attend(q, k, v, topology, edge if bias is None else edge + bias)
        else:
            product = q.index_select(0, topology.dst) * k.index_select(0, topology.src)
            product = product.float() * edge.view(-1, *q.shape[1:])
            logits = product.sum(-1) / math.sqrt(q.shape[-1])
            mixed = self.ops.aggregate(logits if bias is None else logits + bias, v, topology)
        return self.out(mixed.reshape(-1, self.dim))


class GraphLayer(BaseModule):
    """Residual, norm and feed-forward around one attention; subclasses say what is attended.

    Args:
        dim, num_heads, ops, edge_mode: see :class:`GraphSelfAttention`.
        ffn_ratio: hidden width of the feed-forward over D.
        dropout: on both branches.
        norm: ``'post'`` (after the residual, as in the source) or ``'pre'``.
        act: ``'relu'`` or ``'gelu'``.
    """

    def __init__(self, dim: int, num_heads: int, ops: str | dict | GraphAttention = 'auto',
                 edge_mode: str = 'bias', ffn_ratio: float = 2.0, dropout: float = 0.0,
                 norm: str = 'post', act: str = 'relu') -> None:
        super().__init__()
        if norm not in ('post', 'pre'):
            raise ValueError(f"norm={norm!r} must be 'post' or 'pre'")
        if act not in _ACTIVATIONS:
            raise ValueError(f'act={act!r} is none of {list(_ACTIVATIONS)}')
        self.norm = norm
        self.attention = GraphSelfAttention(dim, num_heads, ops, edge_mode)
        hidden = int(dim * ffn_ratio)
        self.ffn = nn.Sequential(nn.Linear(dim, hidden), _ACTIVATIONS[act](),
                                 nn.Linear(hidden, dim))
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.dropout = nn.Dropout(dropout)

    def before(self, h: Tensor) -> Tensor:
        """What the attention reads: the normed states where ``norm='pre'``."""
        return self.norm1(h) if self.norm == 'pre' else h

    def after(self, h: Tensor, mixed: Tensor) -> Tensor:
        """Both residuals, norms and the feed-forward; h, mixed (N, D)."""
        h = h + self.dropout(mixed)
        if self.norm == 'pre':
            return h + self.dropout(self.ffn(self.norm2(h)))
        h = self.norm1(h)
        return self.norm2(h + self.dropout(self.ffn(h)))

    def forward(self, h: Tensor, context: GraphContext) -> Tensor:
        """(N, D) -> (N, D)."""
        raise NotImplementedError


class GTrmLayer(GraphLayer):
    """One GTrm layer; frames and samples do not see each other."""

    def forward(self, h: Tensor, context: GraphContext) -> Tensor:
        """(N, D) -> (N, D)."""
        q, k, v = self.attention.project(self.before(h)).unbind(1)
        topology = context.topology
        return self.after(h, self.attention(q, k, v, topology,
                                            self.attention.edge_terms(topology)))


class LayerStack(BaseModule):
    """Layers one after the other; with ``norm='pre'`` a last LayerNorm closes the stack."""

    def __init__(self, layers: list[GraphLayer], dim: int, norm: str) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.final = nn.LayerNorm(dim) if norm == 'pre' else nn.Identity()

    def forward(self, h: Tensor, context: GraphContext) -> Tensor:
        """(N, D) -> (N, D)."""
        for layer in self.layers:
            h = layer(h, context)
        return self.final(h)


@GRAPH_ENCODERS.register_module()
class GTrmEncoder(LayerStack):
    """A stack of GTrm layers.

    Args:
        dim: D. num_heads: H. num_layers: layers. Others: see :class:`GraphLayer`.
    """

    def __init__(self, dim: int = 768, num_heads: int = 8, num_layers: int = 6,
                 norm: str = 'post', **layer) -> None:
        super().__init__([GTrmLayer(dim, num_heads, norm=norm, **layer)
                          for _ in range(num_layers)], dim, norm)

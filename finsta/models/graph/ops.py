"""The interface of attention over a graph, and how a back end is named.

``out_i = sum_j softmax_j(s_ij) v_j`` over the incoming edges j -> i of node i, with
``s_ij = q_i . k_j / sqrt(d) + bias_ij`` (method.md section 2). Several edges between the same two
nodes count as several neighbours. A node without an incoming edge gets 0. Back ends agree to 1e-5
in fp32, forward and gradient; the softmax runs in fp32.

Shapes: N nodes, E edges, H heads, d width of a head.
"""

from abc import ABC, abstractmethod

from torch import Tensor

from finsta.models.graph.topology import Topology
from finsta.registry import GRAPH_ENCODERS

# short names that configs use -> registered class
OPS = {'auto': 'AutoGraphAttention', 'dgl': 'DGLGraphAttention', 'dense': 'DenseGraphAttention',
       'segment': 'SegmentGraphAttention'}


class GraphAttention(ABC):
    """One way to compute attention over a graph. Holds no parameters."""

    name: str = ''

    @abstractmethod
    def attend(self, q: Tensor, k: Tensor, v: Tensor, topology: Topology, bias: Tensor) -> Tensor:
        """Attention of every node over its incoming edges.

        Args:
            q, k, v: (N, H, d), of one dtype.
            topology: the edges.
            bias: (E, H) added to the logits, in the topology's edge order.

        Returns:
            (N, H, d) in the dtype of ``v``.
        """

    @abstractmethod
    def aggregate(self, logits: Tensor, v: Tensor, topology: Topology) -> Tensor:
        """The same with given logits (E, H): softmax over incoming edges, then the mean of v."""


def no_edges(v: Tensor, *others: Tensor) -> Tensor:
    """Zeros like v that stay attached to every input: attention where there is no edge."""
    return 0 * v + sum(0 * x.sum() for x in others).to(v.dtype)


def build_graph_attention(ops: 'str | dict | GraphAttention') -> GraphAttention:
    """A back end from a config value: a name of ``OPS``, a config dict, or an instance.

    Raises:
        ValueError: for an unknown name, listing the known ones.
    """
    if isinstance(ops, GraphAttention):
        return ops
    if isinstance(ops, str):
        if ops not in OPS:
            raise ValueError(f'ops={ops!r} is none of {list(OPS)}')
        ops = dict(type=OPS[ops])
    return GRAPH_ENCODERS.build(ops)

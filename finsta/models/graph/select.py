"""Which back end computes graph attention, chosen by device and size.

``ops='dgl' | 'dense' | 'segment'`` in a config forces one.
"""

import torch
from torch import Tensor

from finsta.models.graph.ops import GraphAttention, build_graph_attention
from finsta.models.graph.topology import Topology
from finsta.registry import GRAPH_ENCODERS


def choose(device: torch.device, width: int) -> str:
    """The name of the back end for units of at most ``width`` nodes.

    On the CPUs measured one form wins at every size (docs/en/design/graph_encoders.md). Elsewhere
    padded units of at most 128 nodes waste little, and fused attention takes them in one kernel.
    """
    return 'dense' if device.type != 'cpu' and width <= 128 else 'segment'


@GRAPH_ENCODERS.register_module()
class AutoGraphAttention(GraphAttention):
    """Chooses for every call."""

    name = 'auto'

    def __init__(self) -> None:
        # ready, so that torch.compile meets no construction
        self._built = {name: build_graph_attention(name) for name in ('dense', 'segment')}

    def select(self, v: Tensor, topology: Topology) -> GraphAttention:
        """The back end for values (N, H, d) and a topology."""
        return self._built[choose(v.device, topology.width)]

    def attend(self, q: Tensor, k: Tensor, v: Tensor, topology: Topology, bias: Tensor) -> Tensor:
        """See :meth:`GraphAttention.attend`."""
        return self.select(v, topology).attend(q, k, v, topology, bias)

    def aggregate(self, logits: Tensor, v: Tensor, topology: Topology) -> Tensor:
        """See :meth:`GraphAttention.aggregate`."""
        return self.select(v, topology).aggregate(logits, v, topology)

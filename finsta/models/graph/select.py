"""Which back end computes graph attention, chosen by device, dtype and size.

On the CPUs measured one form wins at every size, so the table is short; conditions of dtype and
number of edges are for devices where it is otherwise. The table, ``CHOICE``, comes from
``tools/analysis/benchmark_graph.py`` (docs/en/design/graph_encoders.md).
``ops='dgl' | 'dense' | 'segment'`` in a config forces one.
"""

from typing import NamedTuple

import torch
from mmengine.logging import print_log
from torch import Tensor

from finsta.models.graph.ops import GraphAttention, build_graph_attention
from finsta.models.graph.topology import Topology
from finsta.registry import GRAPH_ENCODERS


class Rule(NamedTuple):
    """A row of the table: the first row whose conditions all hold decides.

    Attributes:
        device: 'cpu', 'accelerator' (anything else), or 'any'.
        dtype: 'wide' (fp32, fp64), 'half' (bf16, fp16), or 'any'.
        max_width: nodes of the largest unit, at most.
        min_edges: edges of the batch, at least.
        ops: the back end.
    """

    device: str
    dtype: str
    max_width: float
    min_edges: int
    ops: str


CHOICE = (
    Rule('cpu', 'any', float('inf'), 0, 'segment'),
    # padded units of at most 128 nodes waste little, and fused attention takes them in one kernel
    Rule('accelerator', 'any', 128, 0, 'dense'),
    Rule('accelerator', 'any', float('inf'), 0, 'segment'),
)


def choose(device: torch.device, dtype: torch.dtype, width: int, edges: int) -> str:
    """The name of the back end for these inputs (see ``CHOICE``)."""
    place = 'cpu' if device.type == 'cpu' else 'accelerator'
    size = 'half' if dtype in (torch.bfloat16, torch.float16) else 'wide'
    for rule in CHOICE:
        if (rule.device in (place, 'any') and rule.dtype in (size, 'any')
                and width <= rule.max_width and edges >= rule.min_edges):
            return rule.ops
    raise ValueError(f'no row of CHOICE fits {place}, {size}, width {width}, {edges} edges')


@GRAPH_ENCODERS.register_module()
class AutoGraphAttention(GraphAttention):
    """Chooses for every call; a chosen back end that cannot be imported is replaced by
    ``'segment'``, with one logged warning."""

    name = 'auto'

    def __init__(self) -> None:
        # those that need no package are ready, so that torch.compile meets no construction
        self._built = {name: build_graph_attention(name) for name in ('dense', 'segment')}

    def select(self, v: Tensor, topology: Topology) -> GraphAttention:
        """The back end for values (N, H, d) and a topology."""
        name = choose(v.device, v.dtype, topology.width, topology.num_edges)
        if name not in self._built:
            try:
                self._built[name] = build_graph_attention(name)
            except ImportError as error:
                print_log(f"graph attention: {error} Using ops='segment' instead.",
                          logger='current', level=30)
                self._built[name] = self._built['segment']
        return self._built[name]

    def attend(self, q: Tensor, k: Tensor, v: Tensor, topology: Topology, bias: Tensor) -> Tensor:
        """See :meth:`GraphAttention.attend`."""
        return self.select(v, topology).attend(q, k, v, topology, bias)

    def aggregate(self, logits: Tensor, v: Tensor, topology: Topology) -> Tensor:
        """See :meth:`GraphAttention.aggregate`."""
        return self.select(v, topology).aggregate(logits, v, topology)

"""R-GTrm: GTrm whose queries, keys and values also read the frame before.

For frames in order: the recurrence mixes the layer's states of frame t-1 into queries, keys and
values of frame t (``recurrence.py``), then GTrm attention inside frame t. What does not depend on
the frame before is computed for all frames in one product; the time per frame does not grow with
T. The paper's name and role; equations ours (method.md section 2).

Shapes: N nodes, D width, T key frames.
"""

import torch
from torch import Tensor

from finsta.models.graph.context import GraphContext
from finsta.models.graph.gtrm import GraphLayer, LayerStack
from finsta.models.graph.recurrence import build_recurrence
from finsta.registry import GRAPH_ENCODERS


class RGTrmLayer(GraphLayer):
    """One R-GTrm layer.

    Args:
        dim: D. num_heads: H.
        recurrence: ``'gated'``, ``'memory'``, ``'gru'``, ``'shifted'``, or a config dict.
        Others: see :class:`GraphLayer`.
    """

    def __init__(self, dim: int, num_heads: int, recurrence: str | dict = 'gated',
                 **layer) -> None:
        super().__init__(dim, num_heads, **layer)
        self.recurrence = build_recurrence(recurrence, dim, num_heads)

    def forward(self, h: Tensor, context: GraphContext) -> Tensor:
        """(N, D) -> (N, D)."""
        state = self.recurrence.start(self.attention, self.before(h), context)
        edge = self.attention.edge_terms(context.topology)
        if not self.recurrence.sequential:
            frame = context.whole
            qkv = self.recurrence.project(self.attention, state, 0, frame, None)
            mixed = self.attention(*qkv.unbind(1), frame.topology, edge)
            return self.recurrence.carry(state, frame, self.after(h, mixed))
        out, previous = [], None
        parts = zip(context.frames, context.split(h), context.split_edges(edge), strict=True)
        for t, (frame, h_t, edge_t) in enumerate(parts):
            qkv = self.recurrence.project(self.attention, state, t, frame, previous)
            now = self.after(h_t, self.attention(*qkv.unbind(1), frame.topology, edge_t))
            now = self.recurrence.carry(state, frame, now)
            out.append(now)
            previous = self.before(now)
        return torch.cat(out) if out else h


@GRAPH_ENCODERS.register_module()
class RGTrmEncoder(LayerStack):
    """A stack of R-GTrm layers.

    Args:
        dim: D. num_heads: H. num_layers: layers. recurrence: see :class:`RGTrmLayer`.
        Others: see :class:`GraphLayer`.
    """

    def __init__(self, dim: int = 768, num_heads: int = 8, num_layers: int = 2,
                 norm: str = 'post', **layer) -> None:
        super().__init__([RGTrmLayer(dim, num_heads, norm=norm, **layer)
                          for _ in range(num_layers)], dim, norm)

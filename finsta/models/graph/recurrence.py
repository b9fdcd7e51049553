"""How states of the frame before enter R-GTrm: four small modules behind one interface.

Notation: h_t states of frame t that the attention reads, g = states of frame t-1 gathered through
temporal coreference (of the layer's output; of its input for ``ShiftedRecurrence``), W_Q, W_K,
W_V the layer's projections. Nodes without a predecessor behave as in GTrm. method.md section 2;
the equations are ours.

Shapes: n nodes of a frame, D width, H heads, B samples, C memory cells.
"""

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from finsta.models.graph.context import FrameView, GraphContext
from finsta.models.graph.gtrm import GraphSelfAttention
from finsta.registry import GRAPH_ENCODERS

# short names that configs use -> registered class
RECURRENCES = {'gated': 'GatedRecurrence', 'memory': 'MemoryRecurrence', 'gru': 'GRURecurrence',
               'shifted': 'ShiftedRecurrence'}


class Recurrence(BaseModule):
    """One rule of recurrence.

    Class attribute:
        sequential: True = frames are visited one by one and :meth:`project` gets the layer's
            output of the frame before; False = all frames at once, and it gets the layer's input.
    """

    sequential = True

    def start(self, attention: GraphSelfAttention, h: Tensor, context: GraphContext) -> dict:
        """What is computed for all frames at once, before the first. h: (N, D)."""
        return {'qkv': self.by_frame(attention.project(h), context)}

    def by_frame(self, x: Tensor, context: GraphContext) -> tuple[Tensor, ...]:
        """(N, ...) -> one part per call of :meth:`project`."""
        return context.split(x) if self.sequential else (x,)

    def project(self, attention: GraphSelfAttention, state: dict, t: int, frame: FrameView,
                previous: Tensor | None) -> Tensor:
        """Queries, keys and values (n, 3, H, D / H) of frame t.

        Args:
            previous: states of the frame before (all of them, ungathered); None in the first.
        """
        raise NotImplementedError

    def carry(self, state: dict, frame: FrameView, out: Tensor) -> Tensor:
        """The layer's output (n, D) of a frame, possibly changed; may update ``state``."""
        return out


@GRAPH_ENCODERS.register_module()
class GatedRecurrence(Recurrence):
    """``z = sigmoid(W_z [h_t ; g])`` per head; ``X = z W_X h_t + (1 - z) W_X g``, X = Q, K, V.

    Args:
        dim: D. num_heads: H.
    """

    def __init__(self, dim: int, num_heads: int) -> None:
        super().__init__()
        self.gate = nn.Linear(2 * dim, num_heads)

    def start(self, attention: GraphSelfAttention, h: Tensor, context: GraphContext) -> dict:
        """Projections of h, and h itself for the gate."""
        return {'qkv': self.by_frame(attention.project(h), context),
                'h': self.by_frame(h, context)}

    def project(self, attention: GraphSelfAttention, state: dict, t: int, frame: FrameView,
                previous: Tensor | None) -> Tensor:
        """See :meth:`Recurrence.project`."""
        if previous is None or not frame.linked:
            return state['qkv'][t]
        g = frame.previous(previous)
        return self.mix(state['h'][t], g, state['qkv'][t], attention.project(g), frame)

    def mix(self, h: Tensor, g: Tensor, now: Tensor, before: Tensor, frame: FrameView) -> Tensor:
        """z * now + (1 - z) * before, with z = 1 where there is no predecessor."""
        z = torch.sigmoid(self.gate(torch.cat([h, g.to(h.dtype)], -1)))
        z = z.masked_fill(~frame.has_predecessor[:, None], 1.).to(now.dtype)[:, None, :, None]
        # a product, not lerp: an arbitrary (finite) row stands where there is no predecessor
        return z * now + (1 - z) * before


@GRAPH_ENCODERS.register_module()
class ShiftedRecurrence(GatedRecurrence):
    """The gated rule on the *input* states of frame t-1: no loop over frames."""

    sequential = False

    def project(self, attention: GraphSelfAttention, state: dict, t: int, frame: FrameView,
                previous: Tensor | None) -> Tensor:
        """See :meth:`Recurrence.project`; the frame is the whole batch."""
        h, qkv = state['h'][t], state['qkv'][t]
        if not frame.linked:
            return qkv
        return self.mix(h, frame.previous(h), qkv, frame.previous(qkv), frame)


@GRAPH_ENCODERS.register_module()
class GRURecurrence(Recurrence):
    """A GRU along coreference edges: the attention reads ``GRU(input h_t, hidden g)``.

    Args:
        dim: D. num_heads: unused, the gates are per channel.
    """

    def __init__(self, dim: int, num_heads: int) -> None:
        super().__init__()
        self.cell = nn.GRUCell(dim, dim)

    def start(self, attention: GraphSelfAttention, h: Tensor, context: GraphContext) -> dict:
        """Keeps h; projections wait for the cell."""
        return {'h': self.by_frame(h, context)}

    def project(self, attention: GraphSelfAttention, state: dict, t: int, frame: FrameView,
                previous: Tensor | None) -> Tensor:
        """See :meth:`Recurrence.project`."""
        h = state['h'][t]
        if previous is not None and frame.linked:
            g = frame.previous(previous).to(h.dtype)
            mixed = self.cell(h, g).to(h.dtype)
            h = torch.where(frame.has_predecessor[:, None], mixed, h)
        return attention.project(h)


@GRAPH_ENCODERS.register_module()
class MemoryRecurrence(Recurrence):
    """A few memory cells per sample, carried over frames (in the manner of MART, arXiv
    2005.05402). Uses no coreference.

    After the layer: ``h_t <- Norm(h_t + MHA(h_t, M))`` and then
    ``S = MHA(M, h_t)``, ``M <- (1 - Z) tanh(W_c [M ; S]) + Z M``, ``Z = sigmoid(W_z [M ; S])``.
    The first frame reads learned cells. A sample without nodes in a frame keeps its memory.

    Args:
        dim: D. num_heads: H. num_cells: C.
    """

    def __init__(self, dim: int, num_heads: int, num_cells: int = 4) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.cells = nn.Parameter(torch.randn(num_cells, dim) * 0.02)
        self.read, self.write = _CrossAttention(dim, num_heads), _CrossAttention(dim, num_heads)
        self.update = nn.Linear(2 * dim, 2 * dim)
        self.norm = nn.LayerNorm(dim)

    def start(self, attention: GraphSelfAttention, h: Tensor, context: GraphContext) -> dict:
        """Projections of h, and the first memory (B, C, D)."""
        memory = self.cells.expand(context.num_samples, -1, -1)
        return {'qkv': self.by_frame(attention.project(h), context), 'memory': memory}

    def project(self, attention: GraphSelfAttention, state: dict, t: int, frame: FrameView,
                previous: Tensor | None) -> Tensor:
        """See :meth:`Recurrence.project`; plain projections."""
        return state['qkv'][t]

    def carry(self, state: dict, frame: FrameView, out: Tensor) -> Tensor:
        """Read the memory into the nodes, then the nodes into the memory."""
        topology, memory = frame.topology, state['memory']
        if frame.num_nodes == 0:
            return out
        first = torch.tensor(topology.unit_sizes, device=out.device)
        present = first > 0
        start = first.cumsum(0) - first
        samples = frame.sample_ids[start[present]]
        nodes = topology.pad(out)[present]
        mask = topology.node_mask[present]
        read = self.read(nodes, memory[samples].to(out.dtype), None)
        back = out.new_zeros(topology.num_units, topology.width, out.shape[-1])
        back = back.index_put((present.nonzero().squeeze(1),), read.to(out.dtype))
        out = self.norm(out + topology.unpad(back)).to(out.dtype)
        nodes = topology.pad(out)[present]
        old = memory[samples]
        seen = self.write(old.to(out.dtype), nodes, mask)
        new, keep = self.update(torch.cat([old.to(seen.dtype), seen], -1)).chunk(2, -1)
        keep = torch.sigmoid(keep)
        fresh = ((1 - keep) * torch.tanh(new) + keep * old).to(memory.dtype)
        state['memory'] = memory.index_put((samples,), fresh)
        return out


class _CrossAttention(BaseModule):
    """Multi-head attention of x (B, L, D) over y (B, S, D), mask (B, S) True = valid."""

    def __init__(self, dim: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.query, self.pair, self.out = (nn.Linear(dim, dim), nn.Linear(dim, 2 * dim),
                                           nn.Linear(dim, dim))

    def forward(self, x: Tensor, y: Tensor, mask: Tensor | None) -> Tensor:
        """(B, L, D)."""
        q = self._heads(self.query(x))
        k, v = (self._heads(part) for part in self.pair(y).chunk(2, -1))
        mask = None if mask is None else mask[:, None, None, :]
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.out(mixed.transpose(1, 2).flatten(2))

    def _heads(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)


def build_recurrence(recurrence: str | dict, dim: int, num_heads: int) -> Recurrence:
    """A rule from a name of ``RECURRENCES`` or a config dict (dim and num_heads are filled in).

    Raises:
        ValueError: for an unknown name, listing the known ones.
    """
    if isinstance(recurrence, str):
        if recurrence not in RECURRENCES:
            raise ValueError(f'recurrence={recurrence!r} is none of {list(RECURRENCES)}')
        recurrence = dict(type=RECURRENCES[recurrence])
    return GRAPH_ENCODERS.build({'dim': dim, 'num_heads': num_heads, **recurrence})

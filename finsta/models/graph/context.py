"""What the layers of one stream need to know about a batch, computed once and shared.

Shapes: N nodes, E edges, T key frames, U units.
"""

from collections.abc import Callable
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from finsta.models.graph.topology import Topology
from finsta.structures import GraphBatch


class FrameView:
    """One key frame, or several that are computed at once.

    Attributes:
        start, stop: its nodes in the batch.
        topology: its edges, with node numbers from 0.
        predecessor: (n,) index of the same thing among ``previous`` nodes, clamped to 0 where
            there is none. has_predecessor: (n,) bool.
        linked: whether any node has a predecessor.
        sample_ids: (n,) sample of each node.
    """

    def __init__(self, start: int, stop: int, topology: Topology, predecessor: Tensor,
                 linked: bool, sample_ids: Tensor) -> None:
        self.start, self.stop, self.topology, self.linked = start, stop, topology, linked
        self.has_predecessor = predecessor >= 0
        self.predecessor = predecessor.clamp(min=0)
        self.sample_ids = sample_ids

    @property
    def num_nodes(self) -> int:
        """n."""
        return self.stop - self.start

    def previous(self, states: Tensor) -> Tensor:
        """Rows of the frame before's states gathered through coreference; nodes without a
        predecessor get an arbitrary row, to be masked by ``has_predecessor``."""
        if states.shape[0] == 0:
            return states.new_zeros(self.num_nodes, *states.shape[1:])
        return states.index_select(0, self.predecessor)


class GraphContext:
    """A batch as the layers see it.

    Args:
        batch: the graphs; not changed.
    """

    def __init__(self, batch: GraphBatch) -> None:
        self.batch = batch
        self.topology = Topology.from_batch(batch)
        self._kept: dict[Any, Any] = {}

    @property
    def num_nodes(self) -> int:
        """N."""
        return self.batch.num_nodes

    @property
    def num_samples(self) -> int:
        """B."""
        return self.batch.num_samples

    def keep(self, key: Any, make: Callable[[], Any]) -> Any:
        """``make()``, computed once per ``key`` for this batch."""
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]

    @cached_property
    def whole(self) -> FrameView:
        """All frames at once; ``predecessor`` indexes the batch."""
        batch = self.batch
        return FrameView(0, batch.num_nodes, self.topology, batch.predecessor,
                         batch.num_frames > 1 and batch.num_nodes > 0, batch.sample_ids)

    @cached_property
    def frames(self) -> list[FrameView]:
        """One view per key frame, in order; ``predecessor`` counts from the frame before."""
        batch, topology = self.batch, self.topology
        ptr, device = batch.frame_ptr, batch.device
        bounds = torch.tensor(ptr, device=device)
        edge_ptr = torch.searchsorted(topology.dst, bounds).tolist()
        steps = torch.arange(batch.num_frames + 1, device=device)
        unit_ptr = torch.searchsorted(batch.unit_frame.contiguous(), steps).tolist()
        seen = torch.cat([bounds.new_zeros(1), (batch.predecessor >= 0).cumsum(0)])[bounds]
        linked = (seen[1:] > seen[:-1]).tolist()
        out = []
        for t in range(batch.num_frames):
            a, b = ptr[t], ptr[t + 1]
            before = batch.predecessor[a:b]
            if t:
                before = torch.where(before >= 0, before - ptr[t - 1], -1)
            out.append(FrameView(
                a, b, topology.slice((a, b), (edge_ptr[t], edge_ptr[t + 1]),
                                     (unit_ptr[t], unit_ptr[t + 1])),
                before, linked[t] and t > 0, batch.sample_ids[a:b]))
        return out

    def split(self, x: Tensor) -> tuple[Tensor, ...]:
        """(N, ...) -> the part of each key frame. One split, since the gradient of T slices would
        fill T tensors of N rows."""
        return x.split([frame.num_nodes for frame in self.frames])

    def split_edges(self, x: Tensor) -> tuple[Tensor, ...]:
        """(E, ...) in the topology's order -> the part of each key frame."""
        return x.split([frame.topology.num_edges for frame in self.frames])

"""Who listens to whom: the edges of a GraphBatch, in the order that every back end works in.

Edges are sorted by target node, so the incoming edges of node i are the contiguous range
``ptr[i]:ptr[i + 1]`` (CSR) and those of a key frame are contiguous too. Whatever a back end needs
besides (dense positions, a DGL graph, the order by source) is computed on first use and kept, so
all layers that see the same batch share it. Layout: ours.

Shapes: N nodes, E edges, U units, H heads.
"""

from collections.abc import Callable
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from finsta.structures import GraphBatch


class Topology:
    """Edges between packed nodes.

    Args:
        src, dst: (E,) messages flow src -> dst; ``dst`` ascends.
        edge_type: (E,) index into ``ATTENTION_EDGE_TYPES``.
        unit_sizes: nodes of each unit, as Python ints; their sum is N. No edge leaves its unit.
    """

    def __init__(self, src: Tensor, dst: Tensor, edge_type: Tensor, unit_sizes: list[int]) -> None:
        self.src, self.dst, self.edge_type = src, dst, edge_type
        self.unit_sizes = unit_sizes
        self.num_nodes = sum(unit_sizes)
        self.width = max(unit_sizes, default=0)  # M, nodes of the largest unit
        self._kept: dict[Any, Any] = {}

    @classmethod
    def from_batch(cls, batch: GraphBatch) -> 'Topology':
        """Topology of all nodes of a batch. ``batch.edge_index[:, order]`` is its edge order."""
        order = torch.argsort(batch.edge_index[1], stable=True)
        src, dst = batch.edge_index[:, order]
        return cls(src.contiguous(), dst.contiguous(), batch.edge_type[order],
                   batch.unit_sizes().tolist())

    @property
    def num_edges(self) -> int:
        """E."""
        return self.src.numel()

    @property
    def num_units(self) -> int:
        """U."""
        return len(self.unit_sizes)

    @property
    def device(self) -> torch.device:
        """Device of the edges."""
        return self.src.device

    def keep(self, key: Any, make: Callable[[], Any]) -> Any:
        """``make()``, computed once per ``key``; for what a back end derives from the edges."""
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]

    @cached_property
    def ptr(self) -> Tensor:
        """(N + 1,) edge ranges of targets."""
        return torch.searchsorted(self.dst, torch.arange(self.num_nodes + 1, device=self.device))

    @cached_property
    def in_degree(self) -> Tensor:
        """(N,) incoming edges."""
        return self.ptr[1:] - self.ptr[:-1]

    @cached_property
    def unit_ids(self) -> Tensor:
        """(N,) unit of each node."""
        sizes = torch.tensor(self.unit_sizes, dtype=torch.long, device=self.device)
        return torch.repeat_interleave(torch.arange(self.num_units, device=self.device), sizes,
                                       output_size=self.num_nodes)

    @cached_property
    def position(self) -> Tensor:
        """(N,) place of each node inside its unit."""
        sizes = torch.tensor(self.unit_sizes, dtype=torch.long, device=self.device)
        start = sizes.cumsum(0) - sizes
        return torch.arange(self.num_nodes, device=self.device) - start[self.unit_ids]

    @cached_property
    def slot(self) -> Tensor:
        """(N,) place of each node in the flattened padded view (U * M)."""
        return self.unit_ids * self.width + self.position

    def pad(self, x: Tensor) -> Tensor:
        """(N, ...) -> (U, M, ...), zeros where there is no node; a view if nothing is padded."""
        shape = (self.num_units, self.width, *x.shape[1:])
        if self.num_nodes == self.num_units * self.width:
            return x.reshape(shape)
        flat = x.new_zeros(self.num_units * self.width, *x.shape[1:])
        return flat.index_copy(0, self.slot, x).view(shape)

    def unpad(self, x: Tensor) -> Tensor:
        """Inverse of :meth:`pad`: (U, M, ...) -> (N, ...)."""
        flat = x.reshape(self.num_units * self.width, *x.shape[2:])
        return flat if self.num_nodes == flat.shape[0] else flat.index_select(0, self.slot)

    @cached_property
    def node_mask(self) -> Tensor:
        """(U, M) True where the padded view holds a node."""
        sizes = torch.tensor(self.unit_sizes, dtype=torch.long, device=self.device)
        return torch.arange(self.width, device=self.device)[None] < sizes[:, None]

    def slice(self, nodes: tuple[int, int], edges: tuple[int, int],
              units: tuple[int, int]) -> 'Topology':
        """The topology of contiguous ranges of nodes, edges and units (one key frame)."""
        a, b = edges
        return Topology(self.src[a:b] - nodes[0], self.dst[a:b] - nodes[0], self.edge_type[a:b],
                        self.unit_sizes[units[0]:units[1]])

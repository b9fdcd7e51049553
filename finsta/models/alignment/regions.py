"""High-order regions of nodes: ``r_i = mean of h_u over nodes u within n hops of i``.

Computed inside a unit (one frame of one sample, or one sentence), never across frames.
method.md section 3; the regions are the paper's, n = 2 is ours.

Shapes: h (N, D) -> r (N, D).
"""

import torch
from torch import Tensor

from finsta.structures import GraphBatch


def region_features(h: Tensor, graphs: GraphBatch, hops: int) -> Tensor:
    """Mean of ``h`` (N, D) over each node's n-hop neighbourhood, the node included.

    Args:
        h: (N, D) node states.
        graphs: the batch the states belong to.
        hops: n >= 0; 0 returns ``h``.
    """
    if hops < 0:
        raise ValueError(f'hops must be >= 0, got {hops}')
    if hops == 0 or graphs.num_nodes == 0:
        return h
    reach = neighbourhoods(graphs, hops).to(h.dtype)
    padded, mask = graphs.to_padded(h)
    mean = torch.bmm(reach, padded) / reach.sum(-1, keepdim=True).clamp(min=1)
    return mean[mask]


def neighbourhoods(graphs: GraphBatch, hops: int) -> Tensor:
    """(U, M, M) bool: entry (u, i, k) = node k of unit u lies within ``hops`` of node i."""
    width = int(graphs.unit_sizes().max())
    position = graphs.position_in_unit()
    source, target = graphs.edge_index
    adjacency = torch.zeros(graphs.num_units, width, width, device=graphs.device)
    adjacency[graphs.unit_ids[target], position[target], position[source]] = 1
    diagonal = torch.arange(width, device=graphs.device)
    adjacency[:, diagonal, diagonal] = 1
    reach = adjacency
    for _ in range(hops - 1):
        reach = (torch.bmm(reach, adjacency) > 0).float()
    return reach > 0

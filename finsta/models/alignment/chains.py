"""Temporal-coreference chains and the mean feature of every interval of them.

A chain is a maximal run of nodes linked by ``predecessor``. Interval (c, s, e) covers the
chain's nodes s..e; its feature is the mean of theirs, from one cumulative sum per chain, so all
T (T + 1) / 2 intervals cost T vectorised subtractions.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from finsta.structures import GraphBatch


@dataclass
class Intervals:
    """All intervals of the selected chains.

    Attributes:
        features: (K, D) mean features. chain: (K,) chain index. start, length: (K,) positions
            along the chain. sample: (K,) sample index.
        node_chain, node_position: (N,) chain and position of each node of the batch, -1 where the
            node belongs to no selected chain.
    """

    features: Tensor
    chain: Tensor
    start: Tensor
    length: Tensor
    sample: Tensor
    node_chain: Tensor
    node_position: Tensor


def chain_ids(graphs: GraphBatch) -> tuple[Tensor, Tensor]:
    """Chain number and position along the chain of every node, both (N,).

    A node whose predecessor is already followed by another node starts a chain of its own, so a
    chain never branches.
    """
    n = graphs.num_nodes
    chain = torch.full((n,), -1, dtype=torch.long, device=graphs.device)
    position = torch.zeros_like(chain)
    followed = torch.zeros(n, dtype=torch.bool, device=graphs.device)
    count = 0
    for t in range(graphs.num_frames):
        nodes = torch.arange(graphs.frame_ptr[t], graphs.frame_ptr[t + 1], device=graphs.device)
        before = graphs.predecessor[nodes]
        linked = before >= 0
        safe = before.clamp(min=0)
        order = torch.argsort(torch.where(linked, safe, n + nodes), stable=True)
        ranked = before[order]
        repeat = torch.zeros_like(linked)
        repeat[order[1:]] = (ranked[1:] == ranked[:-1]) & (ranked[1:] >= 0)
        linked = linked & ~repeat & ~followed[safe]
        followed[safe[linked]] = True
        chain[nodes[linked]] = chain[safe[linked]]
        position[nodes[linked]] = position[safe[linked]] + 1
        fresh = nodes[~linked]
        chain[fresh] = count + torch.arange(len(fresh), device=graphs.device)
        count += len(fresh)
    return chain, position


def chain_intervals(features: Tensor, graphs: GraphBatch, kinds: tuple[int, ...],
                    max_length: int | None = None) -> Intervals:
    """Every interval of the chains of the given node kinds.

    Args:
        features: (N, D) region features of the dynamic graphs.
        graphs: the dynamic graph batch.
        kinds: node kinds whose chains are candidates.
        max_length: longest interval; None = the whole chain.
    """
    chain, position = chain_ids(graphs)
    wanted = torch.zeros_like(chain, dtype=torch.bool)
    for kind in kinds:
        wanted |= graphs.kind == kind
    names, compact = torch.unique(chain[wanted], return_inverse=True)
    node_chain = torch.full_like(chain, -1)
    node_chain[wanted] = compact
    node_position = torch.where(wanted, position, -1)
    count = len(names)
    length = int(position[wanted].max()) + 1 if count else 0
    padded = features.new_zeros(count, length + 1, features.shape[-1])
    present = torch.zeros(count, length + 1, dtype=torch.bool, device=features.device)
    sample = torch.zeros(count, dtype=torch.long, device=features.device)
    padded = padded.index_put((compact, position[wanted] + 1), features[wanted])
    present[compact, position[wanted] + 1] = True
    sample[compact] = graphs.sample_ids[wanted]
    prefix = padded.float().cumsum(1)
    parts, meta = [], []
    for size in range(1, min(length, max_length or length) + 1):
        c, s = torch.nonzero(present[:, size:], as_tuple=True)
        parts.append((prefix[c, s + size] - prefix[c, s]) / size)
        meta.append(torch.stack([c, s, torch.full_like(c, size)]))
    if parts:
        stacked, info = torch.cat(parts), torch.cat(meta, dim=1)
    else:
        stacked, info = features.new_zeros(0, features.shape[-1]).float(), chain.new_zeros(3, 0)
    return Intervals(stacked, info[0], info[1], info[2], sample[info[0]], node_chain,
                     node_position)

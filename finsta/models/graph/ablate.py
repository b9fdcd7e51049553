"""Batches with something taken away: for ablations and for robust training.

Every function returns new batches and leaves its input alone. method.md section 5 (ablations) and
"robust training" (random node and edge drop).

Shapes: N nodes of a batch.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from finsta.structures import ATTENTION_EDGE_TYPES, NODE_KINDS, GraphBatch, HolisticBatch

_CROSS = [ATTENTION_EDGE_TYPES.index(t)
          for t in ('cross_coreference', 'cross_coreference_reverse')]
_PER_NODE = ('label_ids', 'kind', 'modality', 'box', 'box_mask', 'score', 'span', 'entity',
             'sample_ids', 'frame_ids', 'unit_ids')


@dataclass
class Kept:
    """A batch after dropping nodes.

    Attributes:
        batch: the smaller batch.
        tsg_index, dsg_index: rows of the original text / dynamic batch that remain, ascending.
    """

    batch: HolisticBatch
    tsg_index: Tensor
    dsg_index: Tensor


def _renumber(keep: Tensor) -> Tensor:
    """(N,) new number of each kept node, -1 for the others."""
    return torch.where(keep, keep.long().cumsum(0) - 1, -1)


def _select(batch: GraphBatch, keep: Tensor, source: Tensor) -> GraphBatch:
    """The nodes of ``keep``; edges and coreference that touch others are gone. ``source``: (n,)
    of the result."""
    new = _renumber(keep)
    before = batch.predecessor[keep]
    predecessor = torch.where(before >= 0, new[before.clamp(min=0)], -1)
    ends = new[batch.edge_index]
    alive = (ends >= 0).all(0)
    total = torch.cat([new.new_zeros(1), keep.long().cumsum(0)])
    frame_ptr = tuple(total[torch.tensor(batch.frame_ptr, device=keep.device)].tolist())
    return replace(batch, **{name: getattr(batch, name)[keep] for name in _PER_NODE},
                   source=source, predecessor=predecessor, edge_index=ends[:, alive],
                   edge_type=batch.edge_type[alive], unit_ptr=total[batch.unit_ptr],
                   frame_ptr=frame_ptr)


def keep_nodes(batch: HolisticBatch, keep_tsg: Tensor, keep_dsg: Tensor) -> Kept:
    """The batch with only these text and visual nodes, in all three graphs.

    Args:
        keep_tsg, keep_dsg: bool over the nodes of ``batch.tsg`` / ``batch.dsg``.
    """
    device = keep_tsg.device
    new_t, new_d = _renumber(keep_tsg), _renumber(keep_dsg)
    hsg = batch.hsg
    is_text = hsg.modality == 0
    source = hsg.source.new_empty(hsg.num_nodes)
    source[is_text] = new_t[hsg.source[is_text]]
    source[~is_text] = new_d[hsg.source[~is_text]]
    keep_hsg = source >= 0
    pairs = torch.stack([new_t[batch.cross_pairs[:, 0]], new_d[batch.cross_pairs[:, 1]]], 1)
    alive = (pairs >= 0).all(1)
    index_t, index_d = keep_tsg.nonzero().squeeze(1), keep_dsg.nonzero().squeeze(1)
    smaller = HolisticBatch(
        _select(batch.tsg, keep_tsg, torch.arange(len(index_t), device=device)),
        _select(batch.dsg, keep_dsg, torch.arange(len(index_d), device=device)),
        _select(hsg, keep_hsg, source[keep_hsg]), pairs[alive], batch.cross_score[alive])
    return Kept(smaller, index_t, index_d)


def drop_kinds(batch: HolisticBatch, kinds: tuple[str, ...]) -> Kept:
    """Without the nodes of some kinds (``'predicate_attribute'`` is the paper's ablation)."""
    masks = []
    for part in (batch.tsg, batch.dsg):
        keep = torch.ones_like(part.kind, dtype=torch.bool)
        for kind in kinds:
            keep &= part.kind != NODE_KINDS.index(kind)
        masks.append(keep)
    return keep_nodes(batch, *masks)


def drop_random_nodes(batch: HolisticBatch, rate: float,
                      generator: torch.Generator | None = None) -> Kept:
    """Each node goes with probability ``rate``; a text node goes from all frames of the HSG."""
    return keep_nodes(batch, *(
        torch.rand(part.num_nodes, generator=generator, device=part.device) >= rate
        for part in (batch.tsg, batch.dsg)))


def drop_random_edges(batch: GraphBatch, rate: float,
                      generator: torch.Generator | None = None) -> GraphBatch:
    """Each message edge goes with probability ``rate``, either direction by itself; self loops
    stay."""
    roll = torch.rand(batch.edge_type.numel(), generator=generator, device=batch.device)
    return _with_edges(batch, (roll >= rate) | (batch.edge_type == 0))


def without_temporal(batch: GraphBatch) -> GraphBatch:
    """No temporal coreference: every ``predecessor`` is -1."""
    return replace(batch, predecessor=torch.full_like(batch.predecessor, -1))


def without_cross(batch: GraphBatch) -> GraphBatch:
    """No cross-modal coreference edges."""
    cross = (batch.edge_type == _CROSS[0]) | (batch.edge_type == _CROSS[1])
    return _with_edges(batch, ~cross)


def _with_edges(batch: GraphBatch, keep: Tensor) -> GraphBatch:
    return replace(batch, edge_index=batch.edge_index[:, keep], edge_type=batch.edge_type[keep])

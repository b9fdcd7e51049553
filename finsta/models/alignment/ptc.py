"""PTC: predicate-centred temporal contrasting (method.md section 3, paper).

Anchors are the text predicates' regions; candidates are intervals of temporal-coreference chains
of the dynamic graph. Positive: the interval of a chain that the anchor's coreferent nodes span,
and intervals that overlap it by at least ``positive_iou`` (ours: neighbouring intervals have
almost the same mean feature).
"""

import torch
from torch import Tensor, nn

from finsta.models.alignment.chains import Intervals, chain_intervals
from finsta.models.alignment.contrast import positive_pair_info_nce, same_sample
from finsta.models.alignment.regions import region_features
from finsta.registry import LOSSES
from finsta.structures import NODE_KINDS, HolisticBatch

_PREDICATE = NODE_KINDS.index('predicate')


@LOSSES.register_module()
class PredicateTemporalContrast(nn.Module):
    """PTC loss.

    Args:
        temperature: tau.
        hops: order n of the region.
        negatives: 'batch' (default, ours; of all processes) or 'video'.
        chain_kinds: kinds of nodes whose chains are candidates; object chains can join.
        positive_iou: overlap from which an interval of a matched chain is positive.
        max_length: longest candidate interval in key frames; None = all.
    """

    def __init__(self, temperature: float = 0.07, hops: int = 2, negatives: str = 'batch',
                 chain_kinds: tuple[str, ...] = ('predicate',), positive_iou: float = 0.5,
                 max_length: int | None = None) -> None:
        super().__init__()
        unknown = set(chain_kinds) - set(NODE_KINDS)
        if unknown:
            raise ValueError(f'chain_kinds {sorted(unknown)} are none of {list(NODE_KINDS)}')
        self.temperature, self.hops, self.negatives = temperature, hops, negatives
        self.kinds = tuple(NODE_KINDS.index(k) for k in chain_kinds)
        self.positive_iou, self.max_length = positive_iou, max_length

    def forward(self, h_tsg: Tensor, h_dsg: Tensor, graphs: HolisticBatch,
                groups: Tensor | None = None) -> tuple[Tensor, dict[str, float]]:
        """Loss and statistics; arguments as in OSC."""
        text = torch.nonzero(graphs.tsg.kind == _PREDICATE).squeeze(1)
        anchors = region_features(h_tsg, graphs.tsg, self.hops)[text]
        regions = region_features(h_dsg, graphs.dsg, self.hops)
        intervals = chain_intervals(regions, graphs.dsg, self.kinds, self.max_length)
        positive = self.positives(graphs, text, intervals)
        sample = graphs.tsg.sample_ids[text]
        allowed = same_sample(sample, intervals.sample, self.negatives, groups)
        sides = None if groups is None else (groups[sample], groups[intervals.sample])
        loss = positive_pair_info_nce(anchors, intervals.features, positive, allowed,
                                      self.temperature, self.negatives == 'batch', sides)
        return loss, {'ptc_positives': float(positive.sum()), 'ptc_anchors': float(len(text)),
                      'ptc_candidates': float(len(intervals.chain))}

    def positives(self, graphs: HolisticBatch, text: Tensor, intervals: Intervals) -> Tensor:
        """(A, K) bool from the predicate pairs of the HSG."""
        num_chains = int(intervals.node_chain.max()) + 1 if intervals.node_chain.numel() else 0
        shape = (len(text), num_chains)
        row_of = text.new_full((graphs.tsg.num_nodes,), -1)
        row_of[text] = torch.arange(len(text), device=text.device)
        pairs = graphs.cross_pairs
        rows, chains = row_of[pairs[:, 0]], intervals.node_chain[pairs[:, 1]]
        keep = (rows >= 0) & (chains >= 0)
        rows, chains = rows[keep], chains[keep]
        where = intervals.node_position[pairs[keep, 1]].float()
        flat = rows * max(num_chains, 1) + chains
        size = max(shape[0] * shape[1], 1)
        first = where.new_full((size,), float('inf')).scatter_reduce(0, flat, where, 'amin')
        last = where.new_full((size,), float('-inf')).scatter_reduce(0, flat, where, 'amax')
        if shape[0] * shape[1] == 0:
            return torch.zeros(len(text), len(intervals.chain), dtype=torch.bool,
                               device=text.device)
        first, last = first.view(shape)[:, intervals.chain], last.view(shape)[:, intervals.chain]
        start = intervals.start.float()
        end = start + intervals.length - 1
        overlap = (torch.minimum(last, end) - torch.maximum(first, start) + 1).clamp(min=0)
        union = torch.maximum(last, end) - torch.minimum(first, start) + 1
        return torch.isfinite(first) & (overlap / union >= self.positive_iou)

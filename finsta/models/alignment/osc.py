"""OSC: object-centred spatial contrasting between text and video (method.md section 3, paper).

Anchors are the text objects, candidates the visual objects of all key frames, both represented
by their high-order region. Positives are the cross-modal coreference pairs of the HSG (ours;
see method.md for why the encoders' own similarity cannot choose them at the start); optionally
widened by ``rho`` on the encoders' similarity.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from finsta.models.alignment.contrast import positive_pair_info_nce, same_sample
from finsta.models.alignment.regions import region_features
from finsta.registry import LOSSES
from finsta.structures import NODE_KINDS, HolisticBatch

_OBJECT = NODE_KINDS.index('object')


@LOSSES.register_module()
class ObjectSpatialContrast(nn.Module):
    """OSC loss.

    Args:
        temperature: tau.
        hops: order n of the region.
        negatives: 'batch' (default, ours; of all processes) or 'video'.
        rho: cosine above which a pair of one sample also counts as positive; None = never.
    """

    def __init__(self, temperature: float = 0.07, hops: int = 2, negatives: str = 'batch',
                 rho: float | None = None) -> None:
        super().__init__()
        self.temperature, self.hops, self.negatives, self.rho = temperature, hops, negatives, rho

    def forward(self, h_tsg: Tensor, h_dsg: Tensor, graphs: HolisticBatch,
                groups: Tensor | None = None) -> tuple[Tensor, dict[str, float]]:
        """Loss and statistics.

        Args:
            h_tsg: (N_T, D). h_dsg: (N_D, D). graphs: the batch they belong to.
            groups: (B, 2) of ``pair_groups``: samples that share a video or a text are no
                negatives of each other; None = all differ.

        Returns:
            scalar loss; ``{'osc_positives': ..., 'osc_anchors': ...}``.
        """
        text = torch.nonzero(graphs.tsg.kind == _OBJECT).squeeze(1)
        video = torch.nonzero(graphs.dsg.kind == _OBJECT).squeeze(1)
        anchors = region_features(h_tsg, graphs.tsg, self.hops)[text]
        candidates = region_features(h_dsg, graphs.dsg, self.hops)[video]
        positive = pair_matrix(graphs.cross_pairs, text, video, len(h_tsg), len(h_dsg))
        own = same_sample(graphs.tsg.sample_ids[text], graphs.dsg.sample_ids[video], 'video')
        if self.rho is not None and positive.numel():
            with torch.no_grad():
                cosine = F.normalize(anchors, dim=-1) @ F.normalize(candidates, dim=-1).T
            positive = positive | ((cosine > self.rho) & own)
        allowed = own if self.negatives == 'video' else same_sample(
            graphs.tsg.sample_ids[text], graphs.dsg.sample_ids[video], self.negatives, groups)
        sides = None if groups is None else (groups[graphs.tsg.sample_ids[text]],
                                             groups[graphs.dsg.sample_ids[video]])
        loss = positive_pair_info_nce(anchors, candidates, positive, allowed, self.temperature,
                                      self.negatives == 'batch', sides)
        return loss, {'osc_positives': float(positive.sum()), 'osc_anchors': float(len(text))}


def pair_matrix(pairs: Tensor, rows: Tensor, columns: Tensor, num_rows: int, num_columns: int
                ) -> Tensor:
    """(len(rows), len(columns)) bool: which (row, column) node pairs stand in ``pairs`` (P, 2).

    Pairs whose nodes are not among ``rows`` and ``columns`` (another kind) are left out.
    """
    row_of = rows.new_full((num_rows,), -1)
    row_of[rows] = torch.arange(len(rows), device=rows.device)
    column_of = columns.new_full((num_columns,), -1)
    column_of[columns] = torch.arange(len(columns), device=columns.device)
    out = torch.zeros(len(rows), len(columns), dtype=torch.bool, device=rows.device)
    r, c = row_of[pairs[:, 0]], column_of[pairs[:, 1]]
    keep = (r >= 0) & (c >= 0)
    out[r[keep], c[keep]] = True
    return out

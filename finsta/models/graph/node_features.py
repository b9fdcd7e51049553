"""The vectors that nodes start with.

object = Linear(region feature) + Linear(label embedding); other nodes = Linear(label embedding);
plus learned kind, modality and (nodes with a box) box embeddings, then LayerNorm. method.md
section 1 (ours).

Shapes: N nodes, D width, L unique labels, D_l and D_r widths of label and region features.
"""

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from finsta.registry import GRAPH_ENCODERS
from finsta.structures import NODE_KINDS, GraphBatch


@GRAPH_ENCODERS.register_module()
class NodeFeatures(BaseModule):
    """Input states of nodes.

    Args:
        dim: D.
        label_dim: D_l.
        region_dim: D_r; None: regions are not used.
        dropout: on the result.
    """

    def __init__(self, dim: int = 768, label_dim: int = 512, region_dim: int | None = None,
                 dropout: float = 0.0) -> None:
        super().__init__()
        self.dim, self.label_dim, self.region_dim = dim, label_dim, region_dim
        self.label = nn.Linear(label_dim, dim)
        self.region = None if region_dim is None else nn.Linear(region_dim, dim)
        self.kind = nn.Embedding(len(NODE_KINDS), dim)
        self.modality = nn.Embedding(2, dim)
        self.box = nn.Linear(4, dim)
        for table in (self.kind, self.modality):
            nn.init.normal_(table.weight, std=0.02)
        self.norm = nn.LayerNorm(dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, batch: GraphBatch, label_emb: Tensor, region_feat: Tensor | None = None,
                region_mask: Tensor | None = None) -> Tensor:
        """(N, D).

        Args:
            batch: the graphs.
            label_emb: (L, D_l), one row per ``batch.labels``.
            region_feat: (N, D_r); rows of nodes without a region are ignored.
            region_mask: (N,) True where a region feature exists; default: ``batch.box_mask``.

        Raises:
            ValueError: where a shape disagrees with the batch or the configured widths.
        """
        self._check(batch, label_emb, region_feat)
        dtype = self.label.weight.dtype
        x = self.label(label_emb.to(dtype)).index_select(0, batch.label_ids)
        x = x + self.kind(batch.kind) + self.modality(batch.modality)
        x = x + torch.where(batch.box_mask[:, None], self.box(batch.box.to(dtype)), 0.)
        if region_feat is not None:
            mask = batch.box_mask if region_mask is None else region_mask
            clean = torch.where(mask[:, None], region_feat.to(dtype), 0.)
            x = x + torch.where(mask[:, None], self.region(clean), 0.)
        return self.dropout(self.norm(x))

    def _check(self, batch: GraphBatch, label_emb: Tensor, region_feat: Tensor | None) -> None:
        if label_emb.shape != (len(batch.labels), self.label_dim):
            raise ValueError(f'label_emb is {tuple(label_emb.shape)}, but the batch has '
                             f'{len(batch.labels)} labels and label_dim={self.label_dim}')
        if region_feat is None:
            return
        if self.region is None:
            raise ValueError('region features were given, but NodeFeatures has region_dim=None')
        if region_feat.shape != (batch.num_nodes, self.region_dim):
            raise ValueError(f'region_feat is {tuple(region_feat.shape)}, but the batch has '
                             f'{batch.num_nodes} nodes and region_dim={self.region_dim}')

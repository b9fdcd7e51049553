"""The structure module: three graphs in, states of their nodes out.

One stream per modality and a fused one ("dual-stream-sum", paper): text graph -> GTrm, dynamic
and holistic graphs -> [R-GTrm -> STGD-GTrm -> R-GTrm]. Node inputs are computed once for text and
visual nodes; the holistic graph gathers them. method.md section 2.

Shapes: N_t, N_d, N_h nodes of the text, dynamic and holistic batch, D width.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from mmengine.model import BaseModule
from torch import Tensor

from finsta.models.graph import ablate
from finsta.models.graph.stack import DYNAMIC_STAGES, TEXT_STAGES
from finsta.registry import GRAPH_ENCODERS
from finsta.structures import HolisticBatch

LabelEmbedding = Callable[[list[str]], Tensor] | dict[str, Tensor] | Tensor


@dataclass
class StructureOutput:
    """States of nodes.

    Attributes:
        h_tsg: (N_t, D). h_dsg: (N_d, D). h_hsg: (N_h, D).
        batch: the graphs that the rows belong to. It is the input itself unless nodes, edges or
            coreference were dropped: use this one for whatever follows.
        tsg_index, dsg_index: rows of the input's text / dynamic batch that remain; None: all.
    """

    h_tsg: Tensor
    h_dsg: Tensor
    h_hsg: Tensor
    batch: HolisticBatch
    tsg_index: Tensor | None = None
    dsg_index: Tensor | None = None


@GRAPH_ENCODERS.register_module()
class StructureEncoder(BaseModule):
    """Node features and the three streams.

    Args:
        dim: D. num_heads: H.
        label_dim, region_dim: widths of label embeddings and of region features (None: no
            regions); the model fills them in from its node encoder.
        node_features: config of the node input module; ``dim`` and the widths are filled in.
        text, dynamic, holistic: configs of the streams; ``dim``, ``num_heads``, ``with_stgd`` and
            ``layer`` are filled in. Defaults: 6 GTrm; 2 R-GTrm, 2 STGD-GTrm, 2 R-GTrm.
        with_stgd: False: no Gaussian differential (ablation).
        temporal_coref: False: nodes have no predecessors (ablation).
        cross_coref: False: no edges between text and visual nodes in the holistic graph
            (ablation). ``batch.cross_pairs`` stays: it says what the losses call positive.
        predicate_attributes: False: nodes of that kind are dropped (ablation).
        node_drop, edge_drop: probabilities, in training only (robust training).
        layer: arguments of all layers (ops, edge_mode, ffn_ratio, dropout, norm, act).
    """

    def __init__(self, dim: int = 768, num_heads: int = 8, label_dim: int = 512,
                 region_dim: int | None = None, node_features: dict | None = None,
                 text: dict | None = None, dynamic: dict | None = None,
                 holistic: dict | None = None, with_stgd: bool = True,
                 temporal_coref: bool = True, cross_coref: bool = True,
                 predicate_attributes: bool = True, node_drop: float = 0.0,
                 edge_drop: float = 0.0, **layer) -> None:
        super().__init__()
        for name, rate in (('node_drop', node_drop), ('edge_drop', edge_drop)):
            if not 0 <= rate < 1:
                raise ValueError(f'{name}={rate} must be in [0, 1)')
        self.dim = dim
        self.temporal_coref, self.cross_coref = temporal_coref, cross_coref
        self.predicate_attributes = predicate_attributes
        self.node_drop, self.edge_drop = node_drop, edge_drop
        self.node_features = GRAPH_ENCODERS.build(
            {'type': 'NodeFeatures', 'dim': dim, 'label_dim': label_dim,
             'region_dim': region_dim, **(node_features or {})})

        def stream(config: dict | None, stages) -> BaseModule:
            return GRAPH_ENCODERS.build({'type': 'GraphStream', 'dim': dim,
                                         'num_heads': num_heads, 'stages': stages,
                                         'with_stgd': with_stgd, **layer, **(config or {})})

        self.text = stream(text, TEXT_STAGES)
        self.dynamic = stream(dynamic, DYNAMIC_STAGES)
        self.holistic = stream(holistic, DYNAMIC_STAGES)

    def reduce(self, batch: HolisticBatch, generator: torch.Generator | None = None
               ) -> ablate.Kept:
        """The batch after the configured ablations and, in training, random drops."""
        kept = ablate.Kept(batch, None, None)
        if not self.predicate_attributes:
            kept = _then(kept, ablate.drop_kinds(kept.batch, ('predicate_attribute',)))
        if self.training and self.node_drop > 0:
            kept = _then(kept, ablate.drop_random_nodes(kept.batch, self.node_drop, generator))
        batch = kept.batch
        if not self.temporal_coref:
            batch = replace(batch, dsg=ablate.without_temporal(batch.dsg),
                            hsg=ablate.without_temporal(batch.hsg))
        if not self.cross_coref:
            batch = replace(batch, hsg=ablate.without_cross(batch.hsg))
        if self.training and self.edge_drop > 0:
            parts = (ablate.drop_random_edges(part, self.edge_drop, generator)
                     for part in (batch.tsg, batch.dsg, batch.hsg))
            batch = replace(batch, **dict(zip(('tsg', 'dsg', 'hsg'), parts, strict=True)))
        return replace(kept, batch=batch)

    def forward(self, batch: HolisticBatch, label_emb: LabelEmbedding,
                region_feat: Tensor | None = None, region_mask: Tensor | None = None,
                generator: torch.Generator | None = None) -> StructureOutput:
        """States of all nodes.

        Args:
            batch: the graphs.
            label_emb: a function ``list of labels -> (n, D_l)``, or one tensor (L, D_l) with rows
                as ``batch.hsg.labels`` (the labels of both), or ``{'tsg': (L_t, D_l), 'dsg':
                (L_d, D_l)}`` with rows as ``labels`` of those batches.
            region_feat: (N_d, D_r) features of the visual nodes' regions.
            region_mask: (N_d,) True where there is one; default: nodes with a box.
            generator: of the random drops; default: torch's own.
        """
        label_emb = _split_labels(batch, label_emb)
        kept = self.reduce(batch, generator)
        if kept.dsg_index is not None:
            region_feat, region_mask = (None if x is None else x[kept.dsg_index]
                                        for x in (region_feat, region_mask))
        batch = kept.batch
        x_text = self.node_features(batch.tsg, label_emb['tsg'])
        x_visual = self.node_features(batch.dsg, label_emb['dsg'], region_feat, region_mask)
        start = torch.where(batch.hsg.modality == 0, 0, batch.tsg.num_nodes)
        x_all = torch.cat([x_text, x_visual]).index_select(0, batch.hsg.source + start)
        return StructureOutput(self.text(x_text, batch.tsg), self.dynamic(x_visual, batch.dsg),
                               self.holistic(x_all, batch.hsg), batch, kept.tsg_index,
                               kept.dsg_index)


def _then(first: ablate.Kept, second: ablate.Kept) -> ablate.Kept:
    """Two reductions in a row, with indices into the first one's input."""
    if first.tsg_index is None:
        return second
    return ablate.Kept(second.batch, first.tsg_index[second.tsg_index],
                       first.dsg_index[second.dsg_index])


def _split_labels(batch: HolisticBatch, label_emb: LabelEmbedding) -> dict[str, Tensor]:
    """Rows for the labels of the text batch and of the dynamic batch."""
    if isinstance(label_emb, dict):
        return label_emb
    if callable(label_emb):
        label_emb = label_emb(batch.hsg.labels).to(batch.hsg.device)
    if label_emb.shape[0] != len(batch.hsg.labels):
        raise ValueError(f'label_emb has {label_emb.shape[0]} rows, but batch.hsg.labels has '
                         f'{len(batch.hsg.labels)}')
    row = {label: i for i, label in enumerate(batch.hsg.labels)}
    return {name: label_emb[[row[label] for label in getattr(batch, name).labels]]
            for name in ('tsg', 'dsg')}

"""The structure module of the post-training stage: graphs in, three teachers out.

Node features -> three graph encoders -> H_T, H_D, H_H, their pooled vectors, and the alignment
losses that train them. It is built beside a backbone and dropped after post-training.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from finsta.models.alignment.weights import loss_weights
from finsta.models.backbones.base import VideoLanguageBackbone
from finsta.models.backbones.losses import contrastive_loss
from finsta.registry import GRAPH_ENCODERS, LOSSES, NODE_ENCODERS
from finsta.structures import GraphBatch, HolisticBatch
from finsta.utils.distributed import gather_with_grad, own_rows


@dataclass
class TeacherOutput:
    """Node states and what they belong to.

    Attributes:
        graphs: the graphs after ablation and random drops; rows of the states are its nodes.
        h_tsg, h_dsg, h_hsg: (N_T, D), (N_D, D), (N_H, D).
        pooled: stream -> (B, D).
        text, video: (B, E) unit vectors of the graphs. scale: () of their products.
        similarity: 'text' -> (B, W) logits of the batch's texts with the W videos of all
            processes, 'video' -> (B, W) of its videos with all texts; without gradient.
        known: (B,) bool, whose text and video graph have nodes: the others say nothing.
        known_everywhere: (W,) of all processes.
        labels: 'tsg', 'dsg' -> (L, D_l) embedding of each of the batch's label strings.
    """

    graphs: HolisticBatch
    h_tsg: Tensor
    h_dsg: Tensor
    h_hsg: Tensor
    pooled: dict[str, Tensor]
    text: Tensor
    video: Tensor
    scale: Tensor
    similarity: dict[str, Tensor]
    known: Tensor
    known_everywhere: Tensor
    labels: dict[str, Tensor]


class StructureTeacher(nn.Module):
    """Three graph encoders and what trains them.

    Args:
        backbone: the host, for the frozen node encoder.
        encoder: arguments of a StructureEncoder (or a whole GRAPH_ENCODERS config); the widths
            of label and region features are filled in.
        node_encoder: config of a NODE_ENCODERS module.
        osc, ptc: configs of the alignment losses; None switches the term off (ablation).
        weights: factors of ``osc``, ``ptc`` and ``graph`` (the graph-level contrast, ours: it
            gives the teacher a similarity of its own, for the relational transfer and for its
            accuracy in the log).
        embed_dim: width of the graph-level space.

    Raises:
        ValueError: ``weights`` with an unknown term or a factor below 0.
    """

    def __init__(self, backbone: VideoLanguageBackbone, encoder: dict,
                 node_encoder: dict | None = None, osc: dict | None = None,
                 ptc: dict | None = None, weights: dict[str, float] | None = None,
                 embed_dim: int = 128) -> None:
        super().__init__()
        self.node_encoder = NODE_ENCODERS.build(node_encoder or {'type': 'FrozenBackboneEncoder'},
                                                default_args={'backbone': backbone})
        widths = {'label_dim': self.node_encoder.label_dim,
                  'region_dim': self.node_encoder.region_dim}
        self.encoder = GRAPH_ENCODERS.build({
            'type': 'StructureEncoder', **encoder,
            'node_features': {**widths, **encoder.get('node_features', {})}})
        self.dim = self.encoder.dim
        self.osc = None if osc is None else LOSSES.build(osc)
        self.ptc = None if ptc is None else LOSSES.build(ptc)
        self.weights = loss_weights('teacher', weights, {'osc': 1.0, 'ptc': 1.0, 'graph': 1.0})
        self.text_projection = nn.Linear(self.dim, embed_dim)
        self.video_projection = nn.Linear(self.dim, embed_dim)
        self.log_scale = nn.Parameter(torch.tensor(2.659))  # log(1 / 0.07), as CLIP starts

    def forward(self, graphs: HolisticBatch, frames: Tensor, frame_mask: Tensor | None,
                crop: Tensor | None, graph_frames: Tensor) -> TeacherOutput:
        """Encode a batch; ``frames`` (B, F, 3, h, w) preprocessed, ``graph_frames`` (B, T)."""
        regions, region_mask = self.node_encoder.encode_regions(frames, frame_mask, crop,
                                                                graph_frames, graphs.dsg)
        labels = self.encode_labels(graphs)
        out = self.encoder(graphs, labels, regions, region_mask)
        graphs = out.batch
        pooled = {'text': pool_samples(out.h_tsg, graphs.tsg),
                  'video': pool_samples(out.h_dsg, graphs.dsg),
                  'cross': pool_samples(out.h_hsg, graphs.hsg)}
        text = F.normalize(self.text_projection(pooled['text']).float(), dim=-1)
        video = F.normalize(self.video_projection(pooled['video']).float(), dim=-1)
        scale = self.log_scale.exp().clamp(max=100)
        known = _has_nodes(graphs.tsg) & _has_nodes(graphs.dsg)
        everywhere = gather_with_grad(known.float())[0] > 0
        return TeacherOutput(graphs, out.h_tsg, out.h_dsg, out.h_hsg, pooled, text, video, scale,
                             _similarity(text, video, scale), known, everywhere, labels)

    def encode_labels(self, graphs: HolisticBatch) -> dict[str, Tensor]:
        """'tsg', 'dsg' -> (L, D_l) frozen embedding of each of the graphs' label strings."""
        return {name: self.node_encoder.encode_labels(getattr(graphs, name).labels)
                for name in ('tsg', 'dsg')}

    def loss(self, out: TeacherOutput, groups: Tensor | None = None
             ) -> tuple[dict[str, Tensor], dict[str, float]]:
        """The teacher's own losses and its statistics.

        Statistics, for the ``tsg`` and the ``dsg`` of a sample, mean over the batch: ``_nodes``,
        ``_edges`` (as parsed: neither reverse edges nor self loops), ``_empty`` (share of the
        graphs without a node). ``cross_pairs``: cross-modal pairs a sample; ``cross_empty``: share
        of the samples without any. Also ``teacher_r1``, and those of the alignment losses.

        Args:
            groups: (B, 2) of ``pair_groups``: samples that share a video or a text are no
                negatives of each other; None = all differ.
        """
        graphs, losses, stats = out.graphs, {}, {}
        for name in ('osc', 'ptc'):
            module = getattr(self, name)
            if module is not None and self.weights[name] > 0:
                value, found = module(out.h_tsg, out.h_dsg, graphs, groups)
                losses[f'loss_{name}'] = self.weights[name] * value
                stats |= found
        if self.weights['graph'] > 0:
            losses['loss_graph'] = self.weights['graph'] * contrastive_loss(
                out.text[out.known], out.video[out.known], out.scale,
                groups=None if groups is None else groups[out.known])
        stats['teacher_r1'] = in_batch_r1(out.similarity['text'])
        stats |= _sizes(graphs)
        return losses, stats


def _sizes(graphs: HolisticBatch) -> dict[str, float]:
    """Nodes, edges, pairs per sample and shares of empty graphs; see StructureTeacher.loss."""
    size, stats = max(graphs.tsg.num_samples, 1), {}
    for name in ('tsg', 'dsg'):
        batch: GraphBatch = getattr(graphs, name)
        stats[f'{name}_nodes'] = batch.num_nodes / size
        # 0 is the self loop, then forward and reverse types alternate
        stats[f'{name}_edges'] = float((batch.edge_type % 2 == 1).sum()) / size
        stats[f'{name}_empty'] = float((~_has_nodes(batch)).sum()) / size
    owner = graphs.tsg.sample_ids[graphs.cross_pairs[:, 0]]
    stats['cross_pairs'] = len(graphs.cross_pairs) / size
    stats['cross_empty'] = 1 - len(owner.unique()) / size
    return stats


def _has_nodes(graphs: GraphBatch) -> Tensor:
    return torch.bincount(graphs.sample_ids, minlength=graphs.num_samples) > 0


@torch.no_grad()
def _similarity(text: Tensor, video: Tensor, scale: Tensor) -> dict[str, Tensor]:
    texts, videos = gather_with_grad(text)[0], gather_with_grad(video)[0]
    return {'text': scale * text @ videos.T, 'video': (scale * texts @ video.T).T}


def in_batch_r1(similarity: Tensor) -> float:
    """Share of the batch's texts (B, W) whose own video scores highest among all processes'."""
    target = own_rows(len(similarity), similarity.device)
    if not len(similarity):
        return float('nan')
    return float((similarity.argmax(1) == target).float().mean())


def pool_samples(h: Tensor, graphs: GraphBatch) -> Tensor:
    """(B, D) mean over each sample's nodes of all frames; 0 for a sample without nodes."""
    total = h.new_zeros(graphs.num_samples, h.shape[-1]).index_add(0, graphs.sample_ids, h)
    count = torch.bincount(graphs.sample_ids, minlength=graphs.num_samples).clamp(min=1)
    return total / count[:, None].to(h.dtype)

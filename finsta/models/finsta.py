"""FinstaModel: one post-training step, top to bottom (method.md section 4).

backbone(text, video) -> host features
StructureTeacher(graphs, frames) -> H_T, H_D, H_H and their alignment losses (OSC, PTC)
transfer losses: host features <- teacher features
choice losses: the host's own scores of a caption against its false versions, of a clip against
    its backward copy, and of both against those of the clips with the most similar graphs (ours)
After post-training the teacher is dropped: ``model.backbone`` alone does the task, with the keys
and the computation of the plain backbone.
"""

from typing import Any

import torch
from mmengine.model import BaseModel
from torch import Tensor, nn

from finsta.models.alignment.caption_choice import backwards, owners
from finsta.models.backbones.base import BackboneFeatures
from finsta.models.backbones.saved import as_saved
from finsta.models.grounding import box_features, cell_of_frames, span_features
from finsta.models.heads.base import BackboneInfo
from finsta.models.teacher import StructureTeacher, TeacherOutput, in_batch_r1
from finsta.models.transfer.inputs import TransferInputs
from finsta.registry import BACKBONES, LOSSES, MODELS
from finsta.structures import NODE_KINDS, TEXT, FrameFeatures, HolisticBatch, pair_groups
from finsta.utils.distributed import world_size

STAGES = ('warmup', 'joint', 'host')


@MODELS.register_module()
class FinstaModel(BaseModel):
    """A backbone with, optionally, a structure teacher and a task head.

    Args:
        backbone: config of a BACKBONES model.
        head: config of a task head; None in post-training.
        teacher: keyword arguments of StructureTeacher; None for fine-tuning, testing, and the
            control arm.
        transfer: configs of transfer losses (LOSSES).
        choice: config of :class:`CaptionChoice`: the false versions of the captions
            (``negative_texts``) compete inside their own video. None = they are further
            candidates of the host's own objective.
        reversal: config of :class:`VideoChoice`: a clip competes with its backward copy; needs
            ``choice``.
        neighbours: config of :class:`NeighbourChoice`: clips that stand side by side in a batch
            compete among themselves.
        host_weight: l_host, factor of the backbone's own objective during post-training.
        freeze_backbone: train nothing of the backbone (linear probing of heads).
        data_preprocessor: mmengine data preprocessor; default moves tensors only.

    Attributes:
        stage: 'warmup' (structure only, the host is not run), 'joint', or 'host' (no teacher:
            the host's objective, and the transfer losses that need the graphs alone).
        last_stats: statistics of the last training step, for the log.
    """

    def __init__(self, backbone: dict, head: dict | None = None, teacher: dict | None = None,
                 transfer: list[dict] | None = None, choice: dict | None = None,
                 reversal: dict | None = None, neighbours: dict | None = None,
                 host_weight: float = 1.0, freeze_backbone: bool = False,
                 data_preprocessor: dict | None = None, init_cfg: dict | None = None) -> None:
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        self.backbone = BACKBONES.build(as_saved(backbone))
        self.info = BackboneInfo(dict(self.backbone.dims), self.backbone.embed_dim,
                                 self.backbone.joint_dim, self.backbone.num_frames)
        self.head = None if head is None else MODELS.build(head, default_args={'info': self.info})
        self.teacher = None if teacher is None else StructureTeacher(self.backbone, **teacher)
        self.transfer = nn.ModuleList()
        if transfer:
            if self.teacher is None:
                raise ValueError('transfer losses need a teacher; set teacher or drop transfer')
            context = {'pooled_dims': self._pooled_dims(), 'node_dims': self._node_dims(),
                       'teacher_dim': self.teacher.dim,
                       'label_dim': self.teacher.node_encoder.label_dim}
            self.transfer.extend(LOSSES.build(t, default_args=context) for t in transfer)
        factors = [('host_weight', host_weight)] + [
            (f'transfer.{i}.weight', t.weight) for i, t in enumerate(self.transfer)]
        for key, factor in factors:
            if factor < 0:
                raise ValueError(f'model.{key}={factor} must be at least 0')
        if reversal is not None and choice is None:
            raise ValueError('reversal is for samples with false captions; set choice too')
        self.choice = None if choice is None else LOSSES.build(choice)
        self.reversal = None if reversal is None else LOSSES.build(reversal)
        self.neighbours = None if neighbours is None else LOSSES.build(neighbours)
        self.host_weight = host_weight
        self.stage = 'joint'
        self.last_stats: dict[str, float] = {}
        if freeze_backbone:
            self.backbone.requires_grad_(False)

    def set_stage(self, stage: str) -> None:
        """'warmup' trains the structure alone, 'joint' everything, 'host' the backbone without
        the teacher."""
        if stage not in STAGES:
            raise ValueError(f'stage must be one of {STAGES}, got {stage!r}')
        if stage == 'warmup' and self.teacher is None:
            raise ValueError('a warm-up stage needs a teacher')
        self.stage = stage

    def forward(self, inputs: dict[str, Any], data_samples: list | None = None,
                mode: str = 'tensor') -> Any:
        """mmengine's entry: ``mode`` is 'loss', 'predict' or 'tensor'; inputs as collated."""
        if mode == 'loss':
            return self.loss(inputs, data_samples)
        if mode == 'predict':
            return self.predict(inputs, data_samples)
        return self.encode(inputs)

    # -- one training step ------------------------------------------------------------------
    def loss(self, inputs: dict[str, Any], data_samples: list) -> dict[str, Tensor]:
        """All losses of one batch as ``loss_*`` entries of a flat dict."""
        frames = self.backbone.preprocess_frames(inputs['frames'])
        groups = None if data_samples is None else pair_groups(data_samples, frames.device)
        if self.teacher is None:
            text, video = self.encode(inputs, frames)
            self.last_stats = {}
            if self.head is None:
                return self.host_losses(inputs, frames, text, video, groups)
            return self.head.loss(self.backbone, text, video, data_samples)
        graphs, out, losses, stats = self._graphs(inputs), None, {}, {}
        if self.stage != 'host':
            out = self.teacher(graphs, frames, inputs.get('frame_mask'), inputs.get('crop'),
                               inputs['graph_frames'])
            losses, stats = self.teacher.loss(out, groups)
        if self.stage != 'warmup':
            text, video = self.encode(inputs, frames)
            losses |= self.host_losses(inputs, frames, text, video, groups)
            acting = [m for m in self.transfer if out is not None or not m.needs_teacher]
            if acting:
                seen = self.transfer_inputs(inputs, graphs, text, video, out)
                seen.groups = groups
                for module in acting:
                    losses |= module(seen)
                if 'text' in seen.student_similarity:
                    stats['host_r1'] = in_batch_r1(seen.student_similarity['text'])
        self.last_stats = stats
        return losses

    def host_losses(self, inputs: dict[str, Any], frames: Tensor, text: BackboneFeatures,
                    video: BackboneFeatures, groups: Tensor | None = None) -> dict[str, Tensor]:
        """The backbone's own objective, and the choices between true and false.

        Args:
            frames: (B, F, 3, h, w) preprocessed, or cached features. text: B rows, then the false
                captions.
            groups: (B, 2) of ``pair_groups``; None = all differ.
        """
        losses, rows = {}, frames.shape[0]
        own = torch.arange(rows, device=frames.device)
        contested = len(text.text_mask) > rows
        # over several processes those without false captions take part: the mean is everyone's
        if self.choice is not None and (contested or world_size() > 1):
            owner = owners(inputs['negative_texts'], frames.device) if contested else own
            scores = self._scaled_scores(text, video, owner)
            losses |= self.choice(scores, owner, rows)
            text = text.select(own)
            if self.reversal is not None:
                losses |= self._reversal_losses(inputs, frames, text, scores, owner)
        if self.neighbours is not None:
            caption, clip = self.neighbours.pairs(inputs['texts'], frames.device, groups)
            scores = self._scaled_scores(text.select(caption), video, clip)
            losses |= self.neighbours(scores, caption, clip, rows)
        if self.host_weight > 0:
            host = self.backbone.host_loss(text, video, groups)
            losses |= {k: self.host_weight * v if k.startswith('loss') else v
                       for k, v in host.items()}
        return losses

    def _reversal_losses(self, inputs: dict[str, Any], frames: Tensor, text: BackboneFeatures,
                         scores: dict[str, Tensor], owner: Tensor) -> dict[str, Tensor]:
        """The captions that have false versions, against their clips and those backwards."""
        rows = frames.shape[0]
        own, broken = owner[:rows], owner[rows:].unique()
        both = {k: v[:rows] for k, v in scores.items()}
        if len(broken):
            mask, crop = inputs.get('frame_mask'), inputs.get('crop')
            mask = None if mask is None else mask[broken]
            other = self.backbone.encode_video(_backwards(frames, broken, mask), mask,
                                               None if crop is None else crop[broken])
            turned = self._scaled_scores(text.select(broken), other,
                                         torch.arange(len(broken), device=frames.device))
            both = {k: torch.cat([v, turned[k]]) for k, v in both.items()}
        return self.reversal(both, torch.cat([own, broken]), rows)

    def _scaled_scores(self, text: BackboneFeatures, video: BackboneFeatures, owner: Tensor
                       ) -> dict[str, Tensor]:
        scores = self.backbone.pair_scores(text, video, owner)
        if 'itc' in scores:
            scores['itc'] = scores['itc'] * self.backbone.logit_scale()
        return scores

    def encode(self, inputs: dict[str, Any], frames: Tensor | None = None
               ) -> tuple[BackboneFeatures, BackboneFeatures]:
        """Text features (B rows, then extra negatives) and video features of a batch."""
        if frames is None:
            frames = self.backbone.preprocess_frames(inputs['frames'])
        texts = list(inputs['texts'])
        if self.training and inputs.get('negative_texts') is not None:
            texts += [t for row in inputs['negative_texts'] for t in row]
        text = self.backbone.encode_text(texts)
        video = self.backbone.encode_video(frames, inputs.get('frame_mask'), inputs.get('crop'))
        return text, video

    @torch.no_grad()
    def predict(self, inputs: dict[str, Any], data_samples: list) -> list[dict]:
        """Predictions of the head, one dict per sample."""
        if self.head is None:
            raise ValueError('this model has no head to predict with; set model.head in the '
                             'config, e.g. dict(type="RetrievalHead")')
        frames = self.backbone.preprocess_frames(inputs['frames'])
        mask = inputs.get('frame_mask')
        video = self.backbone.encode_video(frames, mask, inputs.get('crop'))
        return self.head.predict(self.backbone, video, frames, mask, data_samples)

    # -- matching host features with graph nodes ------------------------------------------------
    def transfer_inputs(self, inputs: dict[str, Any], graphs: HolisticBatch,
                        text: BackboneFeatures, video: BackboneFeatures,
                        out: TeacherOutput | None) -> TransferInputs:
        """Host features and, with a teacher's output, its features side by side; text rows
        beyond B are left out."""
        graphs = graphs if out is None else out.graphs
        size = graphs.tsg.num_samples
        text = text.select(torch.arange(size, device=text.text.device))
        labels = out.labels if out is not None else self.teacher.encode_labels(graphs)
        seen = TransferInputs(graphs, tsg_labels=labels['tsg'], dsg_labels=labels['dsg'])
        seen.student_pooled = {'text': text.text_pooled, 'video': video.video_pooled}
        if out is not None:
            seen.teacher_pooled, seen.teacher_similarity = out.pooled, out.similarity
            seen.known, seen.known_everywhere = out.known, out.known_everywhere
        if out is not None and 'cross' in self.backbone.streams:
            fused = self.backbone.fuse(text, video)
            seen.student_pooled['cross'] = fused.fused_pooled
            self._cross_nodes(seen, out, text, fused)
        seen.student_pooled = {k: v for k, v in seen.student_pooled.items() if v is not None}
        if self.backbone.embed_dim:
            scale = self.backbone.logit_scale()
            seen.student_similarity = {
                'text': scale * self.backbone.similarity(text, video.of_all_processes()),
                'video': (scale * self.backbone.similarity(text.of_all_processes(), video)).T}
        self._text_nodes(seen, out, text)
        self._video_nodes(seen, out, video, inputs['graph_frames'])
        return seen

    def _text_nodes(self, seen: TransferInputs, out: TeacherOutput | None,
                    text: BackboneFeatures) -> None:
        tsg = seen.graphs.tsg
        features, found = span_features(text.text, text.text_offsets, text.text_mask, tsg.span,
                                        tsg.sample_ids)
        seen.student_tsg, seen.student_tsg_mask = features, found
        seen.student_nodes['text'] = features[found]
        if out is not None:
            seen.teacher_nodes['text'] = out.h_tsg[found]

    def _video_nodes(self, seen: TransferInputs, out: TeacherOutput | None,
                     video: BackboneFeatures, graph_frames: Tensor) -> None:
        dsg = seen.graphs.dsg
        frame = graph_frames[dsg.sample_ids, dsg.frame_ids].clamp(min=0)
        cell = cell_of_frames(video.grid.frames_of_cell, frame.device)[frame].clamp(min=0)
        mask = dsg.box_mask
        box = box_features(video.video, dsg.box[mask], dsg.sample_ids[mask], cell[mask],
                           video.grid.height, video.grid.width, video.grid.crop)
        features = box.new_zeros(dsg.num_nodes, box.shape[-1])
        features[mask] = box
        seen.student_dsg, seen.student_dsg_mask = features, mask
        seen.student_nodes['video'] = box
        if out is not None:
            seen.teacher_nodes['video'] = out.h_dsg[mask]
        if video.frame_pooled is not None:
            seen.student_frame = video.frame_pooled[dsg.sample_ids, cell]
            predicate = dsg.kind == NODE_KINDS.index('predicate')
            seen.student_nodes['frame'] = seen.student_frame[predicate]
            if out is not None:
                seen.teacher_nodes['frame'] = out.h_dsg[predicate]

    def _cross_nodes(self, seen: TransferInputs, out: TeacherOutput, text: BackboneFeatures,
                     fused: BackboneFeatures) -> None:
        if fused.fused_text is None:
            return
        tsg, hsg = out.graphs.tsg, out.graphs.hsg
        start, end = fused.fused_text
        features, found = span_features(fused.fused[:, start:end], text.text_offsets,
                                        text.text_mask, tsg.span, tsg.sample_ids)
        copies = hsg.modality == TEXT
        total = out.h_hsg.new_zeros(tsg.num_nodes, out.h_hsg.shape[-1]).index_add(
            0, hsg.source[copies], out.h_hsg[copies])
        copies_of = torch.bincount(hsg.source[copies], minlength=tsg.num_nodes)
        found = found & (copies_of > 0)
        seen.student_nodes['cross'] = features[found]
        seen.teacher_nodes['cross'] = (total / copies_of.clamp(min=1)[:, None])[found]

    # -- small things ---------------------------------------------------------------------------
    def _graphs(self, inputs: dict[str, Any]) -> HolisticBatch:
        graphs = inputs.get('graphs')
        if graphs is None:
            raise ValueError('post-training needs scene graphs, but the batch has none: add '
                             'dict(type="LoadGraphs", store=...) to the pipeline and parse the '
                             'graphs with tools/scene_graphs/')
        return graphs.to(inputs['frames'].device)

    def _pooled_dims(self) -> dict[str, int]:
        dims = {k: self.backbone.embed_dim or self.backbone.dims[k] for k in ('text', 'video')
                if k in self.backbone.streams}
        if 'cross' in self.backbone.streams:
            dims['cross'] = self.backbone.dims['cross']
        return dims

    def _node_dims(self) -> dict[str, int]:
        dims = dict(self.backbone.dims)
        # only CLIP4Clip has a vector of a frame; elsewhere the losses' projections of it rest.
        # They are built all the same: without them later losses would begin with other weights
        if self.backbone.embed_dim:
            dims['frame'] = self.backbone.embed_dim
        return dims


def _backwards(frames: Tensor | FrameFeatures, rows: Tensor, mask: Tensor | None
               ) -> Tensor | FrameFeatures:
    """Samples ``rows`` (n,) with their frames in reverse order; mask (n, F). A frame tower sees
    one frame at a time, so its outputs may be turned in their place."""
    if isinstance(frames, FrameFeatures):
        return frames._replace(tokens=backwards(frames.tokens[rows], mask))
    return backwards(frames[rows], mask)

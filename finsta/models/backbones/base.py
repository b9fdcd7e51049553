"""The protocol behind which every video-language model stands.

A backbone declares which of the three streams it has (text, video, cross) and their widths, and
hands out token-level features together with what places them: character offsets for text tokens
and a :class:`Grid` for video cells. Without those two, matching a graph node to its tokens or
patches is silently wrong. architecture.md, Contracts (ours).

Shapes: B samples, L text tokens, F input frames, T' temporal cells, N = h * w spatial cells,
S fused positions, C the stream's width, E the joint embedding width.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch
from mmengine.logging import print_log
from mmengine.model import BaseModule
from torch import Tensor

from finsta.utils.distributed import gather_with_grad

STREAMS = ('text', 'video', 'cross')


@dataclass(frozen=True)
class Grid:
    """What each video cell covers.

    Attributes:
        frames_of_cell: for each temporal cell the input frames it covers, e.g. ((0, 1), (2, 3)).
        height, width: rows and columns of spatial cells; cell (i, j) is index ``i * width + j``.
        crop: (B, 4) region of the source frame that the input shows, (x0, y0, x1, y1) as
            fractions of the source; None = the whole frame.
    """

    frames_of_cell: tuple[tuple[int, ...], ...]
    height: int
    width: int
    crop: Tensor | None = None


@dataclass
class BackboneFeatures:
    """Features of one batch; a field is None where the stream is not declared.

    Attributes:
        text: (B, L, C_text) last text layer. text_mask: (B, L) True = a token of the text.
        text_offsets: (B, L, 2) character span [start, end) of each token; (0, 0) for special
            tokens, which ``text_mask`` counts as tokens. text_pooled: (B, E).
        text_ids: (B, L) token ids, where ``fuse`` or ``host_loss`` reads them.
        video: (B, T', N, C_video) before any pooling over time. video_mask: (B, T').
        video_extra: (B, X, C_video) tokens of the video that stand outside the grid (CLS) and
            that ``fuse`` needs.
        grid: what the cells cover. video_pooled: (B, E).
        frame_pooled: (B, T', E) one vector per temporal cell, where the model has one.
        video_queries: (B, Q, E) unit vectors where the model scores a video by the best of several
            (``similarity`` is then their maximum); ``video_pooled`` is their direction.
        fused: (B, S, C_cross) last fused layer. fused_mask: (B, S).
        fused_text, fused_video: (start, end) of the text and video parts along S, or None.
        fused_pooled: (B, C_cross).
    """

    text: Tensor | None = None
    text_mask: Tensor | None = None
    text_offsets: Tensor | None = None
    text_pooled: Tensor | None = None
    text_ids: Tensor | None = None
    video: Tensor | None = None
    video_mask: Tensor | None = None
    video_extra: Tensor | None = None
    grid: Grid | None = None
    video_pooled: Tensor | None = None
    frame_pooled: Tensor | None = None
    video_queries: Tensor | None = None
    fused: Tensor | None = None
    fused_mask: Tensor | None = None
    fused_text: tuple[int, int] | None = None
    fused_video: tuple[int, int] | None = None
    fused_pooled: Tensor | None = None

    def merge(self, other: 'BackboneFeatures') -> 'BackboneFeatures':
        """Fields of ``other`` where it has them, else own."""
        values = {f.name: getattr(other, f.name) if getattr(other, f.name) is not None
                  else getattr(self, f.name) for f in fields(self)}
        return BackboneFeatures(**values)

    def select(self, rows: Tensor) -> 'BackboneFeatures':
        """The samples ``rows`` (n,) long of every tensor; the grid's crop follows."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        for name, value in values.items():
            if isinstance(value, Tensor):
                values[name] = value[rows]
        grid = self.grid
        if grid is not None and grid.crop is not None:
            values['grid'] = replace(grid, crop=grid.crop[rows])
        return BackboneFeatures(**values)

    def of_all_processes(self) -> 'BackboneFeatures':
        """What ``similarity`` reads - pooled vectors and queries - of all processes by rank, with
        gradient."""
        read = {name: getattr(self, name) for name in ('text_pooled', 'video_pooled',
                                                       'video_queries')}
        return BackboneFeatures(**{name: gather_with_grad(value)[0]
                                   for name, value in read.items() if value is not None})


def same_width(choices: Sequence[Sequence[str]]) -> int:
    """Number of choices of every sample.

    Raises:
        ValueError: when they differ.
    """
    widths = {len(row) for row in choices}
    if len(widths) != 1:
        raise ValueError(f'every sample needs the same number of choices, got {widths}')
    return widths.pop()


class VideoLanguageBackbone(BaseModule):
    """Base class of all backbones.

    Class attributes:
        streams: the declared subset of ``STREAMS``.
        choice_score: what ``score_choices`` compares: 'itc' = ``similarity``, 'itm' = the log-odds
            of ``match_logits(text, video)``, which backbones with a matching head have.
    Instance attributes set by subclasses:
        dims: dict stream -> C. embed_dim: E (0 where there is no joint space).
        frame_size: (height, width) that ``preprocess_frames`` resizes to.
        num_frames: frames per video that the released model was trained with.
        cfg: JSON-able config dict that builds this class at these sizes without any download.
        tokenizer: a fast tokeniser of transformers.
    """

    streams: tuple[str, ...] = ()
    choice_score = 'itc'

    def __init__(self, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg=init_cfg)
        self.cfg: dict[str, Any] = {}
        self.tokenizer: Any = None
        self.dims: dict[str, int] = {}
        self.embed_dim = 0
        self.frame_size = (224, 224)
        self.num_frames = 8

    # -- weights --------------------------------------------------------------------------------
    def init_weights(self) -> None:
        """Load ``init_cfg=dict(type='Pretrained', checkpoint=...)``, else keep what the
        constructor made. mmengine's version would call transformers' own ``init_weights`` on the
        inner model and load checkpoints without complaint about keys."""
        if self.is_init:
            return
        cfgs = self.init_cfg or []
        for cfg in [cfgs] if isinstance(cfgs, dict) else cfgs:
            if cfg.get('type') != 'Pretrained':
                raise ValueError(f'{type(self).__name__} takes init_cfg of type "Pretrained" '
                                 f'only, got {cfg.get("type")!r}')
            self.load(cfg['checkpoint'])
        self._is_init = True

    def load(self, source: str | os.PathLike, allow_missing: Sequence[str] = (),
             allow_unexpected: Sequence[str] = ()) -> Any:
        """Weights of a saved backbone (folder), or of a file; see checkpoint.load_into."""
        from .checkpoint import load_into
        return load_into(self, source, allow_missing, allow_unexpected)

    def time_tables(self) -> dict[str, Callable[[Tensor, int], Tensor]]:
        """Keys of ``state_dict`` whose tables (..., rows, C) have a row for each frame, and what
        makes another number of rows of one, as the model does while it reads it; from modules
        that have an attribute ``time_tables`` of their own."""
        return {f'{name}.{key}': stretch for name, module in self.named_modules() if name
                for key, stretch in getattr(module, 'time_tables', {}).items()}

    def fit_frames(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """``state`` with its time tables stretched to those of this model, whose ``num_frames``
        may be another."""
        own, fitted = self.state_dict(), dict(state)
        for key, stretch in self.time_tables().items():
            if key in state and state[key].dim() == own[key].dim() > 1:
                given, rows = state[key].shape, own[key].shape[-2]
                if given[-2] != rows and given[-1] == own[key].shape[-1]:
                    fitted[key] = stretch(state[key], rows)
                    print_log(f'{key}: stretched from {given[-2]} to {rows} frames '
                              f'({type(self).__name__}.num_frames)', logger='current')
        return fitted

    def comparable(self, cfg: Mapping[str, Any]) -> dict[str, Any]:
        """The part of a config of this class that says what weights mean: two configs whose parts
        are equal take each other's weights."""
        from .checkpoint import BOOKKEEPING, FREE_KEYS
        return {key: {k: v for k, v in value.items() if k not in BOOKKEEPING}
                if isinstance(value, Mapping) else value
                for key, value in cfg.items() if key not in FREE_KEYS}

    def save(self, folder: str | os.PathLike, provenance: dict[str, Any] | None = None,
             dtype: torch.dtype | None = None) -> Path:
        """This backbone alone to ``folder``; read by :func:`load_backbone`."""
        from .checkpoint import save_backbone
        return save_backbone(self, folder, provenance, dtype)

    # -- inputs ---------------------------------------------------------------------------------
    def preprocess_frames(self, frames: Tensor) -> Tensor:
        """(B, F, 3, H, W) uint8 or float in 0..255 -> float, resized to ``frame_size`` and
        normalised with the model's own mean and std."""
        raise NotImplementedError

    def tokenize(self, texts: Sequence[str], device: torch.device) -> dict[str, Tensor]:
        """Strings -> input_ids (B, L), attention_mask (B, L), offsets (B, L, 2)."""
        raise NotImplementedError

    # -- encoders -------------------------------------------------------------------------------
    def encode_text(self, texts: Sequence[str]) -> BackboneFeatures:
        """Text stream: ``text``, ``text_mask``, ``text_offsets``, ``text_pooled``."""
        raise NotImplementedError

    def encode_video(self, frames: Tensor, frame_mask: Tensor | None = None,
                     crop: Tensor | None = None) -> BackboneFeatures:
        """Video stream from *preprocessed* frames (B, F, 3, h, w); ``frame_mask`` (B, F) True =
        a real frame; ``crop`` is handed into the grid."""
        raise NotImplementedError

    def fuse(self, text: BackboneFeatures, video: BackboneFeatures) -> BackboneFeatures:
        """Cross stream for B aligned (text, video) pairs: ``fused*`` fields."""
        raise NotImplementedError(f'{type(self).__name__} has no cross stream')

    # -- scores ---------------------------------------------------------------------------------
    def similarity(self, text: BackboneFeatures, video: BackboneFeatures) -> Tensor:
        """(B_text, B_video) scores in fp32 between all texts and videos (cosine for a dual
        encoder, without temperature)."""
        raise NotImplementedError

    def logit_scale(self) -> Tensor:
        """Scalar multiplier of ``similarity`` inside the contrastive loss."""
        raise NotImplementedError

    def score_choices(self, texts: Sequence[Sequence[str]], frames: Tensor,
                      frame_mask: Tensor | None = None) -> Tensor:
        """(B, K) score of each choice's full text for its own video (zero-shot answers, multiple
        choice)."""
        return self.choice_scores(texts, self.encode_video(frames, frame_mask))

    def choice_scores(self, texts: Sequence[Sequence[str]], video: BackboneFeatures) -> Tensor:
        """:meth:`score_choices` of videos (B) that are encoded, by ``choice_score``."""
        b, k = len(texts), same_width(texts)
        flat = self.encode_text([t for row in texts for t in row])
        owner = torch.arange(b, device=video.video.device).repeat_interleave(k)
        return self.pair_scores(flat, video, owner, (self.choice_score,))[
            self.choice_score].view(b, k)

    def pair_scores(self, text: BackboneFeatures, video: BackboneFeatures, owner: Tensor,
                    kinds: Sequence[str] = ('itc', 'itm')) -> dict[str, Tensor]:
        """Scores (n,) of n texts, each with the video ``owner`` (n,), fp32: 'itc' =
        ``similarity`` where there is a joint space, 'itm' = log-odds of ``match_logits`` where
        the backbone has it."""
        scores = {}
        if 'itc' in kinds and self.embed_dim:
            rows = torch.arange(len(owner), device=owner.device)
            scores['itc'] = self.similarity(text, video)[rows, owner]
        if 'itm' in kinds and hasattr(self, 'match_logits'):
            logits = self.match_logits(text, video.select(owner))
            scores['itm'] = logits[:, 1] - logits[:, 0]
        return scores

    def generate(self, prompts: Sequence[str], frames: Tensor,
                 frame_mask: Tensor | None = None, **kwargs: Any) -> list[str]:
        """Free text for each video; only LLM-type backbones have it."""
        raise NotImplementedError(f'{type(self).__name__} cannot generate text')

    # -- training -------------------------------------------------------------------------------
    def joint_features(self, text: BackboneFeatures, video: BackboneFeatures) -> Tensor:
        """(B, D_joint) one vector per aligned pair, what a QA head reads. Default: fused_pooled
        when there is a cross stream, else [t, v, t * v] of the pooled vectors."""
        if 'cross' in self.streams:
            return self.fuse(text, video).fused_pooled
        t, v = text.text_pooled, video.video_pooled
        return torch.cat([t, v, t * v], dim=-1)

    @property
    def joint_dim(self) -> int:
        """Width of :meth:`joint_features`."""
        return self.dims['cross'] if 'cross' in self.streams else 3 * self.embed_dim

    def host_loss(self, text: BackboneFeatures, video: BackboneFeatures,
                  groups: Tensor | None = None) -> dict[str, Tensor]:
        """The backbone's own pre-training objective on B aligned pairs, as ``loss_*`` entries.
        Text features may hold more rows than videos: rows B.. are extra negatives.

        Args:
            groups: (B, 2) of ``structures.pair_groups``, on every process or none: rows that are
                ``structures.alike`` are never negatives of each other. None = all differ.
        """
        raise NotImplementedError

    def param_groups(self) -> dict[str, list[torch.nn.Parameter]]:
        """Named groups (text, video, cross, other) for learning rates and gradient checks."""
        raise NotImplementedError

"""STGT: a frame tower, graph attention between frames, and a Q-Former (fusion family).

    frame tower (CLS + N patches a frame) -> SpatioTemporalGraphTransformer -> LayerNorm
    -> Q-Former with Q learnt queries, which also reads text, alone or beside the queries
    z_k = unit(vision_proj(query_k)),  t = unit(text_proj(text_cls)),  score = max_k <z_k, t>

Tower and Q-Former are transformers' Blip2 parts. The Q-Former gets its three uses by attention
masks: text alone; queries and text together (matching); text that sees the queries and earlier
text, queries that do not see the text, which is generation from cached queries. Zhang et al. 2024;
here stgt.md. ``stem``, ``num_layers=0`` and the handling of padded frames are ours.

Shapes: B samples, F frames, N patches, Q queries, L text tokens, S = F (1 + h + w) pooled tokens.
"""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from finsta.registry import BACKBONES, LOSSES, VIDEO_ADAPTERS
from finsta.structures.frame_features import FrameFeatures
from finsta.utils.distributed import gather_with_grad

from .base import BackboneFeatures, Grid, VideoLanguageBackbone
from .blip2 import load_blip2, meaning, random_blip2, saved_settings
from .blocks import CLIP_MEAN, CLIP_STD, ConvStem, PixelNorm, unit
from .cached import TowerFingerprint, check_features
from .loading import encode_real_frames, frame_mask_or_ones, own_pretrained
from .queries import query_similarity
from .tokenizers import encode_batch, load_tokenizer

# arguments of the adapter that stand among this model's own
_ADAPTER_ARGUMENTS = ('num_frames', 'sim_threshold', 'attention', 'gradient_checkpointing')
STAGES = {'stage1': ('VTC', 'VTM', 'VTG'), 'stage2': ('CSAL', 'VTM', 'VTG')}


class WordHead(nn.Module):
    """Hidden states -> logits over words; the matrix is the word embedding's."""

    def __init__(self, width: int, words: int) -> None:
        super().__init__()
        self.transform = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width, eps=1e-12)
        self.bias = nn.Parameter(torch.zeros(words))

    def forward(self, x: Tensor, embedding: nn.Embedding) -> Tensor:
        """(..., C) -> (..., V)."""
        x = self.norm(F.gelu(self.transform(x)))
        return F.linear(x, embedding.weight.to(x.dtype), self.bias.to(x.dtype))


@BACKBONES.register_module()
class STGT(VideoLanguageBackbone):
    """Args:
        pretrained: folder or file of ours, e.g. made by tools/convert/stgt_to_finsta.py.
        vision, text: entries of Blip2VisionConfig / Blip2QFormerConfig.
        adapter: arguments of SpatioTemporalGraphTransformer other than its width and those that
            are arguments here too; ``num_layers=0`` leaves the graph out.
        sim_threshold: theta of the graph. attention: form of the graph attention.
        blip2_pretrained: hub name or folder of a transformers Blip2ForImageTextRetrieval, whose
            tower, Q-Former and heads start this model; its vocabulary follows the tokeniser.
        num_queries: Q. embed_dim: E. tokenizer: folder, hub name or 'tiny'.
        stem: None or 'conv' (:class:`ConvStem`).
        freeze_vision: the tower is not trained and stays in evaluation mode. Its outputs may then
            come from disk (LoadFrameFeatures): FrameFeatures in the place of frames.
        host_losses: 'stage1' (VTC, VTM, VTG), 'stage2' (CSAL, VTM, VTG), or configs of LOSSES.
        choice_score: 'itc' = best query's cosine, 'itm' = log-odds of a match.
        gradient_checkpointing: of the graph layers.
        num_frames, max_text_length, allow_*: as in CLIP4Clip.

    Raises:
        ValueError: unknown option. FileNotFoundError, CheckpointError: weights that are not
            there, that do not fit.
    """

    streams = ('text', 'video', 'cross')
    # what match_logits reads of a video, of a text
    match_fields = ('video_extra', 'video_mask')
    match_text_fields = ('text_ids', 'text_mask')

    def __init__(self, pretrained: str | None = None, vision: dict | None = None,
                 text: dict | None = None, adapter: dict | None = None,
                 sim_threshold: float = 0.1, attention: str = 'auto',
                 blip2_pretrained: str | None = None, num_queries: int = 32,
                 embed_dim: int = 256, tokenizer: str = 'bert-base-uncased',
                 stem: str | None = None, freeze_vision: bool = True,
                 host_losses: str | Sequence[dict] = 'stage1', choice_score: str = 'itc',
                 gradient_checkpointing: bool = False, num_frames: int = 8,
                 max_text_length: int = 32, allow_missing: Sequence[str] = (),
                 allow_unexpected: Sequence[str] = (), init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg=init_cfg)
        for name, value, known in (('stem', stem, (None, 'conv')),
                                   ('choice_score', choice_score, ('itc', 'itm'))):
            if value not in known:
                raise ValueError(f'{name} must be one of {known}, got {value!r}')
        if isinstance(host_losses, str) and host_losses not in STAGES:
            raise ValueError(f'host_losses must be one of {sorted(STAGES)} or a list of loss '
                             f'configs, got {host_losses!r}')
        twice = sorted({'type', 'dim', *_ADAPTER_ARGUMENTS} & set(adapter or {}))
        if twice:
            raise ValueError(f'adapter must not hold {twice}: type and dim are given, and '
                             f'{", ".join(_ADAPTER_ARGUMENTS)} are settings of STGT itself '
                             '(model.backbone.sim_threshold=..., not '
                             'model.backbone.adapter.sim_threshold=...)')
        own = own_pretrained(pretrained, 'STGT', 'tools/convert/stgt_to_finsta.py')
        self.tokenizer = load_tokenizer(tokenizer, 'tokenizer')
        if self.tokenizer.bos_token_id is None:
            self.tokenizer.add_special_tokens({'bos_token': '[DEC]'})
        self._build_towers(vision, text, num_queries, embed_dim, blip2_pretrained)
        vis, qformer = self.vision.config, self.qformer.config
        width, hidden = vis.hidden_size, qformer.hidden_size
        if stem == 'conv':
            self.vision.embeddings.patch_embedding = ConvStem(width, vis.patch_size)
        self.adapter = VIDEO_ADAPTERS.build(dict(
            type='SpatioTemporalGraphTransformer', dim=width, num_frames=num_frames,
            sim_threshold=sim_threshold, attention=attention,
            gradient_checkpointing=gradient_checkpointing, **(adapter or {})))
        self.word_head = WordHead(hidden, qformer.vocab_size)
        names = STAGES[host_losses] if isinstance(host_losses, str) else host_losses
        self.losses = nn.ModuleList(
            LOSSES.build(dict(type=x) if isinstance(x, str) else x) for x in names)
        self.freeze_vision, self.choice_score = freeze_vision, choice_score
        self.vision.requires_grad_(not freeze_vision)
        self.embed_dim, self.num_frames, self.num_queries = embed_dim, num_frames, num_queries
        self.max_text_length = min(max_text_length, qformer.max_position_embeddings)
        self.dims = dict(text=hidden, video=width, cross=hidden)
        self.frame_size = (vis.image_size, vis.image_size)
        self.cells = vis.image_size // vis.patch_size
        self.pixel_norm = PixelNorm(self.frame_size, CLIP_MEAN, CLIP_STD)
        self._fingerprint = TowerFingerprint()
        plain = host_losses if isinstance(host_losses, str) else [dict(x) for x in host_losses]
        self.cfg = dict(
            type='STGT', tokenizer=str(tokenizer), num_queries=num_queries, embed_dim=embed_dim,
            vision=saved_settings('vision', vis), text=saved_settings('text', qformer),
            adapter=dict(adapter or {}), sim_threshold=sim_threshold, attention=attention,
            stem=stem, freeze_vision=freeze_vision, host_losses=plain, choice_score=choice_score,
            gradient_checkpointing=gradient_checkpointing, num_frames=num_frames,
            max_text_length=max_text_length)
        if own is not None:
            self.load(own, allow_missing, allow_unexpected)

    def _build_towers(self, vision: dict | None, text: dict | None, num_queries: int,
                      embed_dim: int, source: str | None) -> None:
        words = len(self.tokenizer)
        if source:
            blip = load_blip2(source, words, num_queries, embed_dim)
        else:
            blip = random_blip2(vision or {}, text or {}, words, self.tokenizer.pad_token_id,
                                num_queries, embed_dim)
        self.vision, self.qformer = blip.vision_model, blip.qformer
        self.query_tokens, self.embeddings = blip.query_tokens, blip.embeddings
        self.vision_proj, self.text_proj = blip.vision_projection, blip.text_projection
        self.itm_head = blip.itm_head
        # BLIP-2 norms the tower's output; STGT works before that norm, which follows it
        self.ln_vision, self.vision.post_layernorm = self.vision.post_layernorm, nn.Identity()
        self.temp = nn.Parameter(torch.tensor(0.07))

    def train(self, mode: bool = True) -> 'STGT':
        super().train(mode)
        if self.freeze_vision:
            self.vision.eval()
        return self

    def comparable(self, cfg: Mapping[str, Any]) -> dict[str, Any]:
        """``vision.hidden_size`` and so on: a setting that is left out is its default."""
        plain = super().comparable(cfg)
        parts = {name: plain.pop(name, None) or {} for name in ('vision', 'text', 'adapter')}
        found = {name: meaning(name, parts[name]) for name in ('vision', 'text')}
        known = inspect.signature(type(self.adapter)).parameters
        graph = {k: parts['adapter'].get(k, known[k].default)
                 for k in ('num_layers', 'num_heads', 'position', 'grid')}
        # only a stored table has a grid of its own
        graph['grid'] = list(graph['grid']) if graph['position'] == 'table' else None
        found['adapter'] = graph
        return plain | {f'{name}.{k}': v for name, part in found.items() for k, v in part.items()}

    # -- inputs ---------------------------------------------------------------------------------
    def preprocess_frames(self, frames: Tensor | FrameFeatures) -> Tensor | FrameFeatures:
        """Pixels as the base class says; cached features are checked and handed on."""
        if isinstance(frames, FrameFeatures):
            check_features(frames, self.tower_fingerprint(), self.freeze_vision, self.cells ** 2,
                           self.dims['video'])
            return frames
        return self.pixel_norm(frames)

    def tower_fingerprint(self) -> str:
        """What cached features are recognised by: weights, sizes and pixel normalisation."""
        return self._fingerprint(self.vision, self.cfg['vision'], self.pixel_norm)

    def tokenize(self, texts: Sequence[str], device: torch.device | str = 'cpu') \
            -> dict[str, Tensor]:
        return encode_batch(self.tokenizer, texts, self.max_text_length, device)

    # -- encoders -------------------------------------------------------------------------------
    def encode_text(self, texts: Sequence[str]) -> BackboneFeatures:
        """The Q-Former on text alone; pooled = unit text_proj of the CLS token."""
        tokens = self.tokenize(texts, self.temp.device)
        ids, mask = tokens['input_ids'], tokens['attention_mask']
        x = self.qformer(query_embeds=self.embeddings(input_ids=ids), query_length=0,
                         attention_mask=mask[:, None, None]).last_hidden_state
        return BackboneFeatures(text=x, text_mask=mask, text_offsets=tokens['offsets'],
                                text_ids=ids, text_pooled=unit(self.text_proj(x[:, 0])))

    def frame_tokens(self, frames: Tensor, frame_mask: Tensor | None = None) -> Tensor:
        """The frame tower alone: (B, F, 1 + N, C), 0 for padded frames."""
        mask = frame_mask_or_ones(frames, frame_mask)
        return encode_real_frames(self._encode_frames, frames, mask)[0]

    def encode_video(self, frames: Tensor | FrameFeatures, frame_mask: Tensor | None = None,
                     crop: Tensor | None = None) -> BackboneFeatures:
        """Grid: patch tokens after the graph layers, before any pooling; ``video_extra``
        (B, S, C) what the queries read."""
        mask = frame_mask_or_ones(frames, frame_mask)
        tokens = frames.tokens.to(self.temp.dtype) if isinstance(frames, FrameFeatures) \
            else self.frame_tokens(frames, mask)
        mixed = self.adapter(tokens, self.cells, self.cells, mask)
        pooled = self.ln_vision(mixed.pooled)
        queries = self._ask(pooled, mixed.pooled_mask)
        z = unit(self.vision_proj(queries))
        grid = Grid(tuple((i,) for i in range(frames.shape[1])), self.cells, self.cells, crop)
        return BackboneFeatures(video=mixed.tokens[:, :, 1:], video_mask=mask, grid=grid,
                                video_extra=pooled, video_queries=z,
                                video_pooled=unit(z.mean(1)))

    def _encode_frames(self, pixels: Tensor) -> tuple[Tensor]:
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.freeze_vision):
            return (self.vision(pixel_values=pixels).last_hidden_state,)

    def _ask(self, video: Tensor, video_mask: Tensor, ids: Tensor | None = None,
             mask: Tensor | None = None, causal: bool = False) -> Tensor:
        """Queries, and text if any, on the video's tokens (B, S, C) -> (B, Q [+ L], C).

        ``causal``: text sees the queries and earlier text, the queries see no text.
        """
        b, q = len(video), self.num_queries
        queries = self.query_tokens.expand(b, -1, -1)
        x, seen = queries, None
        if ids is not None:
            x = self.embeddings(input_ids=ids, query_embeds=queries)
            length = ids.shape[1]
            seen = F.pad(mask, (q, 0), value=True)[:, None, None]
            if causal:
                allowed = torch.ones(q + length, q + length, dtype=torch.bool,
                                     device=ids.device).tril()
                allowed[:q, :q] = True
                seen = seen & allowed
        cells = None if bool(video_mask.all()) else video_mask[:, None, None]
        return self.qformer(query_embeds=x, query_length=q, attention_mask=seen,
                            encoder_hidden_states=video,
                            encoder_attention_mask=cells).last_hidden_state

    def fuse(self, text: BackboneFeatures, video: BackboneFeatures) -> BackboneFeatures:
        """[queries ; text]; pooled = mean of the queries. The queries have no place in the
        grid, so there is no ``fused_video``."""
        if len(text.text_ids) != len(video.video):
            raise ValueError(f'fuse takes aligned pairs, got {len(text.text_ids)} texts and '
                             f'{len(video.video)} videos')
        x = self._ask(video.video_extra, _token_mask(video), text.text_ids, text.text_mask)
        q = self.num_queries
        return BackboneFeatures(fused=x, fused_mask=F.pad(text.text_mask, (q, 0), value=True),
                                fused_text=(q, x.shape[1]), fused_pooled=x[:, :q].mean(1))

    # -- scores ---------------------------------------------------------------------------------
    def similarity(self, text: BackboneFeatures, video: BackboneFeatures) -> Tensor:
        return query_similarity(video.video_queries, text.text_pooled).T

    def logit_scale(self) -> Tensor:
        return 1 / self.temp.float().clamp(0.001, 0.5)

    def match(self, ids: Tensor, mask: Tensor, video: Tensor, video_mask: Tensor) -> Tensor:
        """(n, 2) logits of (no match, match), fp32, the mean over queries; tokens as in
        ``video_extra``."""
        x = self._ask(video, video_mask, ids, mask)[:, :self.num_queries]
        return self.itm_head(x).float().mean(1)

    def match_logits(self, text: BackboneFeatures, video: BackboneFeatures) -> Tensor:
        """(B, 2) logits of (no match, match) for aligned pairs, fp32."""
        return self.match(text.text_ids, text.text_mask, video.video_extra, _token_mask(video))

    # -- losses ---------------------------------------------------------------------------------
    def host_loss(self, text: BackboneFeatures, video: BackboneFeatures,
                  groups: Tensor | None = None) -> dict[str, Tensor]:
        """The losses of the stage; text rows B.. are further wrong texts of VTC, CSAL and VTM."""
        found: dict[str, Tensor] = {}
        for loss in self.losses:
            if loss.name == 'vtm':
                found |= loss(self.match, *self._to_everyone(text, video), text.text_ids,
                              text.text_mask, video.video_extra, _token_mask(video), groups)
            elif loss.name == 'vtg':
                b = len(video.video)
                ids, mask = text.text_ids[:b].clone(), text.text_mask[:b]
                ids[:, 0] = self.tokenizer.bos_token_id
                x = self._ask(video.video_extra, _token_mask(video), ids, mask, causal=True)
                words = self.word_head(x[:, self.num_queries:], self.embeddings.word_embeddings)
                found |= loss(words, ids, mask)
            else:
                found |= loss(text.text_pooled, video.video_queries, self.logit_scale(), groups)
        return found

    @torch.no_grad()
    def _to_everyone(self, text: BackboneFeatures, video: BackboneFeatures) \
            -> tuple[Tensor, Tensor]:
        """Scaled similarities of own texts to all videos and of own videos to all texts: the pairs
        of all processes by rank, then their extra texts, the order in which VTM gathers rows."""
        b = len(video.video)
        texts, extra = (gather_with_grad(x.detach(), False)[0]
                        for x in (text.text_pooled[:b], text.text_pooled[b:]))
        videos = gather_with_grad(video.video_queries.detach(), False)[0]
        scale = self.logit_scale()
        return (scale * query_similarity(videos, text.text_pooled[:b]).T,
                scale * query_similarity(video.video_queries, torch.cat([texts, extra])))

    def param_groups(self) -> dict[str, list[nn.Parameter]]:
        def trained(*modules: Any) -> list[nn.Parameter]:
            return [p for m in modules for p in m.parameters() if p.requires_grad]
        return dict(text=trained(self.embeddings, self.text_proj),
                    video=trained(self.vision, self.adapter, self.ln_vision, self.vision_proj),
                    cross=[self.query_tokens, *trained(self.qformer, self.itm_head,
                                                       self.word_head)],
                    other=[self.temp])


def _token_mask(video: BackboneFeatures) -> Tensor:
    """(B, S) mask of ``video_extra``."""
    frames = video.video_mask.shape[1]
    return video.video_mask.repeat_interleave(video.video_extra.shape[1] // frames, 1)

"""ALPRO: TimeSformer, BERT's lower half for text, its upper half for both (fusion family).

    t = unit(text_proj(text_cls)),  v = unit(vision_proj(video_cls))
    ITC: symmetric InfoNCE of t, v with a learnt temperature
    ITM: two classes from the fused CLS; for each video a hard text and for each text a hard
         video, drawn with probability softmax(similarity / temp) among those of other videos

The fusion layers read [text tokens; video CLS; N patch tokens averaged over time], as in the
original; the grid handed out is *before* that average. Masked-language and prompt losses of the
original are not part of ``host_loss``. Paper: Li et al. 2022; here method.md, backbones.md.
``stem``, ``fuse_time``, ``video_adapter`` and the extra negative texts are ours.

Shapes: B samples, L text tokens, F frames, N patches, S = L + 1 + N fused positions.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from finsta.registry import BACKBONES
from finsta.structures import alike
from finsta.utils.optional import require

from .adapted import adapt_frames, add_video_adapter
from .base import BackboneFeatures, Grid, VideoLanguageBackbone
from .blocks import HALF_MEAN, HALF_STD, ConvStem, PixelNorm, masked_mean, unit
from .loading import frame_mask_or_ones, load_hf, own_pretrained
from .losses import contrastive_loss
from .timesformer import stretch_positions, timesformer_forward
from .tokenizers import encode_batch, load_tokenizer

# heads of the checkpoints that the towers are started from, which ALPRO does not have
_BERT_EXTRA = (r'(bert\.)?pooler\.', r'cls\.', r'(bert\.)?embeddings\.position_ids')
_TIMESFORMER_EXTRA = (r'classifier\.',)


@BACKBONES.register_module()
class ALPRO(VideoLanguageBackbone):
    """TimeSformer + BERT split into a text half and a fusion half.

    Args:
        pretrained: folder or file of ours, e.g. made by tools/convert/alpro_to_finsta.py.
        text, vision: entries of BertConfig / TimesformerConfig.
        text_pretrained, video_pretrained: hub names or folders of a transformers BERT and
            TimeSformer to start the towers from instead.
        embed_dim: E. fusion_layer: first layer of BERT that reads both modalities.
        tokenizer: folder, hub name or 'tiny'; default ``text_pretrained``.
        stem: None or 'conv' (:class:`ConvStem`).
        position_std: standard deviation of new position and time embeddings; None = as
            transformers does (positions as all weights) and 0.02.
        fuse_time: 'mean' = patch tokens averaged over time before fusion (original),
            'all' = all F * N tokens, time-major.
        host_losses: subset of ('itc', 'itm').
        choice_score: 'itm' = log-odds of a match, 'itc' = cosine.
        video_adapter: as in CLIP4Clip, over TimeSformer's tokens after the last norm and before
            the average over time, the clip's CLS token standing before each frame; its mixed
            patches become the grid and go into the fusion, the mean of all pooled tokens is added
            to the video's CLS token.
        num_frames, max_text_length, local_loss, gather_with_grad, allow_*: as in CLIP4Clip.

    Raises:
        ValueError: unknown option or widths that differ. CheckpointError: weights do not fit.
    """

    streams = ('text', 'video', 'cross')

    def __init__(self, pretrained: str | None = None, text: dict | None = None,
                 vision: dict | None = None, text_pretrained: str | None = None,
                 video_pretrained: str | None = None, embed_dim: int = 256,
                 fusion_layer: int = 6, tokenizer: str | None = None, stem: str | None = None,
                 position_std: float | None = None,
                 fuse_time: str = 'mean', host_losses: Sequence[str] = ('itc', 'itm'),
                 choice_score: str = 'itm', video_adapter: dict | None = None,
                 num_frames: int = 8, max_text_length: int = 40, local_loss: bool = True,
                 gather_with_grad: bool = True, allow_missing: Sequence[str] = (),
                 allow_unexpected: Sequence[str] = (), init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg=init_cfg)
        for name, value, known in (('stem', stem, (None, 'conv')),
                                   ('fuse_time', fuse_time, ('mean', 'all')),
                                   ('choice_score', choice_score, ('itm', 'itc'))):
            if value not in known:
                raise ValueError(f'{name} must be one of {known}, got {value!r}')
        if not host_losses or set(host_losses) - {'itc', 'itm'}:
            raise ValueError(f"host_losses must be some of ('itc', 'itm'), got {host_losses!r}")
        own = own_pretrained(pretrained, 'ALPRO', 'tools/convert/alpro_to_finsta.py')
        named = 'tokenizer' if tokenizer else 'text_pretrained'
        tokenizer = str(tokenizer or text_pretrained or 'tiny')
        self.tokenizer = load_tokenizer(tokenizer, named)
        self._build_towers(text, vision, text_pretrained, video_pretrained, num_frames,
                           position_std)
        bert, video = self.text_encoder.config, self.visual_encoder.config
        if bert.hidden_size != video.hidden_size:
            raise ValueError(f'the fusion layers read both towers: text hidden_size '
                             f'{bert.hidden_size} != vision hidden_size {video.hidden_size}')
        if not 0 < fusion_layer < bert.num_hidden_layers:
            raise ValueError(f'fusion_layer must lie in 1..{bert.num_hidden_layers - 1}, '
                             f'got {fusion_layer}')
        width = bert.hidden_size
        if stem == 'conv':
            self.visual_encoder.embeddings.patch_embeddings.projection = ConvStem(
                width, video.patch_size)
        self.vision_proj = nn.Linear(width, embed_dim)
        self.text_proj = nn.Linear(width, embed_dim)
        self.itm_head = nn.Linear(width, 2)
        self.temp = nn.Parameter(torch.tensor(0.07))
        self.fusion_layer, self.fuse_time, self.choice_score = (fusion_layer, fuse_time,
                                                                choice_score)
        self.host_losses = tuple(host_losses)
        self.local_loss, self.gather_with_grad = local_loss, gather_with_grad
        self.embed_dim, self.num_frames = embed_dim, num_frames
        self.max_text_length = min(max_text_length, bert.max_position_embeddings)
        self.dims = dict(text=width, video=width, cross=width)
        self.frame_size = (video.image_size, video.image_size)
        self.cells = video.image_size // video.patch_size
        self.pixel_norm = PixelNorm(self.frame_size, HALF_MEAN, HALF_STD)
        self.cfg = dict(
            type='ALPRO', tokenizer=tokenizer, embed_dim=embed_dim, fusion_layer=fusion_layer,
            text=bert.to_diff_dict() if text_pretrained else dict(text or {}),
            vision=video.to_diff_dict() if video_pretrained else dict(vision or {}),
            stem=stem, fuse_time=fuse_time, host_losses=list(host_losses),
            choice_score=choice_score, num_frames=num_frames, max_text_length=max_text_length,
            local_loss=local_loss, gather_with_grad=gather_with_grad)
        add_video_adapter(self, video_adapter, width)
        if own is not None:
            self.load(own, allow_missing, allow_unexpected)

    def _build_towers(self, text: dict | None, vision: dict | None, text_pretrained: str | None,
                      video_pretrained: str | None, num_frames: int,
                      position_std: float | None) -> None:
        transformers = require('transformers', 'the backbone ALPRO')
        if text_pretrained:
            self.text_encoder = load_hf(transformers.BertModel, text_pretrained,
                                        allow_unexpected=_BERT_EXTRA, key='text_pretrained',
                                        add_pooling_layer=False)
        else:
            sizes = {'vocab_size': len(self.tokenizer),
                     'pad_token_id': self.tokenizer.pad_token_id, **(text or {})}
            self.text_encoder = transformers.BertModel(
                transformers.BertConfig(**sizes, attn_implementation='sdpa'),
                add_pooling_layer=False)
        if video_pretrained:
            self.visual_encoder = load_hf(transformers.TimesformerModel, video_pretrained,
                                          allow_unexpected=_TIMESFORMER_EXTRA,
                                          key='video_pretrained')
        else:
            self.visual_encoder = transformers.TimesformerModel(
                transformers.TimesformerConfig(**{'num_frames': num_frames, **(vision or {})}))
            # transformers leaves the time embeddings at zero; random ones learn order sooner
            added = self.visual_encoder.embeddings
            nn.init.trunc_normal_(added.time_embeddings, std=position_std or 0.02)
            if position_std:
                nn.init.trunc_normal_(added.position_embeddings, std=position_std)

    def time_tables(self) -> dict[str, Callable[[Tensor, int], Tensor]]:
        return {**super().time_tables(),
                'visual_encoder.embeddings.time_embeddings': stretch_positions}

    # -- inputs ---------------------------------------------------------------------------------
    def preprocess_frames(self, frames: Tensor) -> Tensor:
        return self.pixel_norm(frames)

    def tokenize(self, texts: Sequence[str], device: torch.device | str = 'cpu') \
            -> dict[str, Tensor]:
        return encode_batch(self.tokenizer, texts, self.max_text_length, device)

    # -- encoders -------------------------------------------------------------------------------
    def _bert(self, x: Tensor, mask: Tensor, start: int, end: int | None) -> Tensor:
        """Layers ``start..end`` of BERT on x (B, L, C); mask (B, L) True = attend."""
        keys = mask[:, None, None].expand(-1, 1, x.shape[1], -1)
        for layer in self.text_encoder.encoder.layer[start:end]:
            out = layer(x, attention_mask=keys)
            x = out[0] if isinstance(out, tuple) else out
        return x

    def encode_text(self, texts: Sequence[str]) -> BackboneFeatures:
        """Output of BERT layer ``fusion_layer``; pooled = unit text_proj of the CLS token."""
        tokens = self.tokenize(texts, self.temp.device)
        x = self.text_encoder.embeddings(input_ids=tokens['input_ids'])
        x = self._bert(x, tokens['attention_mask'], 0, self.fusion_layer)
        return BackboneFeatures(text=x, text_mask=tokens['attention_mask'],
                                text_offsets=tokens['offsets'],
                                text_pooled=unit(self.text_proj(x[:, 0])))

    def encode_video(self, frames: Tensor, frame_mask: Tensor | None = None,
                     crop: Tensor | None = None) -> BackboneFeatures:
        """Grid before any average over time; ``video_extra`` (B, 1, C) is the CLS token."""
        mask = frame_mask_or_ones(frames, frame_mask)
        cls, x = timesformer_forward(self.visual_encoder, frames, mask)
        if self.video_adapter is not None:
            copies = cls.unsqueeze(1).expand(-1, x.shape[1], -1)
            tokens, copies = adapt_frames(self, torch.cat([copies.unsqueeze(2), x], 2), copies,
                                          mask)
            cls, x = masked_mean(copies, mask), tokens[:, :, 1:]
        grid = Grid(tuple((i,) for i in range(frames.shape[1])), self.cells, self.cells, crop)
        return BackboneFeatures(video=x, video_mask=mask, grid=grid,
                                video_extra=cls.unsqueeze(1),
                                video_pooled=unit(self.vision_proj(cls)))

    def fuse(self, text: BackboneFeatures, video: BackboneFeatures) -> BackboneFeatures:
        """``fused_video`` covers the patch tokens: N of them (``fuse_time='mean'``, cell (i, j)
        over all time) or F * N; the video's CLS token stands before them."""
        if len(text.text) != len(video.video):
            raise ValueError(f'fuse takes aligned pairs, got {len(text.text)} texts and '
                             f'{len(video.video)} videos')
        mask = video.video_mask
        if self.fuse_time == 'mean':
            x = masked_mean(video.video, mask)
            cells = mask.any(1, keepdim=True).expand(-1, x.shape[1])
        else:
            x = video.video.flatten(1, 2)
            cells = mask.repeat_interleave(video.video.shape[2], 1)
        length = text.text.shape[1]
        # autocast hands out norms in fp32 and projections in half precision; cat wants one dtype
        dtype = text.text.dtype
        tokens = torch.cat([text.text, video.video_extra.to(dtype), x.to(dtype)], 1)
        full = torch.cat([text.text_mask, mask.any(1, keepdim=True), cells], 1)
        out = self._bert(tokens, full, self.fusion_layer, None)
        return BackboneFeatures(fused=out, fused_mask=full, fused_text=(0, length),
                                fused_video=(length + 1, tokens.shape[1]),
                                fused_pooled=out[:, 0])

    # -- scores and losses ----------------------------------------------------------------------
    def similarity(self, text: BackboneFeatures, video: BackboneFeatures) -> Tensor:
        with torch.autocast(video.video_pooled.device.type, enabled=False):
            return unit(text.text_pooled) @ unit(video.video_pooled).T

    def logit_scale(self) -> Tensor:
        return 1 / self.temp.float().clamp(0.001, 0.5)

    def match_logits(self, text: BackboneFeatures, video: BackboneFeatures) -> Tensor:
        """(B, 2) logits of (no match, match) for aligned pairs, fp32."""
        return self.itm_head(self.fuse(text, video).fused_pooled).float()

    def host_loss(self, text: BackboneFeatures, video: BackboneFeatures,
                  groups: Tensor | None = None) -> dict[str, Tensor]:
        """``loss_itc`` over all processes, ``loss_itm`` on own pairs; text rows B.. are
        candidates for the hard negatives of both, rows of one video or text are for neither."""
        losses = {}
        if 'itc' in self.host_losses:
            losses['loss_itc'] = contrastive_loss(text.text_pooled, video.video_pooled,
                                                  self.logit_scale(), self.local_loss,
                                                  self.gather_with_grad, groups)
        if 'itm' in self.host_losses:
            losses['loss_itm'] = self._match_loss(text, video, groups)
        return losses

    def _match_loss(self, text: BackboneFeatures, video: BackboneFeatures,
                    groups: Tensor | None) -> Tensor:
        b = len(video.video)
        own = torch.arange(b, device=video.video.device)
        which = own if groups is None else groups
        same = alike(which, which)
        able = own[(~same).any(1)]   # rows that have a negative among the pairs
        texts, videos, labels = [own], [own], [torch.ones_like(own)]
        with torch.no_grad():
            logits = self.similarity(text, video) * self.logit_scale()
            logits[:b].masked_fill_(same, -torch.inf)
            rows = own if len(text.text) > b else able
            if len(rows):
                texts.append(torch.multinomial(F.softmax(logits, 0).T[rows], 1)[:, 0])
                videos.append(rows)
            if len(able):
                texts.append(able)
                videos.append(torch.multinomial(F.softmax(logits[:b], 1)[able], 1)[:, 0])
        labels += [torch.zeros_like(rows) for rows in texts[1:]]
        scores = self.match_logits(text.select(torch.cat(texts)),
                                   video.select(torch.cat(videos)))
        return F.cross_entropy(scores, torch.cat(labels))

    def param_groups(self) -> dict[str, list[nn.Parameter]]:
        layers = self.text_encoder.encoder.layer
        text = [self.text_encoder.embeddings, *layers[:self.fusion_layer], self.text_proj]
        video = [self.visual_encoder, self.vision_proj]
        if self.video_adapter is not None:
            video.append(self.video_adapter)
        return dict(text=[p for m in text for p in m.parameters()],
                    video=[p for m in video for p in m.parameters()],
                    cross=[p for m in (*layers[self.fusion_layer:], self.itm_head)
                           for p in m.parameters()],
                    other=[self.temp])

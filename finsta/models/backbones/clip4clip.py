"""CLIP4Clip: CLIP towers, one image a frame, and a pooling over time (dual family).

    v = mean_f unit(z_f),  z = Z (meanP)  or  z = Z + Transformer(Z + P) (seqTransf)
    similarity(t, v) = unit(t) . unit(v)

Z_f is the projected CLS token of frame f. The patch tokens, which the original throws away, are
kept as the grid. The towers are transformers' ``CLIPModel``; parameter names of the temporal part
are the original's (``transformerClip``, ``frame_position_embeddings``).
Paper: Luo et al. 2021; here method.md, backbones.md. ``stem``, ``vision_pool`` and the scaling of
``joint_features`` are ours.

Shapes: B samples, F frames, N = (image_size / patch_size)^2 cells, E projection_dim.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from finsta.registry import BACKBONES
from finsta.utils.optional import require

from .adapted import adapt_frames, add_video_adapter
from .base import BackboneFeatures, Grid, VideoLanguageBackbone
from .blocks import (
    CLIP_MEAN,
    CLIP_STD,
    ConvStem,
    PixelNorm,
    ResidualTransformer,
    masked_mean,
    unit,
)
from .loading import encode_real_frames, frame_mask_or_ones, hf_pretrained, load_hf
from .losses import contrastive_loss
from .tokenizers import encode_batch, load_tokenizer


@BACKBONES.register_module()
class CLIP4Clip(VideoLanguageBackbone):
    """CLIP on frames with mean or Transformer pooling over time.

    Args:
        pretrained: hub name or folder of a transformers CLIP, or a folder / file of ours.
        text, vision: entries of CLIPTextConfig / CLIPVisionConfig for a random start or for
            weights of ours; taken from the checkpoint for a transformers CLIP.
        projection_dim: E.
        tokenizer: folder, hub name or 'tiny'; default the one of ``pretrained``.
        temporal: 'meanP' or 'seqTransf'.
        temporal_layers, temporal_heads: of seqTransf; heads default to E / 64 (at least 1).
        max_frames: positions of seqTransf.
        stem: None = CLIP's strided convolution, 'conv' = :class:`ConvStem`.
        vision_pool: 'cls', or 'mean' of the patches (tiny sizes).
        video_adapter: config of a VIDEO_ADAPTERS module, e.g.
            dict(type='SpatioTemporalGraphTransformer'), over the tower's tokens after their last
            norm; its mixed patches become the grid, the mean of a frame's pooled tokens is added
            to that frame's vector before the projection and the pooling over time. Plain weights
            start one with ``pretrained`` = their file and ``allow_missing``
            ['video_adapter']. Ours.
        num_frames: frames a video in training. max_text_length: tokens, specials included.
        local_loss, gather_with_grad: see losses.py.
        allow_missing, allow_unexpected: patterns of keys that may differ when loading.

    Raises:
        ValueError: unknown option; neither ``pretrained`` nor sizes given.
        CheckpointError: weights that do not fit.
    """

    streams = ('text', 'video')

    def __init__(self, pretrained: str | None = None, text: dict | None = None,
                 vision: dict | None = None, projection_dim: int = 512,
                 tokenizer: str | None = None, temporal: str = 'meanP',
                 temporal_layers: int = 4, temporal_heads: int | None = None,
                 max_frames: int = 128, stem: str | None = None, vision_pool: str = 'cls',
                 video_adapter: dict | None = None, num_frames: int = 12,
                 max_text_length: int = 32, local_loss: bool = True,
                 gather_with_grad: bool = True, allow_missing: Sequence[str] = (),
                 allow_unexpected: Sequence[str] = (), init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg=init_cfg)
        for name, value, known in (('temporal', temporal, ('meanP', 'seqTransf')),
                                   ('stem', stem, (None, 'conv')),
                                   ('vision_pool', vision_pool, ('cls', 'mean'))):
            if value not in known:
                raise ValueError(f'{name} must be one of {known}, got {value!r}')
        transformers = require('transformers', 'the backbone CLIP4Clip')
        source = hf_pretrained(pretrained)
        self.tokenizer = load_tokenizer(tokenizer or source or 'tiny',
                                        'tokenizer' if tokenizer else 'pretrained')
        if source is not None:
            self.clip = load_hf(transformers.CLIPModel, source, allow_missing, allow_unexpected)
        elif text is None or vision is None:
            raise ValueError('CLIP4Clip needs pretrained=<name or folder of a CLIP>, or the sizes '
                             'text=dict(...) and vision=dict(...)')
        else:
            ids = dict(vocab_size=len(self.tokenizer), bos_token_id=self.tokenizer.bos_token_id,
                       eos_token_id=self.tokenizer.eos_token_id,
                       pad_token_id=self.tokenizer.pad_token_id)
            config = transformers.CLIPConfig(text_config={**ids, **text}, vision_config=vision,
                                             projection_dim=projection_dim)
            self.clip = transformers.CLIPModel(config)
        config = self.clip.config
        vision_config, self.embed_dim = config.vision_config, config.projection_dim
        width = vision_config.hidden_size
        if stem == 'conv':
            self.clip.vision_model.embeddings.patch_embedding = ConvStem(
                width, vision_config.patch_size)
        if temporal == 'seqTransf':
            heads = temporal_heads or max(self.embed_dim // 64, 1)
            self._add_temporal(temporal_layers, heads, max_frames, source is not None)
        self.temporal, self.vision_pool, self.max_frames = temporal, vision_pool, max_frames
        self.local_loss, self.gather_with_grad = local_loss, gather_with_grad
        self.num_frames = num_frames
        self.max_text_length = min(max_text_length, config.text_config.max_position_embeddings)
        self.dims = dict(text=config.text_config.hidden_size, video=width)
        self.frame_size = (vision_config.image_size, vision_config.image_size)
        self.cells = vision_config.image_size // vision_config.patch_size
        self.pixel_norm = PixelNorm(self.frame_size, CLIP_MEAN, CLIP_STD)
        keep = source is None
        self.cfg = dict(
            type='CLIP4Clip', text=dict(text) if keep else config.text_config.to_diff_dict(),
            vision=dict(vision) if keep else vision_config.to_diff_dict(),
            projection_dim=self.embed_dim, tokenizer=str(tokenizer or source or 'tiny'),
            temporal=temporal, temporal_layers=temporal_layers, temporal_heads=temporal_heads,
            max_frames=max_frames, stem=stem, vision_pool=vision_pool, num_frames=num_frames,
            max_text_length=max_text_length, local_loss=local_loss,
            gather_with_grad=gather_with_grad)
        add_video_adapter(self, video_adapter, width)
        if pretrained is not None and source is None:
            self.load(pretrained, allow_missing, allow_unexpected)

    def _add_temporal(self, layers: int, heads: int, max_frames: int, from_text: bool) -> None:
        """seqTransf; with CLIP weights it starts from the text tower's positions, as the
        original does."""
        self.frame_position_embeddings = nn.Embedding(max_frames, self.embed_dim)
        nn.init.normal_(self.frame_position_embeddings.weight, std=0.02)
        self.transformerClip = ResidualTransformer(self.embed_dim, layers, heads)
        for block in self.transformerClip.resblocks:
            nn.init.normal_(block.attn.in_proj_weight, std=self.embed_dim ** -0.5)
            for out in (block.attn.out_proj, block.mlp.c_proj):
                nn.init.normal_(out.weight, std=(self.embed_dim * 2 * layers) ** -0.5)
        positions = self.clip.text_model.embeddings.position_embedding.weight
        if from_text and positions.shape[1] == self.embed_dim:
            rows = min(len(positions), max_frames)
            with torch.no_grad():
                self.frame_position_embeddings.weight[:rows] = positions[:rows]

    # -- inputs ---------------------------------------------------------------------------------
    def preprocess_frames(self, frames: Tensor) -> Tensor:
        return self.pixel_norm(frames)

    def tokenize(self, texts: Sequence[str], device: torch.device | str = 'cpu') \
            -> dict[str, Tensor]:
        return encode_batch(self.tokenizer, texts, self.max_text_length, device)

    # -- encoders -------------------------------------------------------------------------------
    def encode_text(self, texts: Sequence[str]) -> BackboneFeatures:
        """``text_pooled``: unit vector of the projected end-of-text token."""
        tokens = self.tokenize(texts, self.clip.logit_scale.device)
        out = self.clip.text_model(input_ids=tokens['input_ids'],
                                   attention_mask=tokens['attention_mask'].long())
        return BackboneFeatures(
            text=out.last_hidden_state, text_mask=tokens['attention_mask'],
            text_offsets=tokens['offsets'],
            text_pooled=unit(self.clip.text_projection(out.pooler_output)))

    def encode_video(self, frames: Tensor, frame_mask: Tensor | None = None,
                     crop: Tensor | None = None) -> BackboneFeatures:
        """``frame_pooled``: z (B, F, E); ``video_pooled``: unit vector of their mean."""
        f = frames.shape[1]
        mask = frame_mask_or_ones(frames, frame_mask)
        tokens, pooled = encode_real_frames(self._encode_frames, frames, mask)
        tokens, pooled = adapt_frames(self, tokens, pooled, mask)
        z = self.clip.visual_projection(pooled)
        if self.temporal == 'seqTransf':
            if f > self.max_frames:
                raise ValueError(f'{f} frames, but max_frames={self.max_frames}')
            z = z + self.transformerClip(z + self.frame_position_embeddings.weight[:f], ~mask)
        pooled = unit(masked_mean(unit(z), mask))
        grid = Grid(tuple((i,) for i in range(f)), self.cells, self.cells, crop)
        return BackboneFeatures(video=tokens[:, :, 1:], video_mask=mask, grid=grid,
                                video_pooled=pooled, frame_pooled=z)

    def _encode_frames(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """(n, 3, h, w) -> CLS and patch tokens (n, 1 + N, C) after the last norm, and the vector
        (n, C) that stands for the frame before its projection."""
        tower = self.clip.vision_model
        tokens = tower(pixel_values=pixels).last_hidden_state
        tokens = tower.post_layernorm(tokens)
        return tokens, tokens[:, 1:].mean(1) if self.vision_pool == 'mean' else tokens[:, 0]

    # -- scores and losses ----------------------------------------------------------------------
    def similarity(self, text: BackboneFeatures, video: BackboneFeatures) -> Tensor:
        with torch.autocast(video.video_pooled.device.type, enabled=False):
            return unit(text.text_pooled) @ unit(video.video_pooled).T

    def logit_scale(self) -> Tensor:
        return self.clip.logit_scale.float().exp().clamp(max=100)

    def joint_features(self, text: BackboneFeatures, video: BackboneFeatures) -> Tensor:
        """(B, 3E): [t, v, t * v] of vectors scaled to unit variance (length sqrt(E))."""
        scale = self.embed_dim ** 0.5
        t, v = text.text_pooled * scale, video.video_pooled * scale
        return torch.cat([t, v, t * v], dim=-1)

    def host_loss(self, text: BackboneFeatures, video: BackboneFeatures,
                  groups: Tensor | None = None) -> dict[str, Tensor]:
        """``loss_itc``: symmetric InfoNCE over all processes, text rows B.. extra negatives."""
        return dict(loss_itc=contrastive_loss(text.text_pooled, video.video_pooled,
                                              self.logit_scale(), self.local_loss,
                                              self.gather_with_grad, groups))

    def param_groups(self) -> dict[str, list[nn.Parameter]]:
        video = [self.clip.vision_model, self.clip.visual_projection]
        if self.temporal == 'seqTransf':
            video += [self.frame_position_embeddings, self.transformerClip]
        if self.video_adapter is not None:
            video.append(self.video_adapter)
        text = [self.clip.text_model, self.clip.text_projection]
        return dict(text=[p for m in text for p in m.parameters()],
                    video=[p for m in video for p in m.parameters()],
                    other=[self.clip.logit_scale])

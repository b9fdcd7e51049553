"""Video-LLaVA: frames through a ViT and a projector into a causal language model (LLM family).

    sequence = BOS, "USER: ", frames x (CLS + N patches), "\\n<prompt> ASSISTANT: ", caption, EOS
    text  = hidden states of BOS, caption, EOS alone
    video = projector output of the patches (the frames' CLS in ``video_extra``)
    cross = hidden states of the whole sequence at the patches and at the caption

    host_loss: next-token cross entropy of caption and EOS given the video
    score_choices: sum of the choice's token log-likelihoods given the video and the prompt

For retrieval, ``text_pooled`` and ``video_pooled`` are the hidden states of the closing EOS of
"BOS caption EOS" and "BOS video EOS", through learnt projections when ``embed_dim`` is given; the
released model was not trained for that, so without 'itc' in ``host_losses`` they are a probe.
Sequences are built from embeddings, so no placeholder token is needed; the unused image tower is
dropped. Paper: Lin et al. 2023; here method.md, backbones.md. ``stem``, ``video_adapter``,
'itc' and the pooled vectors are ours.

Shapes: B samples, F frames, N patches, L caption tokens with BOS and EOS, C width of the LLM.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from finsta.registry import BACKBONES
from finsta.utils.distributed import mean_over_processes
from finsta.utils.optional import require

from .adapted import adapt_frames, add_video_adapter
from .base import BackboneFeatures, Grid, VideoLanguageBackbone, same_width
from .blocks import CLIP_MEAN, CLIP_STD, ConvStem, PixelNorm, unit
from .checkpoint import is_saved_backbone, read_saved
from .loading import encode_real_frames, frame_mask_or_ones, hf_pretrained, load_hf
from .lora import add_lora, merge_lora
from .losses import contrastive_loss
from .tokenizers import encode_batch, encode_with_ends, load_tokenizer

_DTYPES = dict(float32=torch.float32, bfloat16=torch.bfloat16)


@BACKBONES.register_module()
class VideoLLaVA(VideoLanguageBackbone):
    """``VideoLlavaForConditionalGeneration`` behind the protocol.

    Args:
        pretrained: hub name or folder of a transformers Video-LLaVA, or a folder / file of ours.
        text, vision: entries of LlamaConfig / CLIPVisionConfig for a random start.
        vision_feature_layer: hidden state of the ViT that feeds the projector.
        hidden_layer: hidden state of the LLM handed out as text and cross stream.
        embed_dim: E of learnt projections for retrieval; None = hidden states as they are.
        prompt: instruction that stands before a caption.
        host_losses: subset of ('lm', 'itc'); 'itc' needs ``embed_dim``.
        lora: None, or dict(r, alpha, dropout, target_modules): the LLM is frozen but for these.
        freeze_vision: freeze the ViT, as the original does in fine-tuning.
        dtype: of the weights when read from transformers, 'float32' or 'bfloat16'.
        video_adapter: as in CLIP4Clip, over the ViT's tokens that go into the projector; its
            mixed patches take the patches' place, the mean of a frame's pooled tokens is added to
            that frame's CLS token.
        stem, tokenizer, num_frames, max_text_length, local_loss, gather_with_grad, allow_*: as
            in CLIP4Clip.

    Raises:
        ValueError: unknown option, or neither ``pretrained`` nor sizes.
        CheckpointError: weights that do not fit.
    """

    streams = ('text', 'video', 'cross')

    def __init__(self, pretrained: str | None = None, text: dict | None = None,
                 vision: dict | None = None, vision_feature_layer: int = -2,
                 hidden_layer: int = -1, embed_dim: int | None = None,
                 prompt: str = 'Describe the video.', host_losses: Sequence[str] = ('lm',),
                 lora: dict | None = None, freeze_vision: bool = False, dtype: str = 'float32',
                 stem: str | None = None, video_adapter: dict | None = None,
                 tokenizer: str | None = None, num_frames: int = 8, max_text_length: int = 64,
                 local_loss: bool = True, gather_with_grad: bool = True,
                 allow_missing: Sequence[str] = (), allow_unexpected: Sequence[str] = (),
                 init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg=init_cfg)
        if not host_losses or set(host_losses) - {'lm', 'itc'}:
            raise ValueError(f"host_losses must be some of ('lm', 'itc'), got {host_losses!r}")
        if 'itc' in host_losses and not embed_dim:
            raise ValueError("host_losses with 'itc' needs embed_dim, the joint space's width")
        if stem not in (None, 'conv') or dtype not in _DTYPES:
            raise ValueError(f'stem must be None or "conv" (got {stem!r}), dtype one of '
                             f'{sorted(_DTYPES)} (got {dtype!r})')
        source = hf_pretrained(pretrained)
        named = 'tokenizer' if tokenizer else 'pretrained'
        tokenizer = str(tokenizer or source or 'tiny')
        self.tokenizer = load_tokenizer(tokenizer, named)
        if self.tokenizer.pad_token_id is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token
        self._build(source, text, vision, vision_feature_layer, _DTYPES[dtype], allow_missing,
                    allow_unexpected)
        config = self.vlm.config
        vision_config, self.width = config.vision_config, config.text_config.hidden_size
        if stem == 'conv':
            self.vlm.model.video_tower.embeddings.patch_embedding = ConvStem(
                vision_config.hidden_size, vision_config.patch_size)
        self.embed_dim = embed_dim or self.width
        if embed_dim:
            self.text_embed = nn.Linear(self.width, embed_dim, bias=False)
            self.video_embed = nn.Linear(self.width, embed_dim, bias=False)
            self.temp = nn.Parameter(torch.tensor(0.07))
        self.hidden_layer, self.prompt = hidden_layer, prompt
        self.host_losses = tuple(host_losses)
        self.local_loss, self.gather_with_grad = local_loss, gather_with_grad
        self.num_frames, self.max_text_length = num_frames, max_text_length
        self.dims = dict(text=self.width, video=self.width, cross=self.width)
        self.frame_size = (vision_config.image_size, vision_config.image_size)
        self.cells = vision_config.image_size // vision_config.patch_size
        self.pixel_norm = PixelNorm(self.frame_size, CLIP_MEAN, CLIP_STD)
        self.cfg = dict(
            type='VideoLLaVA', tokenizer=tokenizer,
            text=dict(text) if source is None else config.text_config.to_diff_dict(),
            vision=dict(vision) if source is None else vision_config.to_diff_dict(),
            vision_feature_layer=config.vision_feature_layer, hidden_layer=hidden_layer,
            embed_dim=embed_dim, prompt=prompt, host_losses=list(host_losses), lora=None,
            freeze_vision=freeze_vision, stem=stem, num_frames=num_frames,
            max_text_length=max_text_length, local_loss=local_loss,
            gather_with_grad=gather_with_grad)
        add_video_adapter(self, video_adapter, vision_config.hidden_size)
        self._freeze_unused(freeze_vision)
        own = pretrained if source is None else None
        adapted = own is not None and is_saved_backbone(own) and bool(read_saved(own)[0]['lora'])
        if own is not None and not adapted:
            self.load(own, allow_missing, allow_unexpected)
        if lora:
            self.cfg['lora'] = add_lora(self.vlm.model.language_model, dict(lora))
            self.vlm.lm_head.requires_grad_(False)
        if adapted:
            self.load(own, allow_missing, allow_unexpected)

    def _build(self, source: str | None, text: dict | None, vision: dict | None,
               feature_layer: int, dtype: torch.dtype, allow_missing: Sequence[str],
               allow_unexpected: Sequence[str]) -> None:
        transformers = require('transformers', 'the backbone VideoLLaVA')
        if source is not None:
            self.vlm = load_hf(transformers.VideoLlavaForConditionalGeneration, source,
                               allow_missing, allow_unexpected, dtype=dtype)
        elif text is None or vision is None:
            raise ValueError('VideoLLaVA needs pretrained=<name or folder>, or the sizes '
                             'text=dict(...) and vision=dict(...)')
        else:
            ids = {f'{k}_token_id': getattr(self.tokenizer, f'{k}_token_id')
                   for k in ('pad', 'bos', 'eos')}
            llama = transformers.LlamaConfig(
                **{'vocab_size': len(self.tokenizer), **ids, **text})
            self.vlm = transformers.VideoLlavaForConditionalGeneration(
                transformers.VideoLlavaConfig(
                    text_config=llama, vision_config=transformers.CLIPVisionConfig(**vision),
                    vision_feature_layer=feature_layer,
                    image_token_index=self.tokenizer.unk_token_id,
                    video_token_index=self.tokenizer.unk_token_id))
        del self.vlm.model.image_tower

    def _freeze_unused(self, freeze_vision: bool) -> None:
        """No gradient for what the feature layer does not read; DDP would wait for it."""
        tower = self.vlm.model.video_tower
        tower.post_layernorm.requires_grad_(False)
        layers = tower.encoder.layers
        last = self.vlm.config.vision_feature_layer
        used = last if last >= 0 else len(layers) + 1 + last
        for layer in layers[used:]:
            layer.requires_grad_(False)
        if freeze_vision:
            tower.requires_grad_(False)

    def merge_lora(self) -> None:
        """Fold the LoRA weights into the LLM: the same outputs with the plain model's names."""
        if self.cfg['lora']:
            merge_lora(self.vlm.model.language_model)
            self.cfg['lora'] = None

    # -- inputs ---------------------------------------------------------------------------------
    def preprocess_frames(self, frames: Tensor) -> Tensor:
        return self.pixel_norm(frames)

    def tokenize(self, texts: Sequence[str], device: torch.device | str = 'cpu') \
            -> dict[str, Tensor]:
        return encode_with_ends(self.tokenizer, texts, self.max_text_length, device)

    def _words(self, texts: Sequence[str], device: torch.device) -> tuple[Tensor, Tensor]:
        """Embeddings (n, l, C) and mask (n, l) of texts without BOS and EOS."""
        out = encode_batch(self.tokenizer, texts, 4096, device, special_tokens=False)
        return self._embed(out['input_ids']), out['attention_mask']

    def _embed(self, ids: Tensor) -> Tensor:
        return self.vlm.model.language_model.get_input_embeddings()(ids.long())

    # -- the language model ---------------------------------------------------------------------
    def _hidden(self, parts: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor, Tensor]:
        """Run the LLM over concatenated (embeddings, mask) parts; holes in the mask take no
        position. Returns the chosen hidden state, the last one, and the mask."""
        dtype = parts[0][0].dtype
        x = torch.cat([p[0].to(dtype) for p in parts], 1)
        mask = torch.cat([p[1] for p in parts], 1)
        every = self.hidden_layer != -1
        out = self.vlm.model.language_model(
            inputs_embeds=x, attention_mask=mask.long(), use_cache=False,
            position_ids=(mask.long().cumsum(1) - 1).clamp(min=0), output_hidden_states=every)
        chosen = out.hidden_states[self.hidden_layer] if every else out.last_hidden_state
        return chosen, out.last_hidden_state, mask

    def _special(self, name: str, n: int, device: torch.device) -> tuple[Tensor, Tensor]:
        ids = torch.full((n, 1), getattr(self.tokenizer, f'{name}_token_id'), device=device)
        return self._embed(ids), torch.ones_like(ids, dtype=torch.bool)

    @staticmethod
    def _video_tokens(video: BackboneFeatures) -> tuple[Tensor, Tensor]:
        """(B, F * (1 + N), C) in the released order, and its mask."""
        tokens = torch.cat([video.video_extra.unsqueeze(2), video.video], 2)
        return tokens.flatten(1, 2), video.video_mask.repeat_interleave(tokens.shape[2], 1)

    def _before(self, video: BackboneFeatures, prompts: Sequence[str]) \
            -> list[tuple[Tensor, Tensor]]:
        """Parts up to the answer: BOS, role, video, prompt."""
        n, device = len(video.video), video.video.device
        return [self._special('bos', n, device), self._words(['USER: '] * n, device),
                self._video_tokens(video),
                self._words([f'\n{p} ASSISTANT: ' for p in prompts], device)]

    # -- encoders -------------------------------------------------------------------------------
    def encode_text(self, texts: Sequence[str]) -> BackboneFeatures:
        tokens = self.tokenize(texts, self.vlm.device)
        ids, mask = tokens['input_ids'], tokens['attention_mask']
        hidden, _, _ = self._hidden([(self._embed(ids), mask)])
        rows = torch.arange(len(ids), device=ids.device)
        last = hidden[rows, mask.sum(1) - 1]
        pooled = self.text_embed(last) if hasattr(self, 'text_embed') else last
        return BackboneFeatures(text=hidden, text_mask=mask, text_offsets=tokens['offsets'],
                                text_ids=ids, text_pooled=unit(pooled))

    def encode_video(self, frames: Tensor, frame_mask: Tensor | None = None,
                     crop: Tensor | None = None) -> BackboneFeatures:
        mask = frame_mask_or_ones(frames, frame_mask)
        tokens, = encode_real_frames(self._encode_frames, frames, mask)
        if self.video_adapter is not None:
            tokens, cls = adapt_frames(self, tokens, tokens[:, :, 0], mask)
            tokens = torch.cat([cls.unsqueeze(2).to(tokens.dtype), tokens[:, :, 1:]], 2)
            tokens = tokens.to(self.vlm.dtype)
        tokens, = encode_real_frames(self._project, tokens, mask)
        grid = Grid(tuple((i,) for i in range(frames.shape[1])), self.cells, self.cells, crop)
        out = BackboneFeatures(video=tokens[:, :, 1:], video_extra=tokens[:, :, 0],
                               video_mask=mask, grid=grid)
        n, device = len(frames), frames.device
        hidden, _, _ = self._hidden([self._special('bos', n, device), self._video_tokens(out),
                                     self._special('eos', n, device)])
        last = hidden[:, -1]
        out.video_pooled = unit(self.video_embed(last) if hasattr(self, 'video_embed') else last)
        return out

    def _encode_frames(self, pixels: Tensor) -> tuple[Tensor]:
        """(n, 3, h, w) -> what goes into the projector, (n, 1 + N, width of the ViT), CLS
        first."""
        out = self.vlm.model.video_tower(pixel_values=pixels.to(self.vlm.dtype),
                                         output_hidden_states=True)
        return (out.hidden_states[self.vlm.config.vision_feature_layer],)

    def _project(self, tokens: Tensor) -> tuple[Tensor]:
        """(n, 1 + N, width of the ViT) -> (n, 1 + N, C)."""
        return (self.vlm.model.multi_modal_projector(tokens),)

    def _joint(self, text: BackboneFeatures, video: BackboneFeatures) \
            -> tuple[Tensor, Tensor, int, int]:
        """The LLM over aligned pairs: chosen and last hidden state, where the video tokens begin,
        and where the token before the caption stands."""
        if len(text.text_ids) != len(video.video):
            raise ValueError(f'aligned pairs are needed, got {len(text.text_ids)} texts and '
                             f'{len(video.video)} videos')
        parts = self._before(video, [self.prompt] * len(video.video))
        lengths = [p[0].shape[1] for p in parts]
        parts.append((self._embed(text.text_ids[:, 1:]), text.text_mask[:, 1:]))
        hidden, last, _ = self._hidden(parts)
        return hidden, last, lengths[0] + lengths[1], sum(lengths) - 1

    def fuse(self, text: BackboneFeatures, video: BackboneFeatures) -> BackboneFeatures:
        """``fused`` holds the F * N patches, time-major, then L caption positions aligned with
        ``text_offsets`` (the first is the token before the caption, in BOS's place)."""
        hidden, _, first, start = self._joint(text, video)
        b, f, n = video.video.shape[:3]
        cells = hidden[:, first:first + f * (n + 1)].unflatten(1, (f, n + 1))[:, :, 1:]
        caption = hidden[:, start:]
        rows = torch.arange(b, device=hidden.device)
        return BackboneFeatures(
            fused=torch.cat([cells.flatten(1, 2), caption], 1),
            fused_mask=torch.cat([video.video_mask.repeat_interleave(n, 1), text.text_mask], 1),
            fused_video=(0, f * n), fused_text=(f * n, f * n + caption.shape[1]),
            fused_pooled=caption[rows, text.text_mask.sum(1) - 1])

    # -- scores and losses ----------------------------------------------------------------------
    def similarity(self, text: BackboneFeatures, video: BackboneFeatures) -> Tensor:
        with torch.autocast(video.video_pooled.device.type, enabled=False):
            return unit(text.text_pooled) @ unit(video.video_pooled).T

    def logit_scale(self) -> Tensor:
        """1 / temp; 1 without learnt projections."""
        if not hasattr(self, 'temp'):
            return torch.ones((), device=self.vlm.device)
        return 1 / self.temp.float().clamp(0.001, 0.5)

    def caption_log_likelihood(self, text: BackboneFeatures, video: BackboneFeatures) -> Tensor:
        """(B, L - 1) fp32 log-likelihood of each caption token and EOS given the video and what
        stands before it; 0 at padding."""
        _, last, _, start = self._joint(text, video)
        logits = self.vlm.lm_head(last[:, start:-1]).float()
        scores = -F.cross_entropy(logits.transpose(1, 2), text.text_ids[:, 1:], reduction='none')
        return scores.masked_fill(~text.text_mask[:, 1:], 0)

    def choice_scores(self, texts: Sequence[Sequence[str]], video: BackboneFeatures) -> Tensor:
        """(B, K) log-likelihood of each choice, EOS included; choice by choice, so that memory
        does not grow with K."""
        same_width(texts)
        columns = []
        for column in zip(*texts, strict=True):
            tokens = self.tokenize(column, video.video.device)
            text = BackboneFeatures(text_ids=tokens['input_ids'],
                                    text_mask=tokens['attention_mask'])
            columns.append(self.caption_log_likelihood(text, video).sum(1))
        return torch.stack(columns, 1)

    @torch.no_grad()
    def generate(self, prompts: Sequence[str], frames: Tensor, frame_mask: Tensor | None = None,
                 max_new_tokens: int = 32, **kwargs: Any) -> list[str]:
        """Answers to ``prompts``; ``kwargs`` go to transformers' ``generate`` (greedy unless
        ``do_sample=True``)."""
        video = self.encode_video(frames, frame_mask)
        parts = self._before(video, prompts)
        x = torch.cat([p[0].to(parts[0][0].dtype) for p in parts], 1)
        mask = torch.cat([p[1] for p in parts], 1)
        # generation continues at the right edge: real tokens to the right, in their order
        order = mask.long().argsort(dim=1, stable=True)
        x = x.gather(1, order.unsqueeze(-1).expand_as(x))
        mask = mask.gather(1, order)
        ids = self.vlm.generate(
            inputs_embeds=x, attention_mask=mask.long(), max_new_tokens=max_new_tokens,
            pad_token_id=self.tokenizer.pad_token_id, **{'do_sample': False, **kwargs})
        return [t.strip() for t in self.tokenizer.batch_decode(ids, skip_special_tokens=True)]

    def host_loss(self, text: BackboneFeatures, video: BackboneFeatures,
                  groups: Tensor | None = None) -> dict[str, Tensor]:
        """``loss_lm``: mean over caption tokens of the B aligned pairs (text rows B.. have no
        video and are left out of it); ``loss_itc``: as in CLIP4Clip, rows B.. extra negatives."""
        losses = {}
        if 'lm' in self.host_losses:
            own = text.select(torch.arange(len(video.video), device=video.video.device))
            scores = self.caption_log_likelihood(own, video)
            losses['loss_lm'] = mean_over_processes(-scores.sum(), own.text_mask[:, 1:].sum())
        if 'itc' in self.host_losses:
            losses['loss_itc'] = contrastive_loss(text.text_pooled, video.video_pooled,
                                                  self.logit_scale(), self.local_loss,
                                                  self.gather_with_grad, groups)
        return losses

    def param_groups(self) -> dict[str, list[nn.Parameter]]:
        """Trainable parameters; the LLM's layers serve text and cross and are named cross."""
        model, groups = self.vlm.model, {}
        embeddings = model.language_model.get_input_embeddings()
        extra = [self.text_embed] if hasattr(self, 'text_embed') else []
        groups['text'] = [p for m in (embeddings, *extra) for p in m.parameters()]
        extra = [self.video_embed] if hasattr(self, 'video_embed') else []
        if self.video_adapter is not None:
            extra.append(self.video_adapter)
        groups['video'] = [p for m in (model.video_tower, model.multi_modal_projector, *extra)
                           for p in m.parameters()]
        taken = {id(p) for p in groups['text']}
        groups['cross'] = [p for m in (model.language_model, self.vlm.lm_head)
                           for p in m.parameters() if id(p) not in taken]
        groups['other'] = [self.temp] if hasattr(self, 'temp') else []
        trainable = {k: [p for p in v if p.requires_grad] for k, v in groups.items()}
        return {k: v for k, v in trainable.items() if v}

"""TimeSformer with padded frames: the forward pass over the layers of transformers' model.

transformers keeps tokens patch-major, time-minor, has no frame mask and no fused attention. Here
the tokens are (B, F, N, C), attention is ``scaled_dot_product_attention``, and masked frames are
neither attended to nor counted when the CLS token is averaged over frames. Without padding the
result equals ``TimesformerModel`` to rounding (test). Divided space-time attention only.

Shapes: B samples, F frames, N patches, C width.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from .blocks import masked_mean
from .loading import encode_real_frames


def time_positions(mask: Tensor, positions: int) -> Tensor:
    """(B, F) index of the time embedding of every real frame, as transformers' nearest
    interpolation gives it for a clip of just the real frames."""
    order = (mask.long().cumsum(1) - 1).clamp(min=0)
    count = mask.long().sum(1, keepdim=True)
    index = torch.where(count == positions, order, order * positions // count)
    return index.clamp(max=positions - 1)


def stretch_positions(table: Tensor, rows: int) -> Tensor:
    """(1, T0, C) time embeddings -> (1, rows, C): what a clip of ``rows`` frames reads."""
    mask = torch.ones(1, rows, dtype=torch.bool, device=table.device)
    return table[:, time_positions(mask, table.shape[1])[0]]


def _attend(attention: Any, x: Tensor, key_mask: Tensor | None) -> Tensor:
    """Self-attention of one TimeSformerAttention: x (n, L, C), key_mask (n, L) True = attend."""
    inner = attention.attention
    n, length, width = x.shape
    qkv = inner.qkv(x).view(n, length, 3, inner.num_heads, width // inner.num_heads)
    q, k, v = qkv.permute(2, 0, 3, 1, 4)
    dropout = inner.attn_drop.p if inner.training else 0.0
    mask = None if key_mask is None else key_mask[:, None, None]
    y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=dropout)
    return attention.output(y.transpose(1, 2).reshape(n, length, width))


def _layer(layer: Any, cls: Tensor, x: Tensor, mask: Tensor, padded: bool) \
        -> tuple[Tensor, Tensor]:
    """One divided space-time layer: cls (B, 1, C), x (B, F, N, C)."""
    b, f, n, c = x.shape
    # time: every patch attends along its own frames
    y = layer.temporal_layernorm(x).transpose(1, 2).reshape(b * n, f, c)
    keys = mask.repeat_interleave(n, 0) if padded else None
    y = layer.drop_path(_attend(layer.temporal_attention, y, keys))
    x = x + layer.temporal_dense(y).view(b, n, f, c).transpose(1, 2)
    # space: every frame attends within itself, with a copy of the CLS token
    y = torch.cat([cls.unsqueeze(1).expand(b, f, 1, c), x], 2).flatten(0, 1)
    y = layer.drop_path(_attend(layer.attention, layer.layernorm_before(y), None))
    y = y.view(b, f, n + 1, c)
    tokens = torch.cat([cls + masked_mean(y[:, :, 0], mask).unsqueeze(1),
                        (x + y[:, :, 1:]).flatten(1, 2)], 1)
    y = layer.output(layer.intermediate(layer.layernorm_after(tokens)))
    tokens = tokens + layer.drop_path(y)
    return tokens[:, :1], tokens[:, 1:].view(b, f, n, c)


def timesformer_forward(model: Any, frames: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Run a transformers ``TimesformerModel`` on padded clips.

    Args:
        frames: (B, F, 3, h, w) normalised, at the model's own image size. mask: (B, F) bool.

    Returns:
        cls (B, C) and tokens (B, F, N, C), after the final norm; masked frames' tokens are zero.
    """
    embeddings = model.embeddings

    def patches(pixels: Tensor) -> tuple[Tensor]:
        return (embeddings.patch_embeddings.projection(pixels).flatten(2).transpose(1, 2),)

    x, = encode_real_frames(patches, frames, mask)
    if x.shape[2] != embeddings.num_patches:
        raise ValueError(f'{x.shape[2]} patches a frame, but the model has positions for '
                         f'{embeddings.num_patches}; resize with preprocess_frames')
    position = embeddings.position_embeddings
    cls = (embeddings.cls_token + position[:, :1]).expand(len(x), -1, -1)
    time = embeddings.time_embeddings[0]
    time = time[time_positions(mask, len(time))].unsqueeze(2)
    x = embeddings.time_drop(embeddings.pos_drop(x + position[:, None, 1:]) + time)
    padded = not bool(mask.all())
    for layer in model.encoder.layer:
        cls, x = _layer(layer, cls, x, mask, padded)
    x = model.layernorm(x)
    if padded:
        x = x * mask[:, :, None, None].to(x.dtype)
    return model.layernorm(cls)[:, 0], x

"""Small modules that several backbones share: pixel preparation, convolutional stem, CLIP blocks.

Shapes: B samples, F frames, N patches, C width.
"""

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
HALF_MEAN = HALF_STD = (0.5, 0.5, 0.5)


class PixelNorm(nn.Module):
    """uint8 or 0..255 frames (B, F, 3, H, W) -> resized, normalised float (B, F, 3, h, w)."""

    def __init__(self, size: tuple[int, int], mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.size = tuple(size)
        self.register_buffer('mean', torch.tensor(mean).view(3, 1, 1) * 255, persistent=False)
        self.register_buffer('std', torch.tensor(std).view(3, 1, 1) * 255, persistent=False)

    @torch.no_grad()
    def forward(self, frames: Tensor) -> Tensor:
        if not isinstance(frames, Tensor):
            raise ValueError(f'this backbone reads pixels, not {type(frames).__name__}: only STGT '
                             'takes cached frame features (LoadFrameFeatures)')
        if frames.dim() != 5 or frames.shape[2] != 3:
            raise ValueError('frames must be (B, F, 3, H, W), got ' + str(tuple(frames.shape)))
        b, f = frames.shape[:2]
        x = frames.flatten(0, 1).float()
        if tuple(x.shape[-2:]) != self.size:
            x = F.interpolate(x, self.size, mode='bilinear', antialias=True, align_corners=False)
        return ((x - self.mean) / self.std).unflatten(0, (b, f))


class ConvStem(nn.Module):
    """Three conv-BatchNorm-ReLU stages and a 1 x 1 projection in place of a strided patch conv.

    From-scratch tiny models learn many times faster with it (docs/en/design/backbones.md). The
    strides multiply to ``patch_size``. An odd kernel with stride s is centred on the first pixel
    of its s pixels; three such stages would look half a cell up and left of the cell, so the last
    one is padded on the far side only, and a cell sees itself and about half a cell around:
    pixels 8 o - 3 .. 8 o + 11 for cell 8 o .. 8 o + 7 at ``patch_size`` 8. Ours.

    Args:
        width: output channels. patch_size: total stride, 4, 8, 12, 16 or 32.
    """

    STRIDES = {4: (1, 2, 2), 8: (2, 2, 2), 12: (3, 2, 2), 16: (4, 2, 2), 32: (4, 4, 2)}

    def __init__(self, width: int, patch_size: int, in_channels: int = 3) -> None:
        super().__init__()
        if patch_size not in self.STRIDES:
            raise ValueError(f'ConvStem has strides for patch_size {sorted(self.STRIDES)}, '
                             f'got {patch_size}')
        channels = [in_channels, max(width // 4, 8), max(width // 2, 8), width]
        stages = []
        for i, stride in enumerate(self.STRIDES[patch_size]):
            kernel = 3 if stride < 3 else 5
            stages.append(nn.Sequential(
                nn.Conv2d(channels[i], channels[i + 1], kernel, stride,
                          kernel // 2 if i < 2 else 0, bias=False),
                nn.BatchNorm2d(channels[i + 1]), nn.ReLU()))
        self.stages = nn.Sequential(*stages)
        self.proj = nn.Conv2d(width, width, 1)

    @property
    def weight(self) -> Tensor:
        """The projection's weight: transformers asks a patch embedding for ``weight.dtype``."""
        return self.proj.weight

    def forward(self, pixels: Tensor) -> Tensor:
        """(n, 3, h, w) -> (n, width, h / patch_size, w / patch_size)."""
        x = self.stages[1](self.stages[0](pixels))
        return self.proj(self.stages[2](F.pad(x, (0, 1, 0, 1))))


class QuickGELU(nn.Module):
    """x * sigmoid(1.702 x), CLIP's activation."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(1.702 * x)


class ResidualAttentionBlock(nn.Module):
    """Pre-norm Transformer block with the parameter names of OpenAI's CLIP."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.ln_1 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(OrderedDict(
            c_fc=nn.Linear(width, 4 * width), gelu=QuickGELU(),
            c_proj=nn.Linear(4 * width, width)))
        self.ln_2 = nn.LayerNorm(width)

    def forward(self, x: Tensor, padding: Tensor | None) -> Tensor:
        """x (B, L, C); ``padding`` (B, L) True = ignore."""
        y = self.ln_1(x)
        x = x + self.attn(y, y, y, key_padding_mask=padding, need_weights=False)[0]
        return x + self.mlp(self.ln_2(x))


class ResidualTransformer(nn.Module):
    """``layers`` blocks named ``resblocks``, as in OpenAI's CLIP."""

    def __init__(self, width: int, layers: int, heads: int) -> None:
        super().__init__()
        self.resblocks = nn.ModuleList(
            ResidualAttentionBlock(width, heads) for _ in range(layers))

    def forward(self, x: Tensor, padding: Tensor | None = None) -> Tensor:
        for block in self.resblocks:
            x = block(x, padding)
        return x


def masked_mean(x: Tensor, mask: Tensor, dim: int = 1) -> Tensor:
    """Mean of ``x`` (..., L, ..., C) over ``dim`` where ``mask`` is True; 0 for an empty row."""
    weights = mask.to(x.dtype)
    while weights.dim() < x.dim():
        weights = weights.unsqueeze(-1)
    return (x * weights).sum(dim) / weights.sum(dim).clamp(min=1)


def unit(x: Tensor) -> Tensor:
    """L2-normalised along the last axis, in fp32."""
    return F.normalize(x.float(), dim=-1)

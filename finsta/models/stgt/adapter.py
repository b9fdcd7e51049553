"""SpatioTemporalGraphTransformer: STGT as a module between a vision tower and its pooling.

    X = tokens + time_embedding[t] + sincos_2d[n];  layers;  per frame [CLS ; max over rows ;
    max over columns] -> LayerNorm -> linear

stgt.md, module. T, the grid's height and width, and the number of layers are free; the released
model fixes all but the last. Shapes: B videos, T frames, h x w = N cells, d channels,
S = T (1 + h + w) pooled tokens.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from finsta.registry import VIDEO_ADAPTERS

from .layer import SpatioTemporalGraphLayer
from .positions import frame_times, resize_table, sincos_2d, stretch_rows


@dataclass(frozen=True)
class AdapterOutput:
    """What a video adapter hands out.

    Attributes:
        tokens: (B, T, 1 + N, d) CLS and patches of each frame, mixed.
        pooled: (B, S, d) the short sequence for a fusion module; pooled_mask: (B, S) True = of a
            real frame.
    """

    tokens: Tensor
    pooled: Tensor
    pooled_mask: Tensor


def row_column_max(tokens: Tensor, height: int, width: int) -> Tensor:
    """(B, T, 1 + h w, d) -> (B, T, 1 + w + h, d): CLS, the maximum of each column of the grid
    (over its rows), the maximum of each row (over its columns)."""
    cells = tokens[:, :, 1:].unflatten(2, (height, width))
    return torch.cat([tokens[:, :, :1], cells.amax(2), cells.amax(3)], 2)


@VIDEO_ADAPTERS.register_module()
class SpatioTemporalGraphTransformer(nn.Module):
    """STGT over frame tokens.

    Args:
        dim: d, a multiple of 4 and of ``num_heads``.
        num_layers, num_heads: the paper's setting is one layer, 16 heads. No layer leaves the
            positions and the pooling: the baseline without a graph.
        num_frames: rows of the learnt time table; other numbers of frames stretch it.
        sim_threshold: theta; 0.1 in pre-training, 0.5 in fine-tuning.
        attention: 'banded', 'sparse' (for graphs with few edges), 'auto' (the default: one of the
            two, by the graph), 'dense' (reference); the same function to rounding.
        dropout: of the graph attention.
        position: 'sincos', or 'table' = a stored table for ``grid`` (the released weights
            overwrite the sines with random numbers; a converted model keeps them).
        grid: (h, w) of the stored table.
        gradient_checkpointing: recompute layers in the backward pass.
        initializer_range: of the linear layers. 0.02 is made for d 1408; patches have no residual
            around the graph attention, so narrow layers need more.

    Raises:
        ValueError: an unknown option, widths that do not divide.
    """

    # what fits weights of another num_frames
    time_tables = {'time_embed': stretch_rows}

    def __init__(self, dim: int, num_layers: int = 1, num_heads: int = 16, num_frames: int = 8,
                 sim_threshold: float = 0.1, attention: str = 'auto', dropout: float = 0.1,
                 position: str = 'sincos', grid: tuple[int, int] = (16, 16),
                 gradient_checkpointing: bool = False, initializer_range: float = 0.02) -> None:
        super().__init__()
        if position not in ('sincos', 'table'):
            raise ValueError(f"position must be 'sincos' or 'table', got {position!r}")
        if num_layers < 0:
            raise ValueError(f'num_layers must not be negative, got {num_layers}')
        if dim % num_heads:
            raise ValueError(f'{num_heads} heads do not divide dim={dim}')
        self.dim, self.gradient_checkpointing = dim, gradient_checkpointing
        self.time_embed = nn.Parameter(torch.zeros(num_frames, dim))
        nn.init.trunc_normal_(self.time_embed, std=0.02)
        self.position, self.grid = position, tuple(grid)
        if position == 'table':
            self.register_buffer('position_table', sincos_2d(*self.grid, dim))
        self.layers = nn.ModuleList(
            SpatioTemporalGraphLayer(dim, num_heads, sim_threshold, dropout, attention)
            for _ in range(num_layers))
        self.norm = nn.LayerNorm(dim)
        self.proj = nn.Linear(dim, dim, bias=False)
        self.apply(lambda module: _init(module, initializer_range))
        nn.init.normal_(self.proj.weight, std=dim ** -0.5)

    def forward(self, tokens: Tensor, height: int, width: int,
                frame_mask: Tensor | None = None) -> AdapterOutput:
        """tokens (B, T, 1 + h w, d) with the CLS token first; frame_mask (B, T) True = a real
        frame, None = all.

        Raises:
            ValueError: a number of tokens or channels that does not fit.
        """
        b, t, length, dim = tokens.shape
        if length != 1 + height * width or dim != self.dim:
            raise ValueError(f'tokens {tuple(tokens.shape)} do not fit a CLS token and '
                             f'{height} x {width} cells of {self.dim} channels')
        mask = torch.ones(b, t, dtype=torch.bool, device=tokens.device) \
            if frame_mask is None else frame_mask.bool()
        x = tokens + self._positions(height, width, tokens)
        # the first layer adds it: then x needs no gradient where the tower is frozen
        offset: Tensor | None = frame_times(self.time_embed, mask)
        padded = None if bool(mask.all()) else mask
        for layer in self.layers:
            if self.gradient_checkpointing and torch.is_grad_enabled():
                x = checkpoint(layer, x, padded, offset, use_reentrant=False)
            else:
                x = layer(x, padded, offset)
            offset = None
        if offset is not None:
            x = x + offset.unsqueeze(2)
        pooled = self.proj(self.norm(row_column_max(x, height, width)))
        return AdapterOutput(x, pooled.flatten(1, 2),
                             mask.repeat_interleave(1 + height + width, 1))

    def _positions(self, height: int, width: int, like: Tensor) -> Tensor:
        if self.position == 'table':
            return resize_table(self.position_table, self.grid, height, width)
        return sincos_2d(height, width, self.dim).to(like.device, like.dtype)


def _init(module: nn.Module, std: float) -> None:
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=std)
        if module.bias is not None:
            nn.init.zeros_(module.bias)

"""Where a token stands: a 2-D sin-cos table for its cell, a learnt row for its frame (stgt.md).

Shapes: h x w cells, d channels, B videos, T frames.
"""

import torch
from torch import Tensor
from torch.nn import functional as F


def sincos_2d(height: int, width: int, dim: int) -> Tensor:
    """(1 + h * w, d) fixed table: first half of the channels the column, second half the row,
    each as sines then cosines of wavelengths up to 10000; row 0 (the CLS token) is zero.

    Raises:
        ValueError: ``dim`` not a multiple of four.
    """
    if dim % 4:
        raise ValueError(f'a 2-D sin-cos table needs a multiple of 4 channels, got {dim}')
    frequency = 10000.0 ** -(torch.arange(dim // 4, dtype=torch.float64) / (dim // 4))

    def axis(length: int) -> Tensor:
        angle = torch.arange(length, dtype=torch.float64)[:, None] * frequency
        return torch.cat([angle.sin(), angle.cos()], 1)

    columns = axis(width)[None].expand(height, -1, -1)
    rows = axis(height)[:, None].expand(-1, width, -1)
    table = torch.cat([columns, rows], 2).reshape(height * width, dim).float()
    return torch.cat([table.new_zeros(1, dim), table])


def resize_table(table: Tensor, size: tuple[int, int], height: int, width: int) -> Tensor:
    """A stored table (1 + h0 * w0, d) for a grid of ``size`` -> (1 + h * w, d), bicubic."""
    if size == (height, width):
        return table
    cells = table[1:].T.reshape(1, -1, *size)
    cells = F.interpolate(cells, (height, width), mode='bicubic', align_corners=False)
    return torch.cat([table[:1], cells[0].flatten(1).T])


def frame_times(embedding: Tensor, mask: Tensor) -> Tensor:
    """Rows of ``embedding`` (T0, d) for the real frames of each video, (B, T, d).

    A video of n real frames reads the table linearly stretched to n rows, so padding moves
    nothing; n = T0 reads the rows as they are. Padded frames read the last row. (The original
    knows T0 frames only; the stretch is ours.)

    Args:
        mask: (B, T) True = a real frame.
    """
    rows = len(embedding)
    index = (mask.cumsum(1) - 1).clamp(min=0).to(torch.float32)
    count = mask.sum(1, keepdim=True).clamp(min=1)
    place = ((index + 0.5) * (rows / count) - 0.5).clamp(0, rows - 1)
    low = place.floor().long()
    high = (low + 1).clamp(max=rows - 1)
    part = (place - low).unsqueeze(-1).to(embedding.dtype)
    return embedding[low] * (1 - part) + embedding[high] * part


def stretch_rows(embedding: Tensor, rows: int) -> Tensor:
    """(T0, d) -> (rows, d): what :func:`frame_times` reads for a video of ``rows`` frames."""
    mask = torch.ones(1, rows, dtype=torch.bool, device=embedding.device)
    return frame_times(embedding, mask)[0]

"""From graph nodes to backbone features: boxes to patches, spans to tokens.

Pure functions of features and geometry: they know neither a backbone nor a graph encoder.

Shapes: B samples, T' temporal cells, N = h * w spatial cells, L tokens, C width, n nodes.
"""

import torch
from torch import Tensor


def box_weights(boxes: Tensor, height: int, width: int, crop: Tensor | None = None) -> Tensor:
    """Share of each spatial cell in each box, rows sum to 1.

    Args:
        boxes: (n, 4) (cx, cy, w, h) as fractions of the source frame.
        height, width: grid size. crop: (n, 4) (x0, y0, x1, y1) shown region of the source for
            each node, None = whole frame.

    Returns:
        (n, height * width) fp32. A box outside the crop or smaller than nothing takes the cell
        that its (clamped) centre falls into.
    """
    boxes = boxes.float()
    centre, size = boxes[:, :2], boxes[:, 2:]
    low, high = centre - size / 2, centre + size / 2
    if crop is not None:
        origin, extent = crop[:, :2].float(), (crop[:, 2:] - crop[:, :2]).float().clamp(min=1e-6)
        low, high, centre = ((v - origin) / extent for v in (low, high, centre))
    columns = _overlap(low[:, 0], high[:, 0], width)
    rows = _overlap(low[:, 1], high[:, 1], height)
    weights = (rows[:, :, None] * columns[:, None, :]).flatten(1)
    total = weights.sum(1, keepdim=True)
    clamped = centre.clamp(0, 1 - 1e-6)
    nearest = (clamped[:, 1] * height).long() * width + (clamped[:, 0] * width).long()
    fallback = torch.zeros_like(weights).scatter_(1, nearest[:, None], 1.0)
    return torch.where(total > 1e-8, weights / total.clamp(min=1e-8), fallback)


def _overlap(low: Tensor, high: Tensor, cells: int) -> Tensor:
    edge = torch.arange(cells + 1, device=low.device) / cells
    left = torch.maximum(low[:, None], edge[None, :-1])
    right = torch.minimum(high[:, None], edge[None, 1:])
    return (right - left).clamp(min=0)


def cell_of_frames(frames_of_cell: tuple[tuple[int, ...], ...], device: torch.device) -> Tensor:
    """(F,) temporal cell that covers each input frame, -1 where none does."""
    last = max((f for cell in frames_of_cell for f in cell), default=-1)
    table = torch.full((last + 1,), -1, dtype=torch.long)
    for c, cell in enumerate(frames_of_cell):
        for f in cell:
            table[f] = c
    return table.to(device)


def box_features(video: Tensor, boxes: Tensor, samples: Tensor, cells: Tensor, height: int,
                 width: int, crop: Tensor | None = None) -> Tensor:
    """(n, C) mean of the patches under each box.

    Args:
        video: (B, T', N, C). boxes: (n, 4). samples, cells: (n,) sample and temporal cell of each
            node. crop: (B, 4) or None.
    """
    per_node = None if crop is None else crop[samples]
    weights = box_weights(boxes, height, width, per_node).to(video.dtype)
    return torch.bmm(weights[:, None], video[samples, cells]).squeeze(1)


def span_features(text: Tensor, offsets: Tensor, mask: Tensor, spans: Tensor, samples: Tensor
                  ) -> tuple[Tensor, Tensor]:
    """Mean of the tokens that overlap each character span.

    Args:
        text: (B, L, C). offsets: (B, L, 2). mask: (B, L). spans: (n, 2), -1 = none.
        samples: (n,).

    Returns:
        (n, C) features, (n,) bool: False where no token overlaps (a truncated text).
    """
    token = offsets[samples]
    inside = (token[..., 0] < spans[:, 1:]) & (token[..., 1] > spans[:, :1])
    inside &= mask[samples].bool() & (token[..., 1] > token[..., 0])
    weights = inside.to(text.dtype)
    found = inside.any(1)
    mean = torch.bmm(weights[:, None], text[samples]).squeeze(1)
    return mean / weights.sum(1, keepdim=True).clamp(min=1), found

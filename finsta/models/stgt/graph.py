"""The spatio-temporal graph of patch tokens, kept as the frame blocks that can hold an edge.

    W = cosine(sg[u], sg[u]);   A = W where W >= theta, else 0;   A = 0 where |t - t'| > 1

Of T^2 frame blocks 3T - 2 survive, and W is symmetric: T blocks of a frame with itself and T - 1
of a frame with the next are computed, no more. stgt.md, local branch.

Shapes: B videos, T frames, N patches a frame, d channels.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class FrameBandGraph:
    """Weights of the edges; 0 = no edge. At least fp32, without gradient.

    Attributes:
        same: (B, T, N, N) inside a frame. after: (B, T - 1, N, N), rows of frame t, columns of
            frame t + 1.
    """

    same: Tensor
    after: Tensor

    @property
    def shape(self) -> tuple[int, int, int]:
        """B, T, N."""
        return tuple(self.same.shape[:3])

    def columns(self, frame: int) -> tuple[int, int]:
        """First and last + 1 frame that the rows of ``frame`` can see."""
        return max(frame - 1, 0), min(frame + 2, self.same.shape[1])

    def rows(self, frame: int) -> Tensor:
        """(B, N, n N) weights from the patches of ``frame`` to those of its n = 2 or 3 (T = 1: 1)
        frames, in the order of :meth:`columns`."""
        parts = [self.same[:, frame]]
        if frame > 0:
            parts.insert(0, self.after[:, frame - 1].mT)
        if frame + 1 < self.same.shape[1]:
            parts.append(self.after[:, frame])
        return torch.cat(parts, -1)

    def dense(self) -> Tensor:
        """(B, T N, T N), for reference."""
        b, t, n = self.shape
        full = self.same.new_zeros(b, t, n, t, n)
        for i in range(t):
            full[:, i, :, i] = self.same[:, i]
            if i + 1 < t:
                full[:, i, :, i + 1] = self.after[:, i]
                full[:, i + 1, :, i] = self.after[:, i].mT
        return full.view(b, t * n, t * n)

    def density(self) -> float:
        """Share of the entries of the 3T - 2 blocks that are edges."""
        edges = int((self.same != 0).sum()) + 2 * int((self.after != 0).sum())
        b, t, n = self.shape
        return edges / (b * (3 * t - 2) * n * n)


def widen(x: Tensor) -> Tensor:
    """At least fp32: half precision for logits and similarities would move edges."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


@torch.no_grad()
def build_graph(tokens: Tensor, threshold: float, frame_mask: Tensor | None = None
                ) -> FrameBandGraph:
    """Similarity graph of ``tokens`` (B, T, N, d), in fp32 whatever the autocast.

    Every token is its own neighbour (similarity 1), so no row is empty for theta <= 1; a zero
    vector, whose cosine is undefined, keeps its own edge too.

    Args:
        frame_mask: (B, T) True = a real frame; no edge joins a real and a padded frame.

    Raises:
        ValueError: ``threshold`` above 1, which would leave no edge at all.
    """
    if threshold > 1:
        raise ValueError(f'threshold is a cosine, at most 1, got {threshold}')
    with torch.autocast(tokens.device.type, enabled=False):
        unit = F.normalize(widen(tokens.detach()), dim=-1)
        same = unit @ unit.mT
        after = unit[:, :-1] @ unit[:, 1:].mT
    same.masked_fill_(same < threshold, 0)
    after.masked_fill_(after < threshold, 0)
    # rounding can leave a token at 1 - 1e-7 from itself: below theta = 1
    own = same.diagonal(dim1=-2, dim2=-1)
    own.copy_(torch.where(own == 0, torch.ones_like(own), own))
    if frame_mask is not None:
        joined = frame_mask[:, :-1] & frame_mask[:, 1:]
        after.mul_(joined[:, :, None, None])
    return FrameBandGraph(same, after)

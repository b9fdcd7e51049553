"""One layer: frames talk through their CLS tokens, patches along the graph, then inside a frame.

    Z = X Wp
    g = block(block(Z_cls)) over the T frames, one set of weights
    u = GraphAttention(Z_patches, graph(Z_patches))
    X' = block([g ; u]) inside each frame

stgt.md, module. Shapes: B videos, T frames, N patches, d channels.
"""

import torch
from torch import Tensor, nn

from finsta.models.backbones.blocks import ResidualAttentionBlock

from .attention import GraphAttention
from .fusion import FusionBlock
from .graph import build_graph
from .projections import project


class SpatioTemporalGraphLayer(nn.Module):
    """Args:
        dim: d. num_heads: of all attentions. threshold: theta of the graph. dropout: of the graph
            attention. attention: form of the graph attention, see ``attention.FORMS``.
    """

    def __init__(self, dim: int, num_heads: int, threshold: float, dropout: float,
                 attention: str) -> None:
        super().__init__()
        self.threshold = threshold
        self.proj = nn.Linear(dim, dim)
        self.frames = ResidualAttentionBlock(dim, num_heads)
        self.graph = GraphAttention(dim, num_heads, dropout, attention)
        self.fusion = FusionBlock(dim, num_heads)

    def forward(self, tokens: Tensor, frame_mask: Tensor | None = None,
                offset: Tensor | None = None) -> Tensor:
        """(B, T, 1 + N, d) -> the same.

        Args:
            frame_mask: (B, T) True = a real frame.
            offset: (B, T, d) to add to every token of a frame first; apart, so that nothing of
                size (B, T, N, d) needs a gradient where ``tokens`` need none.
        """
        if offset is None:
            offset = torch.zeros_like(tokens[:, :, 0])
        # split, not slices: its backward pass is one concatenation instead of a zero-filled sum
        cls, patches = tokens.split([1, tokens.shape[2] - 1], 2)
        padding = None if frame_mask is None else ~frame_mask
        cls = self.proj(cls.squeeze(2) + offset)
        cls = self.frames(self.frames(cls, padding), padding)
        z, *projected = project(patches.contiguous(), offset, (self.proj.weight, self.proj.bias),
                                self.graph.projections())
        patches = self.graph(*projected, build_graph(z, self.threshold, frame_mask))
        # autocast hands out norms and projections in different types; cat wants one
        x = torch.cat([cls.unsqueeze(2).to(patches.dtype), patches], 2)
        return self.fusion(x.flatten(0, 1)).view(x.shape)

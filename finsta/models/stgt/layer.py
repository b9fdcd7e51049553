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
from .graph import build_graph


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
        self.fusion = ResidualAttentionBlock(dim, num_heads)

    def forward(self, tokens: Tensor, frame_mask: Tensor | None = None) -> Tensor:
        """(B, T, 1 + N, d) -> the same; frame_mask (B, T) True = a real frame."""
        z = self.proj(tokens)
        padding = None if frame_mask is None else ~frame_mask
        cls = self.frames(self.frames(z[:, :, 0], padding), padding)
        patches = z[:, :, 1:]
        patches = self.graph(patches, build_graph(patches, self.threshold, frame_mask))
        # autocast hands out norms and projections in different types; cat wants one
        x = torch.cat([cls.unsqueeze(2).to(patches.dtype), patches], 2)
        return self.fusion(x.flatten(0, 1), None).view(x.shape)

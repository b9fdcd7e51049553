"""STGD-GTrm: spatial-temporal Gaussian differential graph Transformer.

With the differences d_ij and the motion m_i of ``motion.py`` and g = the input states of frame
t-1 gathered through temporal coreference (g = h where there is none):

``s_ij = Q h_i . K h_j / sqrt(d) + bias[type_ij] + alpha_head * d_ij``,
values ``V [h_j + beta * m_j * (h_j - g_j)]``, then as GTrm.

The paper: a Gaussian kernel on an object's position change relative to its neighbours tells moving
nodes from still ones. The equation is ours (method.md section 2). Uses the input of the layer, so
all frames run at once.

Shapes: N nodes, E edges, D width, H heads.
"""

import torch
from torch import Tensor, nn

from finsta.models.graph.context import GraphContext
from finsta.models.graph.gtrm import GraphLayer, LayerStack
from finsta.models.graph.motion import box_motion, feature_motion
from finsta.registry import GRAPH_ENCODERS

SPACES = ('box', 'feature')


class STGDLayer(GraphLayer):
    """One STGD-GTrm layer.

    Args:
        dim: D. num_heads: H.
        space: ``'box'`` (positions) or ``'feature'`` (hidden states).
        sigma: width of the kernel: fractions of the frame for boxes; for features, in units of
            the root mean square difference.
        Others: see :class:`GraphLayer`.
    """

    def __init__(self, dim: int, num_heads: int, space: str = 'box', sigma: float = 0.2,
                 **layer) -> None:
        super().__init__(dim, num_heads, **layer)
        if space not in SPACES:
            raise ValueError(f'space={space!r} is none of {list(SPACES)}')
        if not sigma > 0:
            raise ValueError(f'sigma={sigma} must be positive')
        self.space, self.sigma = space, sigma
        self.alpha = nn.Parameter(torch.ones(num_heads))
        self.beta = nn.Parameter(torch.ones(()))

    def forward(self, h: Tensor, context: GraphContext) -> Tensor:
        """(N, D) -> (N, D)."""
        x, frame, topology = self.before(h), context.whole, context.topology
        known = frame.has_predecessor
        before = torch.where(known[:, None], frame.previous(x), x)
        if self.space == 'box':
            motion = context.keep(('motion', self.sigma),
                                  lambda: box_motion(context, self.sigma))
        else:
            motion = feature_motion(context, x, before, known, self.sigma)
        q, k, v = self.attention.project(x).unbind(1)
        if frame.linked:
            moved = (self.beta * motion.m)[:, None] * (x - before)
            v = self.attention.project_values(x + moved)
        mixed = self.attention(q, k, v, topology, self.attention.edge_terms(topology),
                               motion.d[:, None] * self.alpha)
        return self.after(h, mixed)


@GRAPH_ENCODERS.register_module()
class STGDEncoder(LayerStack):
    """A stack of STGD-GTrm layers.

    Args:
        dim: D. num_heads: H. num_layers: layers. space, sigma: see :class:`STGDLayer`.
        Others: see :class:`GraphLayer`.
    """

    def __init__(self, dim: int = 768, num_heads: int = 8, num_layers: int = 2,
                 norm: str = 'post', **layer) -> None:
        super().__init__([STGDLayer(dim, num_heads, norm=norm, **layer)
                          for _ in range(num_layers)], dim, norm)

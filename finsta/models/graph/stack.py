"""One stream: stages of graph encoders, one after the other.

Text: ``GTrm``. Dynamic and holistic: ``[R-GTrm -> STGD-GTrm -> R-GTrm]`` (paper). How many layers
each has is ours: 6 for text, 2 + 2 + 2 for the others (method.md section 2).
"""

from collections.abc import Sequence

from mmengine.model import BaseModule
from torch import Tensor, nn

from finsta.models.graph.context import GraphContext
from finsta.registry import GRAPH_ENCODERS
from finsta.structures import GraphBatch

TEXT_STAGES = (dict(type='GTrmEncoder', num_layers=6),)
DYNAMIC_STAGES = (dict(type='RGTrmEncoder', num_layers=2), dict(type='STGDEncoder', num_layers=2),
                  dict(type='RGTrmEncoder', num_layers=2))


@GRAPH_ENCODERS.register_module()
class GraphStream(BaseModule):
    """Stages over one kind of batch.

    Args:
        dim: D. num_heads: H.
        stages: encoder configs, in order; ``dim``, ``num_heads`` and ``layer`` are filled in
            where a stage does not state them.
        with_stgd: False: every STGD stage becomes a GTrm stage of the same depth, so that only
            the differential is missing and not the layers (ablation).
        layer: arguments of all layers (ops, edge_mode, ffn_ratio, dropout, norm, act).
    """

    def __init__(self, dim: int = 768, num_heads: int = 8,
                 stages: Sequence[dict] = DYNAMIC_STAGES, with_stgd: bool = True,
                 **layer) -> None:
        super().__init__()
        self.dim = dim
        built = []
        for stage in stages:
            if stage['type'] == 'STGDEncoder' and not with_stgd:
                stage = {k: v for k, v in stage.items() if k not in ('space', 'sigma')}
                stage['type'] = 'GTrmEncoder'
            built.append(GRAPH_ENCODERS.build(
                {'dim': dim, 'num_heads': num_heads, **layer, **stage}))
        self.stages = nn.ModuleList(built)

    def forward(self, h: Tensor, batch: GraphBatch | GraphContext) -> Tensor:
        """(N, D) -> (N, D); a context may be given in place of its batch."""
        context = batch if isinstance(batch, GraphContext) else GraphContext(batch)
        if h.shape != (context.num_nodes, self.dim):
            raise ValueError(f'node states are {tuple(h.shape)}, but the batch has '
                             f'{context.num_nodes} nodes and dim={self.dim}')
        for stage in self.stages:
            h = stage(h, context)
        return h

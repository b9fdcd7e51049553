"""Graph attention on DGL (1.1.3, CPU), and graphs to and from DGLGraph.

The only file that imports dgl. Its CPU kernels fuse gather, product and sum and are strong in
fp32 on large sparse graphs; the released wheel has no CUDA kernels and no fp16.
"""

import math
import os
from types import ModuleType

import torch
from torch import Tensor

from finsta.models.graph.ops import GraphAttention, no_edges
from finsta.models.graph.topology import Topology
from finsta.registry import GRAPH_ENCODERS
from finsta.structures import (
    EDGE_TYPES,
    NODE_KINDS,
    Edge,
    GraphBatch,
    GraphError,
    Node,
    SceneGraph,
)
from finsta.utils.optional import require

# GraphBatch fields that live on nodes; the rest is derived or lives on edges
_NODE_FIELDS = ('label_ids', 'kind', 'modality', 'box', 'box_mask', 'score', 'span', 'entity',
                'sample_ids', 'frame_ids', 'unit_ids', 'source', 'predecessor')


def _dgl(why: str) -> ModuleType:
    # without it dgl prints a banner and writes ~/.dgl/config.json at import
    os.environ.setdefault('DGLBACKEND', 'pytorch')
    return require('dgl', why)


@GRAPH_ENCODERS.register_module()
class DGLGraphAttention(GraphAttention):
    """``v_dot_u``, ``edge_softmax``, ``u_mul_e_sum`` of DGL.

    Raises:
        ImportError: on construction, when dgl is missing, saying what to install.
    """

    name = 'dgl'

    def __init__(self) -> None:
        self.dgl = _dgl("ops='dgl'")

    def _graph(self, topology: Topology):
        if topology.device.type != 'cpu':
            raise ValueError(f"ops='dgl' runs on the CPU only, but the batch is on "
                             f"{topology.device}; use ops='auto', 'dense' or 'segment'")
        return topology.keep('dgl', lambda: self.dgl.graph(
            (topology.src.int(), topology.dst.int()), num_nodes=topology.num_nodes))

    def attend(self, q: Tensor, k: Tensor, v: Tensor, topology: Topology, bias: Tensor) -> Tensor:
        """See :meth:`GraphAttention.attend`."""
        if topology.num_edges == 0:
            return no_edges(v, q, k, bias)
        graph = self._graph(topology)
        if q.dtype == torch.float16:
            q, k = q.float(), k.float()
        dot = self.dgl.ops.v_dot_u(graph, q, k).squeeze(-1)
        wide = torch.promote_types(dot.dtype, torch.float32)
        return self.aggregate(dot.to(wide) / math.sqrt(q.shape[-1]) + bias, v, topology)

    def aggregate(self, logits: Tensor, v: Tensor, topology: Topology) -> Tensor:
        """See :meth:`GraphAttention.aggregate`."""
        if topology.num_edges == 0:
            return no_edges(v, logits)
        graph = self._graph(topology)
        weight = self.dgl.nn.functional.edge_softmax(graph, logits)
        kind = torch.float32 if v.dtype == torch.float16 else v.dtype
        out = self.dgl.ops.u_mul_e_sum(graph, v.to(kind), weight.unsqueeze(-1).to(kind))
        return out.to(v.dtype)


def batch_to_dgl(batch: GraphBatch):
    """A ``DGLGraph`` with the node fields of the batch in ``ndata`` and ``edge_type`` in
    ``edata``; units are DGL's batched graphs (``dgl.unbatch`` splits them)."""
    dgl = _dgl('turning a GraphBatch into a DGLGraph')
    graph = dgl.graph((batch.edge_index[0], batch.edge_index[1]), num_nodes=batch.num_nodes)
    for name in _NODE_FIELDS:
        graph.ndata[name] = getattr(batch, name)
    order = torch.argsort(batch.unit_ids[batch.edge_index[1]], stable=True)
    graph = dgl.edge_subgraph(graph, order, relabel_nodes=False, store_ids=False)
    graph.edata['edge_type'] = batch.edge_type[order]
    unit = batch.unit_ids[batch.edge_index[1]]
    graph.set_batch_num_nodes(batch.unit_sizes())
    graph.set_batch_num_edges(torch.bincount(unit, minlength=batch.num_units))
    return graph


def batch_from_dgl(graph, labels: list[str], num_samples: int | None = None) -> GraphBatch:
    """Inverse of :func:`batch_to_dgl`; edges come back sorted by unit.

    Args:
        graph: with the fields that :func:`batch_to_dgl` writes; nodes in (frame, sample) order.
        labels: the strings that ``label_ids`` point into.
        num_samples: B; default: largest sample index + 1.

    Raises:
        GraphError: naming the missing field, or when the frames are out of order.
    """
    missing = [n for n in _NODE_FIELDS if n not in graph.ndata]
    if missing or 'edge_type' not in graph.edata:
        raise GraphError(f'the DGLGraph lacks {missing or ["edge_type (edata)"]}; it must come '
                         'from batch_to_dgl')
    data = {name: graph.ndata[name] for name in _NODE_FIELDS}
    frames = data['frame_ids']
    if frames.numel() and (frames[1:] < frames[:-1]).any():
        raise GraphError('the nodes of a batch must be sorted by key frame')
    sizes = graph.batch_num_nodes()
    unit_ptr = torch.cat([sizes.new_zeros(1), sizes.cumsum(0)])
    first = unit_ptr[:-1][sizes > 0]
    if len(first) != len(sizes):
        raise GraphError('a unit without nodes cannot be restored from a DGLGraph')
    counts = torch.bincount(frames) if frames.numel() else frames.new_zeros(0)
    samples = data['sample_ids']
    if num_samples is None:
        num_samples = int(samples.max()) + 1 if samples.numel() else 0
    return GraphBatch(labels=labels, **data, edge_index=torch.stack(graph.edges(order='eid')),
                      edge_type=graph.edata['edge_type'], unit_ptr=unit_ptr,
                      unit_sample=samples[first], unit_frame=frames[first],
                      frame_ptr=(0, *counts.cumsum(0).tolist()), num_samples=num_samples)


def scene_graph_to_dgl(graph: SceneGraph):
    """A ``DGLGraph`` with forward edges only; ``ndata``: kind, box, box_mask, span, entity,
    score; ``edata``: edge_type, an index into ``EDGE_TYPES``."""
    dgl = _dgl('turning a SceneGraph into a DGLGraph')
    arrays = {k: torch.from_numpy(v.copy()) for k, v in graph.arrays.items()}
    edge = arrays.pop('edge')
    out = dgl.graph((edge[:, 0], edge[:, 1]), num_nodes=len(graph.nodes))
    out.ndata.update(arrays)
    out.edata['edge_type'] = edge[:, 2]
    return out


def scene_graph_from_dgl(graph, labels: list[str], text: str | None = None) -> SceneGraph:
    """Inverse of :func:`scene_graph_to_dgl`.

    Args:
        labels: one per node. text: the sentence that spans point into.

    Raises:
        GraphError: when the labels do not fit, or the graph breaks the schema.
    """
    if len(labels) != graph.num_nodes():
        raise GraphError(f'{len(labels)} labels for {graph.num_nodes()} nodes')
    data = {k: v.tolist() for k, v in graph.ndata.items()}
    nodes = tuple(Node(
        kind=NODE_KINDS[data['kind'][i]], label=label,
        span=tuple(data['span'][i]) if data['span'][i][0] >= 0 else None,
        box=tuple(data['box'][i]) if data['box_mask'][i] else None,
        entity=data['entity'][i] if data['entity'][i] >= 0 else None, score=data['score'][i])
        for i, label in enumerate(labels))
    src, dst = (x.tolist() for x in graph.edges(order='eid'))
    edges = tuple(Edge(s, d, EDGE_TYPES[t])
                  for s, d, t in zip(src, dst, graph.edata['edge_type'].tolist(), strict=True))
    return SceneGraph(nodes, edges, text)

"""Gaussian difference of positions between adjacent key frames: who moves relative to whom.

For objects i, j with boxes in one unit (one key frame of one sample):
``k_ij(t) = exp(-|b_i - b_j|^2 / 2 sigma^2)``, ``d_ij(t) = k_ij(t) - k_{pi(i) pi(j)}(t-1)``, 0
where a predecessor or its box is missing, and ``m_i = mean_{j in N(i)} |d_ij|``, b = (cx, cy, w,
h). method.md section 2. The paper has the role; the equation and what follows are ours.

* N(i) are all other objects with a box in the unit, not i's neighbours along edges: scene graphs
  have no edge between two objects, so over edges the mean would be empty.
* Every other node stands for its *anchors*, the objects that it hangs on: an attribute for its
  object, a predicate for subject and object, an adverb for its predicate's, a text node for the
  visual nodes that it corefers with (and then text attributes and predicates for their objects').
  m of a node is the mean over its anchors; d of an edge j -> i is the mean of d_ab over anchor
  pairs a of i, b of j with a != b, and 0 where there is none. So the edge subject -> predicate
  carries how the subject moved relative to the object.
* An object alone in its frame has no neighbour and m = 0: without a second thing, motion cannot
  be told from a camera pan.

Differences are taken coordinate by coordinate, so a still scene gives exactly 0.

Shapes: N nodes, E edges, U units, M nodes of the largest unit, O objects of the largest unit.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from finsta.models.graph.context import GraphContext
from finsta.models.graph.topology import Topology
from finsta.structures import ATTENTION_EDGE_TYPES, NODE_KINDS, VISUAL, GraphBatch
from finsta.utils.segments import segment_mean

# edges j -> i along which i hangs on j
_HANGS_ON = ('subject', 'object_reverse', 'attribute', 'predicate_attribute',
             'cross_coreference_reverse')
_OBJECT = NODE_KINDS.index('object')
# visual predicate, its adverb; text object by coreference, its predicate, its adverb
_MAX_HOPS = 4


@dataclass
class Motion:
    """Attributes: d (E,) in the topology's edge order, in [-1, 1]; m (N,) in [0, 1]."""

    d: Tensor
    m: Tensor


def gaussian_kernel(squared_distance: Tensor, sigma: float) -> Tensor:
    """exp(-x / 2 sigma^2)."""
    return torch.exp(squared_distance * (-0.5 / sigma ** 2))


@torch.no_grad()
def box_motion(context: GraphContext, sigma: float) -> Motion:
    """Motion of every node and edge of a batch from its boxes."""
    batch, topology = context.batch, context.topology
    mover = (batch.kind == _OBJECT) & (batch.modality == VISUAL) & batch.box_mask
    if not bool(mover.any()):
        zero = batch.box.new_zeros
        return Motion(zero(topology.num_edges), zero(topology.num_nodes))
    column, objects, valid = _object_table(topology, mover)
    difference = _pair_difference(batch, mover, objects, valid, sigma)
    anchor = _anchors(batch, topology, mover, column, objects.shape[1])
    others = (valid.sum(1, keepdim=True) - 1).clamp(min=1)
    m_object = difference.abs().sum(-1) / others
    count = anchor.sum(-1)
    unit = topology.unit_ids
    m = (anchor * m_object[unit]).sum(-1) / count.clamp(min=1)
    towards = torch.bmm(topology.pad(anchor), difference)
    towards = topology.unpad(towards)
    src, dst = topology.src, topology.dst
    total = (towards.index_select(0, dst) * anchor.index_select(0, src)).sum(-1)
    shared = (anchor.index_select(0, dst) * anchor.index_select(0, src)).sum(-1)
    pairs = count[dst] * count[src] - shared
    return Motion(total / pairs.clamp(min=1), m)


def _object_table(topology: Topology, mover: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(N,) column of each mover in its unit; (U, O) node of each column; (U, O) valid."""
    index = mover.nonzero().squeeze(1)
    unit = topology.unit_ids[index]
    per_unit = torch.bincount(unit, minlength=topology.num_units)
    first = per_unit.cumsum(0) - per_unit
    place = torch.arange(index.numel(), device=index.device) - first[unit]
    width = int(per_unit.max())
    column = torch.zeros_like(mover, dtype=torch.long).index_put((index,), place)
    objects = index.new_zeros(topology.num_units, width).index_put((unit, place), index)
    return column, objects, torch.arange(width, device=index.device) < per_unit[:, None]


def _pair_difference(batch: GraphBatch, mover: Tensor, objects: Tensor, valid: Tensor,
                     sigma: float) -> Tensor:
    """d between all objects of a unit, (U, O, O)."""
    before = batch.predecessor[objects]
    known = valid & (before >= 0)
    before = before.clamp(min=0)
    known &= mover[before]

    def kernel(nodes: Tensor) -> Tensor:
        box = batch.box[nodes]
        gap = box[:, :, None] - box[:, None, :]
        return gaussian_kernel((gap * gap).sum(-1), sigma)

    return (kernel(objects) - kernel(before)) * (known[:, :, None] & known[:, None, :])


def _anchors(batch: GraphBatch, topology: Topology, mover: Tensor, column: Tensor, width: int
             ) -> Tensor:
    """(N, O) 1 where a node stands for the object in that column of its unit."""
    anchor = torch.zeros(topology.num_nodes, width, device=mover.device)
    index = mover.nonzero().squeeze(1)
    anchor[index, column[index]] = 1.
    hangs = torch.zeros(len(ATTENTION_EDGE_TYPES), dtype=torch.bool, device=mover.device)
    hangs[[ATTENTION_EDGE_TYPES.index(name) for name in _HANGS_ON]] = True
    keep = hangs[topology.edge_type]
    src, dst = topology.src[keep], topology.dst[keep]
    for _ in range(_MAX_HOPS):
        open_ = anchor.sum(-1) == 0
        use = open_[dst]
        came = torch.zeros_like(anchor).index_add_(0, dst[use], anchor[src[use]])
        anchor = torch.where(open_[:, None], (came > 0).to(anchor.dtype), anchor)
    return anchor


def feature_motion(context: GraphContext, h: Tensor, before: Tensor, known: Tensor, sigma: float
                   ) -> Motion:
    """The same on hidden states, along edges, with gradient: |.|^2 becomes the mean square.

    Args:
        h: (N, D). before: (N, D) predecessors' states. known: (N,) bool, has one.
    """
    topology = context.topology
    src, dst = topology.src, topology.dst
    h, before = h.float(), before.float()

    def kernel(x: Tensor) -> Tensor:
        gap = x.index_select(0, dst) - x.index_select(0, src)
        return gaussian_kernel(gap.square().mean(-1), sigma)

    both = (known[src] & known[dst]).to(h.dtype)
    d = (kernel(h) - kernel(before)) * both
    other = (src != dst).to(h.dtype)
    return Motion(d, segment_mean(d.abs(), dst, topology.num_nodes, weight=other))

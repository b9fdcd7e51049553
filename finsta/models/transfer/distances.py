"""Distances between the teacher's and the host's features (method.md section 4).

Every loss takes :class:`TransferInputs`, returns a dict of weighted scalars, and stops the
gradient into the teacher. Projections are thrown away with the structure module.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from finsta.models.transfer.inputs import TransferInputs, TransferLoss
from finsta.registry import LOSSES
from finsta.utils.distributed import mean_over_processes


def cosine_distance(student: Tensor, teacher: Tensor) -> Tensor:
    """(n,) ``1 - cos`` in fp32."""
    return 1 - F.cosine_similarity(student.float(), teacher.float(), dim=-1)


def l2_distance(student: Tensor, teacher: Tensor) -> Tensor:
    """(n,) squared Euclidean distance of the unit vectors, ``2 - 2 cos``, in fp32."""
    return (F.normalize(student.float(), dim=-1)
            - F.normalize(teacher.float(), dim=-1)).square().sum(-1)


_DISTANCES = {'cosine': cosine_distance, 'l2': l2_distance}


class _Projected(TransferLoss):
    def __init__(self, dims: dict[str, int], teacher_dim: int, distance: str,
                 weight: float) -> None:
        super().__init__()
        if distance not in _DISTANCES:
            raise ValueError(f'distance must be one of {sorted(_DISTANCES)}, got {distance!r}')
        self.projections = nn.ModuleDict({k: nn.Linear(c, teacher_dim) for k, c in dims.items()})
        self.distance, self.weight = _DISTANCES[distance], weight

    def compare(self, student: dict[str, Tensor], teacher: dict[str, Tensor], name: str
                ) -> dict[str, Tensor]:
        losses = {}
        for key, projection in self.projections.items():
            if key not in student or key not in teacher:
                continue
            projected = projection(student[key])
            per_row = self.distance(projected, teacher[key].detach())
            loss = mean_over_processes(per_row.sum() + projected.sum() * 0, len(per_row))
            losses[f'loss_{name}_{key}'] = self.weight * loss
        return losses


@LOSSES.register_module()
class PooledTransfer(_Projected):
    """Per stream ``distance(P(pool(host)), sg(pool(H)))``.

    Args:
        pooled_dims: stream -> width of the host's pooled vector.
        node_dims: unused here; every transfer loss gets the same context.
        teacher_dim: D. distance: 'cosine' (default) or 'l2'. weight: factor on every term.
    """

    def __init__(self, pooled_dims: dict[str, int], node_dims: dict[str, int], teacher_dim: int,
                 label_dim: int | None = None, distance: str = 'cosine', weight: float = 1.0
                 ) -> None:
        super().__init__(pooled_dims, teacher_dim, distance, weight)

    def forward(self, inputs: TransferInputs) -> dict[str, Tensor]:
        """One scalar per stream that both sides have."""
        return self.compare(inputs.student_pooled, inputs.teacher_pooled, 'pooled')


@LOSSES.register_module()
class NodeTransfer(_Projected):
    """Node level: text node <-> mean of its span's tokens, visual object at t <-> RoI mean of
    frame t's patches, predicates at t <-> the host's state of frame t."""

    def __init__(self, pooled_dims: dict[str, int], node_dims: dict[str, int], teacher_dim: int,
                 label_dim: int | None = None, distance: str = 'cosine', weight: float = 1.0
                 ) -> None:
        super().__init__(node_dims, teacher_dim, distance, weight)

    def forward(self, inputs: TransferInputs) -> dict[str, Tensor]:
        """One scalar per kind of node."""
        return self.compare(inputs.student_nodes, inputs.teacher_nodes, 'node')


@LOSSES.register_module()
class RelationalTransfer(TransferLoss):
    """KL between the softmax rows (and columns) of teacher and host similarity matrices.

    Needs no projection; changes the geometry that retrieval uses. The matrices are those of the
    batch of all processes; each process compares its own rows and columns. Samples without a graph
    say nothing and are left out of both.

    Args:
        temperature: softens the teacher's logits. weight: factor.
    """

    def __init__(self, pooled_dims: dict[str, int], node_dims: dict[str, int], teacher_dim: int,
                 label_dim: int | None = None, temperature: float = 1.0, weight: float = 1.0
                 ) -> None:
        super().__init__()
        self.temperature, self.weight = temperature, weight

    def forward(self, inputs: TransferInputs) -> dict[str, Tensor]:
        """``loss_relational``; empty when either side has no similarity matrix."""
        student, teacher = inputs.student_similarity, inputs.teacher_similarity
        losses = []
        for stream in ('text', 'video'):
            if stream in student and stream in teacher:
                s, t = student[stream].float(), teacher[stream].detach().float()
                if inputs.known is not None:
                    s, t = (x[inputs.known][:, inputs.known_everywhere] for x in (s, t))
                target = (t / self.temperature).softmax(-1)
                total = F.kl_div(s.log_softmax(-1), target, reduction='sum')
                losses.append(mean_over_processes(total, len(target)) / 2)
        return {'loss_relational': self.weight * sum(losses)} if losses else {}


@LOSSES.register_module()
class TokenAlignment(TransferLoss):
    """OSC and PTC on the host's own span and box features (ours).

    The graphs say which token span and which image region are the same thing; the host's own
    features of both are contrasted directly. A predicate's visual feature is the state of its
    frame plus the mean of its arguments' box features.

    Args:
        dim: width of the shared space. osc, ptc: configs of the alignment losses.
    """

    needs_teacher = False

    def __init__(self, pooled_dims: dict[str, int], node_dims: dict[str, int], teacher_dim: int,
                 label_dim: int | None = None, osc: dict | None = None, ptc: dict | None = None,
                 dim: int = 128, weight: float = 1.0) -> None:
        super().__init__()
        self.osc = LOSSES.build(osc or {'type': 'ObjectSpatialContrast', 'hops': 1})
        self.ptc = LOSSES.build(ptc or {'type': 'PredicateTemporalContrast', 'hops': 1})
        self.text = nn.Linear(node_dims['text'], dim) if 'text' in node_dims else None
        self.video = nn.Linear(node_dims['video'], dim) if 'video' in node_dims else None
        self.frame = nn.Linear(node_dims['frame'], dim) if 'frame' in node_dims else None
        self.weight = weight

    def forward(self, inputs: TransferInputs) -> dict[str, Tensor]:
        """``loss_token_osc`` and ``loss_token_ptc``."""
        if self.text is None or self.video is None:
            return {}
        graphs = inputs.graphs
        text = self.text(inputs.student_tsg)
        box = self.video(inputs.student_dsg) * inputs.student_dsg_mask[:, None]
        video = spread_to_neighbours(box, inputs.student_dsg_mask, graphs.dsg.edge_index)
        if self.frame is not None and inputs.student_frame is not None:
            bare = ~inputs.student_dsg_mask
            video = video + self.frame(inputs.student_frame) * bare[:, None]
        osc, _ = self.osc(text, video, graphs, inputs.groups)
        ptc, _ = self.ptc(text, video, graphs, inputs.groups)
        return {'loss_token_osc': self.weight * osc, 'loss_token_ptc': self.weight * ptc}


def spread_to_neighbours(x: Tensor, has: Tensor, edge_index: Tensor) -> Tensor:
    """Rows without a value take the mean over the neighbours that have one.

    Args:
        x: (N, D). has: (N,) bool. edge_index: (2, E) source, target.
    """
    source, target = edge_index
    use = has[source] & ~has[target]
    total = torch.zeros_like(x).index_add(0, target[use], x[source[use]])
    count = x.new_zeros(len(x)).index_add(0, target[use], x.new_ones(int(use.sum())))
    return torch.where(has[:, None], x, total / count.clamp(min=1)[:, None])

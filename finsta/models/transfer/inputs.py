"""What the transfer losses compare: the host's features and the teacher's, side by side."""

from dataclasses import dataclass, field

from torch import Tensor, nn

from finsta.structures import HolisticBatch


@dataclass
class TransferInputs:
    """Student (host) and teacher (structure) quantities of one batch.

    Attributes:
        student_pooled, teacher_pooled: stream -> (B, C) and (B, D).
        student_nodes, teacher_nodes: name -> (n, C) and (n, D), row by row the same thing.
        student_similarity, teacher_similarity: 'text' -> (B, W) logits of the batch's texts with
            the W videos of all processes, 'video' -> (B, W) of its videos with all texts; empty
            without them.
        known: (B,) bool, whose text and video graph have nodes; known_everywhere: (W,) of all
            processes; None = all of them.
        student_tsg: (N_T, C_text) span features; student_tsg_mask: (N_T,).
        student_dsg: (N_D, C_video) box features; student_dsg_mask: (N_D,).
        student_frame: (N_D, E) the temporal state of each visual node's frame, or None.
        tsg_labels, dsg_labels: (L, D_l) frozen embedding of each of ``graphs.tsg.labels`` and
            ``graphs.dsg.labels``.
        graphs: the batch of graphs.
        groups: (B, 2) of ``pair_groups``; None = all differ.
    """

    graphs: HolisticBatch
    student_pooled: dict[str, Tensor] = field(default_factory=dict)
    teacher_pooled: dict[str, Tensor] = field(default_factory=dict)
    student_nodes: dict[str, Tensor] = field(default_factory=dict)
    teacher_nodes: dict[str, Tensor] = field(default_factory=dict)
    student_similarity: dict[str, Tensor] = field(default_factory=dict)
    teacher_similarity: dict[str, Tensor] = field(default_factory=dict)
    known: Tensor | None = None
    known_everywhere: Tensor | None = None
    student_tsg: Tensor | None = None
    student_tsg_mask: Tensor | None = None
    student_dsg: Tensor | None = None
    student_dsg_mask: Tensor | None = None
    student_frame: Tensor | None = None
    tsg_labels: Tensor | None = None
    dsg_labels: Tensor | None = None
    groups: Tensor | None = None


class TransferLoss(nn.Module):
    """Base of the transfer losses: takes :class:`TransferInputs`, returns weighted scalars.

    Attributes:
        needs_teacher: False = the graphs alone say what the host's features should be, so the
            loss is there in the steps without a teacher too.
    """

    needs_teacher = True

"""Symmetric InfoNCE over all processes, with extra negative texts.

    v2t_i = -log softmax_j(s * v_i . t_j)[i]   over all texts, extra negatives included
    t2v_i = -log softmax_j(s * t_i . v_j)[i]   over all videos
    loss = (mean v2t + mean t2v) / 2

Rows of one video (several captions of it in a batch) or of one text are no negatives of each
other: the target of such a row is shared equally among all of them, as in ALBEF and BLIP.

Shapes: t (B + X, E), v (B, E); row i of t describes row i of v for i < B, the X others are extra
negatives of every video.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from finsta.structures import alike
from finsta.utils.distributed import gather_with_grad, rank, world_size


def groups_of_all(groups: Tensor | None, sizes: list[int], device: torch.device
                  ) -> tuple[Tensor, Tensor]:
    """Groups of own rows (b, 2) and of those of all processes (B, 2); for ``groups`` None (b,) and
    (B,), row by row another number.

    Args:
        groups: (b, 2) of ``pair_groups``. sizes: b of each process.

    Raises:
        ValueError: another number of ``groups`` than of rows.
    """
    start, rows = sum(sizes[:rank()]), sizes[rank()]
    if groups is None:
        everyone = torch.arange(sum(sizes), device=device)
        return everyone[start:start + rows], everyone
    if len(groups) != rows:
        raise ValueError(f'groups names video and text of each of the {rows} pairs, got '
                         f'{len(groups)} rows')
    groups = groups.to(device)
    return groups, gather_with_grad(groups, False)[0]


def pair_targets(own: Tensor, everyone: Tensor, start: int) -> Tensor:
    """What own rows should choose among all: class indices (b,) where no two rows are alike, else
    probabilities (b, B), equal among those that are like the own one.

    Args:
        own, everyone: of :func:`groups_of_all`. start: place of the first own row.
    """
    same = alike(own, everyone)
    if int(same.sum()) == len(own):
        return torch.arange(start, start + len(own), device=own.device)
    return same / same.sum(1, keepdim=True)


def cross_entropy(logits: Tensor, target: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Sum over rows; probabilities are 0 for the columns that they do not have."""
    if target.is_floating_point():
        target = F.pad(target, (0, logits.shape[1] - target.shape[1]))
    return F.cross_entropy(logits, target, reduction='sum', label_smoothing=label_smoothing)


def contrastive_loss(text: Tensor, video: Tensor, scale: Tensor, local_loss: bool = True,
                     with_grad: bool = True, groups: Tensor | None = None) -> Tensor:
    """InfoNCE of unit vectors, equal in value and gradient for any number of processes.

    Args:
        text: (B + X, E) unit vectors. video: (B, E) unit vectors. scale: scalar multiplier.
        local_loss: each process scores its own rows only (the mean over processes, as DDP takes
            it, is the loss of the big batch); False: each process scores all rows.
        with_grad: see :func:`gather_with_grad`.
        groups: (B, 2) of ``pair_groups``; None = all differ.

    Raises:
        ValueError: fewer texts than videos, another number of ``groups``.
    """
    b = video.shape[0]
    if text.shape[0] < b:
        raise ValueError(f'{b} videos need at least {b} texts in the same order, got '
                         f'{text.shape[0]}')
    with torch.autocast(text.device.type, enabled=False):
        text, video, scale = text.float(), video.float(), scale.float()
        pairs, sizes = gather_with_grad(text[:b], with_grad)
        videos, _ = gather_with_grad(video, with_grad)
        extra, _ = gather_with_grad(text[b:], with_grad)
        candidates = torch.cat([pairs, extra])
        total = max(sum(sizes), 1)
        own, everyone = groups_of_all(groups, sizes, video.device)
        if local_loss:
            start = sum(sizes[:rank()])
            own_t, own_v = text[:b], video
        else:
            start, own_t, own_v, own = 0, pairs, videos, everyone
        targets = pair_targets(own, everyone, start)
        v2t = cross_entropy(scale * own_v @ candidates.T, targets)
        t2v = cross_entropy(scale * own_t @ videos.T, targets)
        share = world_size() / total if local_loss else 1 / total
        return (v2t + t2v) * (0.5 * share)

"""Symmetric InfoNCE over all processes, with extra negative texts.

    v2t_i = -log softmax_j(s * v_i . t_j)[i]   over all texts, extra negatives included
    t2v_i = -log softmax_j(s * t_i . v_j)[i]   over all videos
    loss = (mean v2t + mean t2v) / 2

Shapes: t (B + X, E), v (B, E); row i of t describes row i of v for i < B, the X others are extra
negatives of every video.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from finsta.utils.distributed import gather_with_grad, rank, world_size


def contrastive_loss(text: Tensor, video: Tensor, scale: Tensor, local_loss: bool = True,
                     with_grad: bool = True) -> Tensor:
    """InfoNCE of unit vectors, equal in value and gradient for any number of processes.

    Args:
        text: (B + X, E) unit vectors. video: (B, E) unit vectors. scale: scalar multiplier.
        local_loss: each process scores its own rows only (the mean over processes, as DDP takes
            it, is the loss of the big batch); False: each process scores all rows.
        with_grad: see :func:`gather_with_grad`.

    Raises:
        ValueError: fewer texts than videos.
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
        if local_loss:
            start = sum(sizes[:rank()])
            own_t, own_v = text[:b], video
        else:
            start, own_t, own_v = 0, pairs, videos
        targets = torch.arange(start, start + own_v.shape[0], device=video.device)
        v2t = F.cross_entropy(scale * own_v @ candidates.T, targets, reduction='sum')
        t2v = F.cross_entropy(scale * own_t @ videos.T, targets, reduction='sum')
        share = world_size() / total if local_loss else 1 / total
        return (v2t + t2v) * (0.5 * share)

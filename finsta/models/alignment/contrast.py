"""InfoNCE over explicit positive pairs, shared by OSC and PTC.

For text node i with positives P(i) among candidates C:
``l_i = - mean_{j in P(i)} log( exp(s_ij / tau) / sum_{k in C(i)} exp(s_ik / tau) )``,
the loss is the mean over text nodes that have a positive. Exactly 0, attached to the graph,
when there is none.

Over several processes the candidates of all of them are negatives, where the whole batch's are;
the mean over processes, as DDP takes it, is the loss of the big batch in value and gradient.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from finsta.structures import alike
from finsta.utils.distributed import gather_with_grad, mean_over_processes, rank


def positive_pair_info_nce(anchors: Tensor, candidates: Tensor, positive: Tensor,
                           allowed: Tensor, temperature: float, gather: bool = False,
                           groups: tuple[Tensor, Tensor] | None = None) -> Tensor:
    """The loss above.

    Args:
        anchors: (A, D) text regions. candidates: (K, D) visual regions.
        positive: (A, K) bool. allowed: (A, K) bool, which candidates stand in the denominator;
            positives always do.
        temperature: tau > 0.
        gather: candidates of other processes stand in every denominator too.
        groups: (A, 2) and (K, 2), of ``structures.pair_groups`` for the anchors' and candidates'
            samples: candidates of other processes that are like the anchor's are left out.

    Returns:
        scalar in fp32.
    """
    rows = positive.any(dim=1)
    with torch.autocast(anchors.device.type, enabled=False):
        a = F.normalize(anchors[rows].float(), dim=-1)
        c = F.normalize(candidates.float(), dim=-1)
        keep, allowed = positive[rows], allowed[rows]
        if gather:
            c, sizes = gather_with_grad(c)
            around = (sum(sizes[:rank()]), sum(sizes[rank() + 1:]))
            others = torch.ones(len(a), len(c), dtype=torch.bool, device=c.device)
            if groups is not None:
                others = ~alike(groups[0][rows], gather_with_grad(groups[1], False)[0])
            others[:, around[0]:len(c) - around[1]] = allowed
            keep, allowed = F.pad(keep, around), others
        logits = (a @ c.T / temperature).masked_fill(~(allowed | keep), float('-inf'))
        log_prob = logits.log_softmax(dim=1).masked_fill(~keep, 0)
        # the zeros keep both sides in the graph of every process, also without a positive
        total = -(log_prob.sum(1) / keep.sum(1)).sum() + (anchors.float().sum() + c.sum()) * 0
        return mean_over_processes(total, rows.sum())


def same_sample(anchor_sample: Tensor, candidate_sample: Tensor, negatives: str,
                groups: Tensor | None = None) -> Tensor:
    """(A, K) bool: which candidates an anchor is contrasted with.

    Args:
        negatives: ``'video'``: candidates of the anchor's own sample; ``'batch'``: all.
        groups: (B, 2) of ``structures.pair_groups``: what a sample of the anchor's own video, or
            of its text, shows is true of it, too, and left out.
    """
    same = anchor_sample[:, None] == candidate_sample[None]
    if negatives == 'batch':
        if groups is None:
            return torch.ones_like(same)
        return same | ~alike(groups[anchor_sample], groups[candidate_sample])
    if negatives == 'video':
        return same
    raise ValueError(f"negatives must be 'video' or 'batch', got {negatives!r}")

"""InfoNCE over explicit positive pairs, shared by OSC and PTC.

For text node i with positives P(i) among candidates C:
``l_i = - mean_{j in P(i)} log( exp(s_ij / tau) / sum_{k in C(i)} exp(s_ik / tau) )``,
the loss is the mean over text nodes that have a positive. Exactly 0, attached to the graph,
when there is none.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def positive_pair_info_nce(anchors: Tensor, candidates: Tensor, positive: Tensor,
                           allowed: Tensor, temperature: float) -> Tensor:
    """The loss above.

    Args:
        anchors: (A, D) text regions. candidates: (K, D) visual regions.
        positive: (A, K) bool. allowed: (A, K) bool, which candidates stand in the denominator;
            positives always do.
        temperature: tau > 0.

    Returns:
        scalar in fp32.
    """
    zero = (anchors.sum() + candidates.sum()).float() * 0
    rows = positive.any(dim=1)
    if not bool(rows.any()):
        return zero
    with torch.autocast(anchors.device.type, enabled=False):
        a = F.normalize(anchors[rows].float(), dim=-1)
        c = F.normalize(candidates.float(), dim=-1)
        logits = a @ c.T / temperature
        keep = positive[rows]
        logits = logits.masked_fill(~(allowed[rows] | keep), float('-inf'))
        log_prob = logits.log_softmax(dim=1).masked_fill(~keep, 0)
        return -(log_prob.sum(1) / keep.sum(1)).mean() + zero


def same_sample(anchor_sample: Tensor, candidate_sample: Tensor, negatives: str) -> Tensor:
    """(A, K) bool: which candidates an anchor is contrasted with.

    Args:
        negatives: ``'video'``: candidates of the anchor's own sample; ``'batch'``: all.
    """
    same = anchor_sample[:, None] == candidate_sample[None]
    if negatives == 'batch':
        return torch.ones_like(same)
    if negatives == 'video':
        return same
    raise ValueError(f"negatives must be 'video' or 'batch', got {negatives!r}")

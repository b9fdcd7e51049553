"""Scores of minimal pairs in Winoground's form (Thrush et al. 2022).

Of a pair with the scores s(caption, video): *text* is right when each video prefers its own
caption, *video* when each caption prefers its own video, *group* when both hold. Preferring is
strict: a tie is wrong. Chance is 1/4, 1/4 and 1/6 for independent scores.

Two captions of one bag of words, or two videos of the same frames, often differ in how much a
model likes them at all. Such a liking decides *text* and *video* while it is larger than what the
model knows of the difference, and both fall below chance. *match* (ours) leaves it out: the right
assignment of captions to videos scores higher than the swapped one; chance is 1/2.
"""

from collections import defaultdict
from collections.abc import Sequence

import torch
from torch import Tensor


def pair_scores(scores: Tensor, factors: Sequence[str] | None = None) -> dict[str, float]:
    """All five scores in percent, over all pairs and by factor.

    ``single`` is the share of videos that prefer their own caption, ``match`` the share of pairs
    whose right assignment wins, s00 + s11 > s01 + s10 (chance 1/2 each).

    Args:
        scores: (P, 2, 2); [p, k, c] is the score of caption c for video k.
        factors: (P,) names; adds ``<factor>_<score>`` for each and ``mean_<score>``, the mean of
            the factors, which does not depend on how many pairs each one has.

    Raises:
        ValueError: another shape, no pair, or a value that is not finite.
    """
    if scores.dim() != 3 or scores.shape[1:] != (2, 2) or not len(scores) \
            or (factors is not None and len(factors) != len(scores)):
        raise ValueError(f'scores {tuple(scores.shape)} with '
                         f'{None if factors is None else len(factors)} factors: (P, 2, 2) and P')
    bad = ~torch.isfinite(scores).flatten(1).all(1)
    if bad.any():
        raise ValueError(f'the scores of {int(bad.sum())} pairs are not finite, the first at '
                         f'{int(bad.nonzero()[0])}')
    s = scores.double()
    own_caption = torch.stack([s[:, 0, 0] > s[:, 0, 1], s[:, 1, 1] > s[:, 1, 0]], 1)
    own_video = torch.stack([s[:, 0, 0] > s[:, 1, 0], s[:, 1, 1] > s[:, 0, 1]], 1)
    text, video = own_caption.all(1), own_video.all(1)
    right = {'text': text, 'video': video, 'group': text & video,
             'single': own_caption.double().mean(1),
             'match': s[:, 0, 0] + s[:, 1, 1] > s[:, 0, 1] + s[:, 1, 0]}
    out = {name: 100 * float(value.double().mean()) for name, value in right.items()}
    if factors is None:
        return out
    rows: dict[str, list[int]] = defaultdict(list)
    for i, factor in enumerate(factors):
        rows[factor].append(i)
    for name, value in right.items():
        by_factor = {f: 100 * float(value[r].double().mean()) for f, r in sorted(rows.items())}
        out |= {f'{factor}_{name}': share for factor, share in by_factor.items()}
        out[f'mean_{name}'] = sum(by_factor.values()) / len(by_factor)
    return out

"""Text-video retrieval in both directions, any number of captions a video.

``rank = 1 + number of gallery items with a strictly higher score``. Ties thus count for the query
(a model that gives one score to everything would rank first everywhere), so the share of queries
whose truth ties with a wrong item is returned beside the ranks, and the metric warns when there
is one. A video's query has several true captions; its rank is the best one's, among all captions
that are not its own (convention of the field for multi-caption data sets such as MSVD).

Shapes: N texts, V videos, Q vectors a video (1, or the queries of a multi-vector model, of which
the best counts), E width.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class RetrievalRanks(NamedTuple):
    """t2v (N,) and v2t (V,) ranks, long; ties of each: (N,) and (V,) bool, True = the truth has
    the same score as a wrong item."""

    t2v: Tensor
    v2t: Tensor
    t2v_tied: Tensor
    v2t_tied: Tensor


def retrieval_ranks(text_emb: Tensor, video_emb: Tensor, video_of_text: Tensor,
                    normalize: bool = True, chunk: int = 4096) -> RetrievalRanks:
    """Ranks of the truth, without ever holding more than (chunk, V, Q) scores.

    Args:
        text_emb: (N, E). video_emb: (V, E) or (V, Q, E).
        video_of_text: (N,) index of the video that a text is true of.
        normalize: cosine instead of the inner product.
        chunk: texts scored at a time.

    Raises:
        ValueError: shapes that do not fit, a NaN or infinite value, a video index out of range,
            or a video without any text.
    """
    video_emb = video_emb if video_emb.dim() == 3 else video_emb.unsqueeze(1)
    _check(text_emb, video_emb, video_of_text)
    text, video = text_emb.float(), video_emb.float()
    if normalize:
        text = torch.nn.functional.normalize(text, dim=-1)
        video = torch.nn.functional.normalize(video, dim=-1)
    truth = video_of_text.long()
    best = torch.full((len(video),), -torch.inf, device=text.device)
    t2v, t2v_tied = [], []
    for rows in torch.arange(len(text), device=text.device).split(chunk):
        scores = _scores(text[rows], video)
        own = scores.gather(1, truth[rows, None])
        t2v.append(1 + (scores > own).sum(1))
        t2v_tied.append((scores == own).sum(1) > 1)
        best = best.scatter_reduce(0, truth[rows], own[:, 0], 'amax')
    better = torch.zeros(len(video), dtype=torch.long, device=text.device)
    tied = torch.zeros(len(video), dtype=torch.bool, device=text.device)
    for rows in torch.arange(len(text), device=text.device).split(chunk):
        scores = _scores(text[rows], video)
        wrong = truth[rows, None] != torch.arange(len(video), device=text.device)
        better += ((scores > best) & wrong).sum(0)
        tied |= ((scores == best) & wrong).any(0)
    return RetrievalRanks(torch.cat(t2v), 1 + better, torch.cat(t2v_tied), tied)


def rank_statistics(ranks: Tensor, at: tuple[int, ...] = (1, 5, 10)) -> dict[str, float]:
    """``R1, R5, R10`` in percent, median ``MdR`` and mean ``MnR`` of (N,) ranks.

    The median of an even number is the mean of the two middle ranks.

    Raises:
        ValueError: no ranks, or one below 1.
    """
    if ranks.numel() == 0 or int(ranks.min()) < 1:
        raise ValueError(f'{ranks.numel()} ranks, smallest '
                         f'{int(ranks.min()) if ranks.numel() else None}: at least one, from 1 on')
    ranks = ranks.double()
    out = {f'R{k}': 100 * float((ranks <= k).double().mean()) for k in at}
    out['MdR'] = float(ranks.quantile(0.5)) if ranks.numel() < 1 << 23 else float(ranks.median())
    out['MnR'] = float(ranks.mean())
    return out


def _scores(text: Tensor, video: Tensor) -> Tensor:
    """(n, E) x (V, Q, E) -> (n, V), the best of the Q."""
    return torch.einsum('ne,vqe->nvq', text, video).amax(-1)


def _check(text: Tensor, video: Tensor, truth: Tensor) -> None:
    if text.dim() != 2 or video.dim() != 3 or text.shape[1] != video.shape[2] \
            or truth.shape != text.shape[:1]:
        raise ValueError(f'texts {tuple(text.shape)}, videos {tuple(video.shape)} and their '
                         f'assignment {tuple(truth.shape)} do not fit: (N, E), (V[, Q], E), (N,)')
    for name, value in (('text', text), ('video', video)):
        bad = ~torch.isfinite(value).flatten(1).all(1)
        if bad.any():
            raise ValueError(f'{int(bad.sum())} {name} embeddings are not finite, the first at '
                             f'row {int(bad.nonzero()[0])}')
    have = torch.bincount(truth.long(), minlength=len(video)) if int(truth.min()) >= 0 else None
    if have is None or len(have) > len(video):
        raise ValueError(f'video_of_text must lie in 0..{len(video) - 1}')
    if int(have.min()) == 0:
        raise ValueError(f'video {int(have.argmin())} has no text')

"""R@1, R@5, R@10, median and mean rank, text to video and back."""

import logging
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.logging import print_log

from finsta.evaluation.functional import rank_statistics, retrieval_ranks
from finsta.evaluation.metrics.base import SampleMetric
from finsta.registry import METRICS


@METRICS.register_module()
class RetrievalMetric(SampleMetric):
    """Predictions hold ``sample_id``, ``video_id``, ``video_emb`` (E,) or (Q, E), ``text_embs``
    (K, E) and ``caption_ids`` (K,).

    Gives ``t2v_R1, t2v_R5, t2v_R10`` in percent, ``t2v_MdR``, ``t2v_MnR``, the same for ``v2t``,
    and ``tied``: the percentage of queries whose truth ties with a wrong item.

    Args:
        at: the k of R@k.
        normalize: cosine; False for embeddings whose inner product is the score.
        chunk: texts scored at a time against all videos; bounds the memory of a large gallery.
        dump, prefix, collect_device: of :class:`SampleMetric`; the dump holds ranks, no vectors.

    Rows of one video (one per caption) are joined; its first ``video_emb`` counts.
    """

    default_prefix = 'retrieval'

    def __init__(self, at: Sequence[int] = (1, 5, 10), normalize: bool = True, chunk: int = 4096,
                 **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.at, self.normalize, self.chunk = tuple(at), normalize, chunk

    def reduce(self, sample: dict[str, Any]) -> dict[str, Any]:
        texts = torch.as_tensor(sample['text_embs']).detach().float().cpu()
        ids = list(sample['caption_ids'])
        if texts.dim() != 2 or len(texts) != len(ids):
            raise ValueError(f'{sample["sample_id"]}: text_embs {tuple(texts.shape)} for '
                             f'{len(ids)} caption_ids; expected (K, E) and K')
        return {'sample_id': sample['sample_id'], 'video_id': sample['video_id'],
                'video_emb': torch.as_tensor(sample['video_emb']).detach().float().cpu(),
                'text_embs': texts, 'caption_ids': ids}

    def score(self, results: list[dict[str, Any]]) -> tuple[dict[str, float], list[dict]]:
        videos: dict[str, int] = {}
        video_emb, text_emb, truth, names = [], [], [], []
        for result in results:
            if result['video_id'] not in videos:
                videos[result['video_id']] = len(videos)
                emb = result['video_emb']
                video_emb.append(emb if emb.dim() == 2 else emb[None])
            text_emb.append(result['text_embs'])
            truth += [videos[result['video_id']]] * len(result['caption_ids'])
            names += result['caption_ids']
        ranks = retrieval_ranks(torch.cat(text_emb), torch.stack(video_emb), torch.tensor(truth),
                                self.normalize, self.chunk)
        tied = torch.cat([ranks.t2v_tied, ranks.v2t_tied]).double().mean().item() * 100
        if tied:
            print_log(f'retrieval: the truth ties with a wrong item for {tied:.2f} % of the '
                      'queries; ties count for the query', logger='current',
                      level=logging.WARNING)
        scores = {f't2v_{k}': v for k, v in rank_statistics(ranks.t2v, self.at).items()}
        scores |= {f'v2t_{k}': v for k, v in rank_statistics(ranks.v2t, self.at).items()}
        scores['tied'] = tied
        rows = [{'query': name, 'direction': 't2v', 'rank': rank}
                for name, rank in zip(names, ranks.t2v.tolist(), strict=True)]
        rows += [{'query': name, 'direction': 'v2t', 'rank': rank}
                 for name, rank in zip(videos, ranks.v2t.tolist(), strict=True)]
        return scores, rows

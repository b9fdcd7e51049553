"""Text, video and group score of minimal pairs, by factor."""

from typing import Any

import torch

from finsta.evaluation.functional import pair_scores
from finsta.evaluation.metrics.base import SampleMetric
from finsta.registry import METRICS


@METRICS.register_module()
class MinimalPairMetric(SampleMetric):
    """Predictions hold ``pair_id``, ``factor``, ``video`` (0 or 1) and ``scores`` (2,) of the two
    captions for that video.

    Gives the scores of :func:`pair_scores` in percent: ``group``, ``mean_group``,
    ``<factor>_group`` and so on.

    Args:
        dump, prefix, collect_device: of :class:`SampleMetric`.
    """

    default_prefix = 'pairs'

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)

    def identity(self, result: dict[str, Any]) -> Any:
        return result['pair_id'], result['video']

    def reduce(self, sample: dict[str, Any]) -> dict[str, Any]:
        scores = [float(s) for s in sample['scores']]
        if len(scores) != 2 or int(sample['video']) not in (0, 1):
            raise ValueError(f'pair {sample["pair_id"]!r}: video {sample["video"]!r} with '
                             f'{len(scores)} scores; expected 0 or 1 and two scores')
        return {'pair_id': sample['pair_id'], 'factor': sample['factor'],
                'video': int(sample['video']), 'scores': scores}

    def score(self, results: list[dict[str, Any]]) -> tuple[dict[str, float], list[dict]]:
        pairs: dict[Any, dict[int, list[float]]] = {}
        factors: dict[Any, str] = {}
        for result in results:
            pairs.setdefault(result['pair_id'], {})[result['video']] = result['scores']
            factors[result['pair_id']] = result['factor']
        half = [pair for pair, videos in pairs.items() if len(videos) != 2]
        if half:
            raise ValueError(f'{len(half)} pairs have one video only, e.g. {half[0]!r}; test '
                             'whole pairs')
        table = torch.tensor([[videos[0], videos[1]] for videos in pairs.values()])
        rows = [{'pair_id': pair, 'factor': factors[pair], 'scores': table[i].tolist()}
                for i, pair in enumerate(pairs)]
        return pair_scores(table, [factors[pair] for pair in pairs]), rows

"""Accuracy of open-ended answers."""

from typing import Any

from finsta.evaluation.functional import accuracy
from finsta.evaluation.metrics.base import SampleMetric
from finsta.registry import METRICS


@METRICS.register_module()
class QAAccuracy(SampleMetric):
    """Predictions hold ``sample_id``, ``answer``, ``answer_id``, ``pred``, ``pred_id``, ``meta``.

    Answers are compared as strings where both are there, else by class. An answer outside of the
    vocabulary (``answer_id`` -1) stays in the denominator and can only be right as a string.
    Gives ``acc`` and ``acc_<type>`` in percent, and ``out_of_vocabulary`` in percent.

    Args:
        type_key: key of ``meta`` that splits the questions; None does not split.
        dump, prefix, collect_device: of :class:`SampleMetric`.
    """

    default_prefix = 'qa'

    def __init__(self, type_key: str | None = 'question_type', **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.type_key = type_key

    def reduce(self, sample: dict[str, Any]) -> dict[str, Any]:
        meta = sample.get('meta') or {}
        return {'sample_id': sample['sample_id'], 'answer': sample.get('answer'),
                'answer_id': int(sample.get('answer_id', -1)), 'pred': sample.get('pred'),
                'pred_id': int(sample['pred_id']) if sample.get('pred_id') is not None else None,
                'type': str(meta.get(self.type_key, 'other')) if self.type_key else None}

    def score(self, results: list[dict[str, Any]]) -> tuple[dict[str, float], list[dict]]:
        predictions, truths = [], []
        for result in results:
            by_word = result['pred'] is not None and result['answer'] is not None
            if not by_word and (result['pred_id'] is None or result['answer_id'] < 0):
                raise ValueError(f'{result["sample_id"]}: neither pred and answer nor pred_id and '
                                 'answer_id are given')
            predictions.append(_clean(result['pred']) if by_word else result['pred_id'])
            truths.append(_clean(result['answer']) if by_word else result['answer_id'])
        types = [r['type'] for r in results] if self.type_key else None
        scores = accuracy(predictions, truths, types)
        unknown = sum(r['answer_id'] < 0 for r in results)
        scores['out_of_vocabulary'] = 100 * unknown / len(results)
        return scores, [dict(r, right=p == t) for r, p, t in
                        zip(results, predictions, truths, strict=True)]


def _clean(answer: str) -> str:
    return ' '.join(str(answer).lower().split())

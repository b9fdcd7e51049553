"""Accuracy of answers, overall and by type."""

from collections import defaultdict
from collections.abc import Sequence


def accuracy(predictions: Sequence, truths: Sequence, types: Sequence[str] | None = None
             ) -> dict[str, float]:
    """Share of equal entries in percent: ``acc`` and, with types, ``acc_<type>`` for each.

    Args:
        predictions, truths: strings or class indices. None and NaN are no predictions.
        types: e.g. the question type of each entry.

    Raises:
        ValueError: unequal lengths, nothing to score, or a missing or NaN prediction.
    """
    if not len(predictions) or len(predictions) != len(truths) \
            or (types is not None and len(types) != len(truths)):
        raise ValueError(f'{len(predictions)} predictions for {len(truths)} truths'
                         + ('' if types is None else f' of {len(types)} types'))
    right: dict[str, list[bool]] = defaultdict(list)
    for i, (prediction, truth) in enumerate(zip(predictions, truths, strict=True)):
        if prediction is None or prediction != prediction:
            raise ValueError(f'prediction {i} is {prediction!r}')
        hit = bool(prediction == truth)
        right['acc'].append(hit)
        if types is not None:
            right[f'acc_{types[i]}'].append(hit)
    return {name: 100 * sum(hits) / len(hits) for name, hits in sorted(right.items())}

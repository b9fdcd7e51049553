"""What the metrics share: one result per sample, collected on the CPU, dumped as JSON."""

import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.evaluator import BaseMetric


class SampleMetric(BaseMetric):
    """Collects one dictionary per sample.

    In distributed testing the loader repeats samples so that all processes have equally many;
    the repeats are dropped by their id (``key``).

    Args:
        dump: file for the scores and the per-sample results, as JSON; None writes nothing.
        prefix, collect_device: as in mmengine.
    """

    key = 'sample_id'

    def __init__(self, dump: str | None = None, prefix: str | None = None,
                 collect_device: str = 'cpu') -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.dump = dump

    def identity(self, result: dict[str, Any]) -> Any:
        """What makes a result unique."""
        return result[self.key]

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep the model's predictions, one per sample."""
        self.results.extend(self.reduce(sample) for sample in data_samples)

    def reduce(self, sample: dict[str, Any]) -> dict[str, Any]:
        """What is kept of a prediction."""
        raise NotImplementedError

    def score(self, results: list[dict[str, Any]]) -> tuple[dict[str, float], list[dict]]:
        """Scores, and per-sample rows for the dump."""
        raise NotImplementedError

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Scores of the whole data set; called in the main process.

        Raises:
            ValueError: when there is nothing to score.
        """
        unique = {self.identity(r): r for r in reversed(results)}
        if not unique:
            raise ValueError(f'{type(self).__name__}: the test set gave no prediction')
        scores, rows = self.score(list(unique.values())[::-1])
        if self.dump is not None:
            write_json(self.dump, {'scores': scores, 'samples': rows})
        return scores


def write_json(path: str | os.PathLike, data: Any) -> None:
    """Write aside, then rename: a killed run leaves no half file."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile('w', dir=path.parent, suffix='.tmp', delete=False,
                                     encoding='utf-8') as file:
        json.dump(data, file, indent=1, ensure_ascii=False)
    os.replace(file.name, path)

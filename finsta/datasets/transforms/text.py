"""Which text of a row is used."""

from dataclasses import replace
from typing import Any

import numpy as np

from finsta.datasets.transforms.base import Transform
from finsta.registry import TRANSFORMS


@TRANSFORMS.register_module()
class ChooseCaption(Transform):
    """Puts one of ``sample.captions`` into ``sample.text``: a random one in training, the first
    in test mode. Rows without ``captions`` stay as they are."""

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        sample = results['sample']
        if sample.captions:
            test = results.get('test_mode', False)
            chosen = 0 if test else int(np.random.randint(len(sample.captions)))
            results['sample'] = replace(sample, text=sample.captions[chosen])
        return results

"""Features of a frozen frame tower from disk, in the place of decoding a video."""

import os
from typing import Any

import numpy as np
from mmengine.dataset import Compose

from finsta.datasets.feature_store import BLANK, FeatureStore, FeatureStoreError, Key
from finsta.datasets.transforms.base import Transform
from finsta.datasets.transforms.video import VideoError
from finsta.registry import TRANSFORMS

# arguments that say where things lie, not what the frames are
_PLACES = ('cache', 'backend')


def recipe_of(pipeline: list[dict]) -> list[dict]:
    """What of a pixel pipeline decides the tower's input; a frame cache counts by the size to
    which it scales and the frames that it keeps."""
    recipe = []
    for step in pipeline:
        kept = {k: v for k, v in step.items() if k not in _PLACES}
        if step.get('cache'):
            kept['cache'] = {k: v for k, v in step['cache'].items()
                             if k in ('short_side', 'max_frames')}
        recipe.append(kept)
    return recipe


@TRANSFORMS.register_module()
class LoadFrameFeatures(Transform):
    """Reads what a frozen frame tower makes of ``results['sample']``.

    Stands in the place of the steps that read and prepare frames. Adds ``features`` (F, S, C),
    ``features_tower``, ``frame_mask``, ``frame_times`` and ``crop``. The frames are those of test
    mode: nothing random can be cached.

    Args:
        root: folder of the :class:`FeatureStore`, filled by tools/misc/cache_features.py.
        pipeline: the steps it replaces (LoadVideoFrames .. PadFrames), as the tool ran them.

    Raises:
        FeatureStoreError: stale features, no row for a video, a video of another size than then.
        VideoError: the tool could not read the video; the data set decides what that means.
    """

    def __init__(self, root: str, pipeline: list[dict]) -> None:
        self.root, self.pipeline = root, pipeline
        self._store: FeatureStore | None = None
        self._steps: Compose | None = None

    def store(self, **kwargs: Any) -> FeatureStore:
        """The store, opened with this recipe; ``kwargs`` as of :class:`FeatureStore`."""
        return FeatureStore(self.root, recipe_of(self.pipeline), **kwargs)

    def pixels(self, results: dict[str, Any]) -> dict[str, Any]:
        """The replaced steps, in test mode."""
        if self._steps is None:
            self._steps = Compose(self.pipeline)
        return self._steps(dict(results, test_mode=True))

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        if self._store is None:
            self._store = self.store()
        sample = results['sample']
        key = BLANK if results.get('blank_video') else key_of(sample)
        reason = self._store.failure(key)
        if reason is not None:
            raise VideoError(sample.video_path, 'no_features', reason,
                             'repair the video and run tools/misc/cache_features.py again')
        row = self._store.get(key)
        if key != BLANK and row.file_bytes != (size := file_bytes(sample.video_path)):
            raise FeatureStoreError(
                f'{sample.video_path} has {size} bytes, {row.file_bytes} when its features were '
                f'made: they are stale. Fill another folder than {self.root}, '
                'or bring the file back')
        results.update(features=row.tokens, features_tower=self._store.tower,
                       frame_mask=row.mask, frame_times=row.times, crop=row.crop)
        return results


def key_of(sample: Any) -> Key:
    """The key of a sample's video or segment."""
    return Key(sample.video_id, sample.start, sample.end)


def file_bytes(path: str) -> int:
    """Size of a file, -1 where there is none."""
    try:
        return os.stat(path).st_size
    except OSError:
        return -1


def stack_features(rows: list[dict[str, Any]]) -> tuple[np.ndarray, np.ndarray, str]:
    """Features of a batch: tokens (B, F, S, C), mask (B, F), the tower's fingerprint.

    Raises:
        ValueError: features of several towers or shapes in one batch.
    """
    if lacking := [row['sample'].sample_id for row in rows if 'features' not in row]:
        raise ValueError(f'{len(lacking)} of {len(rows)} samples have no cached features, e.g. '
                         f'{lacking[0]!r}; use LoadFrameFeatures for all data sets of a loader or '
                         'for none')
    towers = {row['features_tower'] for row in rows}
    shapes = {row['features'].shape[1:] for row in rows}
    if len(towers) != 1 or len(shapes) != 1:
        raise ValueError(f'features of different towers or shapes in one batch: {sorted(towers)}, '
                         f'{sorted(shapes)} (tokens, width)')
    longest = max(len(row['features']) for row in rows)
    first = rows[0]['features']
    tokens = np.zeros((len(rows), longest, *first.shape[1:]), first.dtype)
    mask = np.zeros((len(rows), longest), bool)
    for b, row in enumerate(rows):
        tokens[b, :len(row['features'])] = row['features']
        mask[b, :len(row['frame_mask'])] = row['frame_mask']
    return tokens, mask, towers.pop()

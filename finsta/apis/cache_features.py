"""Fills the feature stores that a config's pipelines read (LoadFrameFeatures). Resumable."""

import copy
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from torch.utils.data import DataLoader, Dataset

from finsta.datasets.collate import stack_frames
from finsta.datasets.feature_store import (
    BLANK,
    FeatureRow,
    FeatureStore,
    FeatureStoreError,
    Key,
)
from finsta.datasets.transforms.features import LoadFrameFeatures, file_bytes, key_of
from finsta.datasets.transforms.video import VideoError
from finsta.engine.checkpoint import load_weights
from finsta.models import FinstaModel
from finsta.models.backbones.saved import take_sizes
from finsta.registry import DATASETS
from finsta.structures import VideoTextSample

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


class _Videos(Dataset):
    """Frames of samples, one at a time, or what is wrong with them."""

    def __init__(self, samples: list[VideoTextSample | None], step: LoadFrameFeatures) -> None:
        self.samples, self.step = samples, step

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, i: int) -> tuple[Key, Any, int]:
        sample = self.samples[i]
        if sample is None:
            given = {'sample': VideoTextSample('', ''), 'blank_video': True}
            return BLANK, self.step.pixels(given), -1
        key = key_of(sample)
        try:
            return key, self.step.pixels({'sample': sample}), file_bytes(sample.video_path)
        except VideoError as error:
            return key, str(error), -1


def feature_steps(config: Config) -> list[tuple[LoadFrameFeatures, list[VideoTextSample]]]:
    """The LoadFrameFeatures of a config's loaders, and the samples that each serves.

    Raises:
        ValueError: no loader has one.
    """
    found = []
    for name in LOADERS:
        given = (config.get(name) or {}).get('dataset')
        if given is None:
            continue
        given = copy.deepcopy(given)
        # the data set itself puts data_root into the strings of its pipeline
        dataset = DATASETS.build(dict(given, test_mode=True))
        steps = [t for t in dataset.pipeline.transforms if isinstance(t, LoadFrameFeatures)]
        if steps:
            found.append((steps[0], [dataset.get_sample(i) for i in range(len(dataset))]))
    if not found:
        raise ValueError('no loader of the config has LoadFrameFeatures in its pipeline, so there '
                         'is nothing to fill; see configs/stgt/pretrain_stage1_cached.py')
    return found


def build_backbone(config: Config, weights: str | None) -> torch.nn.Module:
    """The config's backbone in evaluation mode, with ``weights`` or the config's ``load_from``.

    Raises:
        ValueError: a backbone without a frozen tower.
    """
    source = weights or config.get('load_from')
    take_sizes(config.model.backbone, source)
    model = FinstaModel(backbone=config.model.backbone)
    model.backbone.init_weights()
    if source:
        load_weights(model, source)
    backbone = model.backbone.eval()
    if not getattr(backbone, 'freeze_vision', False) or not hasattr(backbone, 'frame_tokens'):
        raise ValueError(f'{type(backbone).__name__} has no frozen frame tower; set '
                         'model.backbone.freeze_vision=True of an STGT')
    return backbone


class Filler:
    """Runs the tower on what a store lacks.

    Args:
        backbone: with ``frame_tokens``, ``preprocess_frames`` and ``tower_fingerprint``.
        dtype: 'fp16' or 'fp32'. batch: videos at a time. workers: processes that read videos.
        max_bytes: a store may not grow beyond it. flush_bytes: of a shard.
        device: where the tower runs.
    """

    def __init__(self, backbone: torch.nn.Module, dtype: str = 'fp16', batch: int = 8,
                 workers: int = 0, max_bytes: int = 50 << 30, flush_bytes: int = 128 << 20,
                 device: str = 'cpu') -> None:
        self.backbone, self.batch, self.workers = backbone.to(device), batch, workers
        self.max_bytes, self.device = max_bytes, device
        self.options = dict(dtype=dtype, flush_bytes=flush_bytes, readonly=False,
                            tower=backbone.tower_fingerprint())

    def fill(self, step: LoadFrameFeatures, samples: Iterable[VideoTextSample], bar=None
             ) -> dict[str, int]:
        """Add what is missing. What is there is read first, and counts as missing where its
        checksum fails.

        Args:
            bar: a tqdm bar; gets its total and a step for each video.

        Returns:
            counts: kept, added, unreadable.

        Raises:
            FeatureStoreError: a store of another tower or recipe, or one that would outgrow
                ``max_bytes``: nothing is written then.
        """
        with step.store(**self.options) as store:
            wanted = {BLANK: None} | {key_of(s): s for s in samples}
            store.verify(wanted)
            missing = [s for k, s in wanted.items() if k not in store]
            counts = {'kept': len(wanted) - len(missing), 'added': 0, 'unreadable': 0}
            if bar is not None:
                bar.reset(total=len(missing))
            for keys, rows, bad in self._rows(_Videos(missing, step)):
                if counts['added'] == 0 and rows:
                    self._check_room(store, rows[0], len(missing))
                for key, row in zip(keys, rows, strict=True):
                    store.put(key, row)
                for key, reason in bad:
                    store.put_failure(key, reason)
                counts['added'] += len(rows)
                counts['unreadable'] += len(bad)
                if bar is not None:
                    bar.update(len(rows) + len(bad))
        return counts

    def _rows(self, videos: _Videos) -> Iterator[tuple[list[Key], list[FeatureRow], list]]:
        loader = DataLoader(videos, self.batch, num_workers=self.workers, collate_fn=list)
        for batch in loader:
            bad = [(key, found) for key, found, _ in batch if isinstance(found, str)]
            good = [(key, found, size) for key, found, size in batch if not isinstance(found, str)]
            yield [key for key, *_ in good], self._encode(good), bad

    @torch.no_grad()
    def _encode(self, good: list[tuple[Key, dict, int]]) -> list[FeatureRow]:
        rows = []
        # black frames have a size of their own
        for group in _by_size(good):
            frames, mask = stack_frames([r['frames'] for _, r, _ in group],
                                        [np.asarray(r['frame_mask']) for _, r, _ in group])
            frames, mask = frames.to(self.device), mask.to(self.device)
            tokens = self.backbone.frame_tokens(self.backbone.preprocess_frames(frames), mask)
            for (_, found, size), own in zip(group, tokens.float().cpu().numpy(), strict=True):
                valid = np.asarray(found['frame_mask'], bool)
                rows.append(FeatureRow(own[:len(valid)], valid, np.asarray(found['frame_times']),
                                       np.asarray(found['crop']), size))
        return rows

    def _check_room(self, store: FeatureStore, row: FeatureRow, count: int) -> None:
        each = row.tokens.size * (2 if self.options['dtype'] == 'fp16' else 4)
        there = sum(f.stat().st_size for f in store.root.rglob('*.parquet'))
        if there + each * count > self.max_bytes:
            raise FeatureStoreError(
                f'{count} videos of {each / 2 ** 20:.2f} MiB each and {there / 2 ** 30:.2f} GiB '
                f'that are there do not fit max_bytes={self.max_bytes} '
                f'({self.max_bytes / 2 ** 30:.1f} GiB) for {store.root}; raise --max-gb, use fp16 '
                'or fewer frames')


def _by_size(good: list) -> Iterator[list]:
    """Runs of neighbours whose frames have one size, in order."""
    group: list = []
    for item in good:
        if group and item[1]['frames'].shape[1:3] != group[0][1]['frames'].shape[1:3]:
            yield group
            group = []
        group.append(item)
    if group:
        yield group


def fill_from_config(config: Config, weights: str | None = None, show=None, **options: Any
                     ) -> dict[str, dict[str, int]]:
    """Fill every store of a config; ``show`` makes a progress bar of a description.

    Returns:
        root of the store -> counts of :meth:`Filler.fill`, added up over the loaders.
    """
    steps = feature_steps(config)   # first, since without them the backbone does not matter
    filler = Filler(build_backbone(config, weights), **options)
    totals: dict[str, dict[str, int]] = {}
    for step, samples in steps:
        bar = None if show is None else show(step.root)
        counts = filler.fill(step, samples, bar)
        if bar is not None:
            bar.close()
        seen = totals.setdefault(step.root, dict.fromkeys(counts, 0))
        for name, value in counts.items():
            seen[name] += value
    return totals


__all__ = ['LOADERS', 'Filler', 'build_backbone', 'feature_steps',
           'fill_from_config']

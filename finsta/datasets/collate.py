"""Samples of a batch -> what the model's ``forward`` takes.

Shapes: B samples, F frames (the longest of the batch), T key frames.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from finsta.datasets.transforms.features import stack_features
from finsta.registry import FUNCTIONS
from finsta.structures import HolisticBatch
from finsta.structures.frame_features import FrameFeatures


@FUNCTIONS.register_module()
def video_text_collate(batch: Sequence[dict[str, Any]], keep_graphs: bool = False
                       ) -> dict[str, Any]:
    """Pads and packs.

    Args:
        batch: results of the pipeline.
        keep_graphs: leave the graphs in ``data_samples`` too; by default they travel only in
            packed form, which is much cheaper between processes.

    Returns:
        ``inputs``: frames uint8 (B, F, 3, H, W), or FrameFeatures where the pipeline has
        LoadFrameFeatures; frame_mask (B, F) bool, True = a frame; crop (B, 4) fractions; texts, B
        strings; graphs, a HolisticBatch or None; graph_frames (B, T) with -1 as padding, or None;
        negative_texts, B lists, or None. ``data_samples``: B VideoTextSamples.

    Raises:
        ValueError: frames of different sizes, or graphs in a part of the batch only.
    """
    samples = [row['sample'] for row in batch]
    if any('features' in row for row in batch):
        tokens, mask, tower = stack_features(batch)
        frames, mask = FrameFeatures(torch.from_numpy(tokens), tower), torch.from_numpy(mask)
    else:
        frames, mask = stack_frames([row['frames'] for row in batch],
                                    [np.asarray(row['frame_mask']) for row in batch])
    have = [s.hsg is not None for s in samples]
    if any(have) and not all(have):
        lacking = samples[have.index(False)].sample_id
        raise ValueError(f'{len(have) - sum(have)} of {len(have)} samples have no graphs, e.g. '
                         f'{lacking!r}; use LoadGraphs for all data sets of a loader or for none')
    graphs = HolisticBatch.from_graphs([s.hsg for s in samples]) if all(have) else None
    negatives = [row.get('negative_texts') for row in batch]
    inputs = dict(
        frames=frames, frame_mask=mask,
        crop=torch.tensor(np.stack([row['crop'] for row in batch]), dtype=torch.float32),
        texts=[s.text for s in samples], graphs=graphs,
        graph_frames=_ragged([row['graph_frames'] for row in batch]) if all(have) else None,
        negative_texts=None if any(n is None for n in negatives) else [list(n) for n in negatives])
    if not keep_graphs and graphs is not None:
        samples = [replace(s, tsg=None, dsg=None, hsg=None) for s in samples]
    return dict(inputs=inputs, data_samples=samples)


def stack_frames(clips: list[np.ndarray], masks: list[np.ndarray]
                 ) -> tuple[torch.Tensor, torch.Tensor]:
    """(F_b, H, W, 3) arrays -> (B, F, 3, H, W) and (B, F)."""
    sizes = {clip.shape[1:3] for clip in clips}
    if len(sizes) != 1:
        raise ValueError(f'frames of different sizes in one batch: {sorted(sizes)} (height, '
                         'width); end the pipeline with a crop or ResizeFrames((height, width))')
    height, width = sizes.pop()
    longest = max(len(clip) for clip in clips)
    frames = torch.zeros(len(clips), longest, 3, height, width, dtype=torch.uint8)
    mask = torch.zeros(len(clips), longest, dtype=torch.bool)
    for b, (clip, valid) in enumerate(zip(clips, masks, strict=True)):
        frames[b, :len(clip)] = torch.from_numpy(np.ascontiguousarray(clip)).permute(0, 3, 1, 2)
        mask[b, :len(clip)] = torch.from_numpy(valid)
    return frames, mask


def _ragged(rows: list[np.ndarray]) -> torch.Tensor:
    """(B, T) long, padded with -1."""
    out = torch.full((len(rows), max(len(row) for row in rows)), -1, dtype=torch.long)
    for b, row in enumerate(rows):
        out[b, :len(row)] = torch.from_numpy(np.asarray(row, np.int64))
    return out

"""Cached outputs of a frozen frame tower: which tower made them, and is it this one? Ours.

The fingerprint covers the tower's weights and buffers, its config, and the pixel normalisation
(size, mean, std), so that features of other weights or another size are refused, not used.
"""

import hashlib
import json
from typing import Any

import torch
from torch import Tensor, nn

from finsta.structures.frame_features import FrameFeatures

VERSION = 1


class TowerFingerprint:
    """Fingerprint of a tower, computed again only after its tensors were changed or moved."""

    def __init__(self) -> None:
        self._seen: tuple | None = None
        self._text = ''

    def __call__(self, tower: nn.Module, config: dict[str, Any], norm: nn.Module) -> str:
        """Hex digest.

        Args:
            tower: the frozen module. config: JSON-able sizes of it.
            norm: :class:`blocks.PixelNorm`, what the frames go through before the tower.
        """
        state = tower.state_dict(keep_vars=True)
        seen = tuple((k, v.data_ptr(), v._version) for k, v in state.items())
        if seen != self._seen:
            digest = hashlib.sha256(json.dumps(
                [VERSION, config, list(norm.size), norm.mean.flatten().tolist(),
                 norm.std.flatten().tolist()], sort_keys=True, default=str).encode())
            for name, value in sorted(state.items()):
                digest.update(f'{name} {tuple(value.shape)} {value.dtype}'.encode())
                digest.update(_bytes(value))
            self._text, self._seen = digest.hexdigest()[:32], seen
        return self._text

    def __deepcopy__(self, memo: dict) -> 'TowerFingerprint':
        return TowerFingerprint()


def _bytes(value: Tensor) -> memoryview:
    flat = value.detach().cpu().contiguous().reshape(-1)
    return memoryview(flat.view(torch.uint8).numpy())


def check_features(features: FrameFeatures, tower: str, frozen: bool, cells: int, width: int
                   ) -> None:
    """Cached features against the tower that would make them.

    Args:
        tower: fingerprint of the model's own tower. frozen: it is not trained.
        cells: patches of a frame. width: C.

    Raises:
        ValueError: a trained tower, another tower, tokens of another shape.
    """
    if not frozen:
        raise ValueError('cached frame features need freeze_vision=True: a tower that is trained '
                         'makes other features after every step')
    if features.tokens.shape[2:] != (1 + cells, width):
        raise ValueError(f'cached features have {tuple(features.tokens.shape[2:])} (tokens, '
                         f'width) a frame, the tower makes {(1 + cells, width)}')
    if features.tower != tower:
        raise ValueError(
            f'cached features are stale: made by the tower {features.tower}, the model has '
            f'{tower} (weights, sizes or pixel normalisation differ). Fill another folder with '
            'tools/misc/cache_features.py and these weights, or load the weights that made them')

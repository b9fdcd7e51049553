"""Outputs of a frozen frame tower that stand in a batch in the place of its pixels."""

from typing import NamedTuple

import torch
from torch import Tensor


class FrameFeatures(NamedTuple):
    """Cached tower outputs of B samples; a named tuple, so that loaders move it like tensors.
    ``len`` and ``[]`` are the tuple's, hence not of the batch: use ``shape[0]`` and ``tokens``.

    Attributes:
        tokens: (B, F, S, C) float16 or float32: S tokens of each frame, 0 for padded frames.
        tower: fingerprint of the tower and its preprocessing that made them.
    """

    tokens: Tensor
    tower: str

    @property
    def device(self) -> torch.device:
        """Of the tokens."""
        return self.tokens.device

    @property
    def shape(self) -> torch.Size:
        """(B, F, S, C)."""
        return self.tokens.shape

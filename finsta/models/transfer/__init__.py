"""Losses that carry what the structure learned into the host."""

from finsta.models.transfer.distances import (
    NodeTransfer,
    PooledTransfer,
    RelationalTransfer,
    TokenAlignment,
)
from finsta.models.transfer.inputs import TransferInputs

__all__ = ['NodeTransfer', 'PooledTransfer', 'RelationalTransfer', 'TokenAlignment',
           'TransferInputs']

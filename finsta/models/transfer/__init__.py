"""Losses that carry what the structure learned into the host."""

from finsta.models.transfer.distances import (
    NodeTransfer,
    PooledTransfer,
    RelationalTransfer,
    TokenAlignment,
)
from finsta.models.transfer.inputs import TransferInputs
from finsta.models.transfer.readout import GraphReadout

__all__ = ['GraphReadout', 'NodeTransfer', 'PooledTransfer', 'RelationalTransfer',
           'TokenAlignment', 'TransferInputs']

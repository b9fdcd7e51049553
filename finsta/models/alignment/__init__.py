"""Alignment losses between text graphs and dynamic graphs."""

from finsta.models.alignment.caption_choice import CaptionChoice, NeighbourChoice, VideoChoice
from finsta.models.alignment.osc import ObjectSpatialContrast
from finsta.models.alignment.ptc import PredicateTemporalContrast

__all__ = ['CaptionChoice', 'NeighbourChoice', 'ObjectSpatialContrast',
           'PredicateTemporalContrast', 'VideoChoice']

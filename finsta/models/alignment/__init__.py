"""Alignment losses between text graphs and dynamic graphs."""

from finsta.models.alignment.caption_choice import CaptionChoice, VideoChoice
from finsta.models.alignment.osc import ObjectSpatialContrast
from finsta.models.alignment.ptc import PredicateTemporalContrast

__all__ = ['CaptionChoice', 'ObjectSpatialContrast', 'PredicateTemporalContrast',
           'VideoChoice']

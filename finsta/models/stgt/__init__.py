"""STGT: graph attention between the patches of neighbouring frames, and its four losses."""

from .adapter import AdapterOutput, SpatioTemporalGraphTransformer
from .attention import GraphAttention
from .graph import FrameBandGraph, build_graph
from .losses import CSAL, VTC, VTG, VTM

__all__ = ['CSAL', 'VTC', 'VTG', 'VTM', 'AdapterOutput', 'FrameBandGraph', 'GraphAttention',
           'SpatioTemporalGraphTransformer', 'build_graph']

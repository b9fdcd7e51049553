"""Graph Transformers over packed scene graphs: GTrm, R-GTrm, STGD-GTrm and their stacks.

Importing it needs no optional package: dgl is imported when its back end is built.
"""

from finsta.models.graph.context import GraphContext
from finsta.models.graph.gtrm import GTrmEncoder, GTrmLayer
from finsta.models.graph.node_features import NodeFeatures
from finsta.models.graph.ops import GraphAttention, build_graph_attention
from finsta.models.graph.ops_dense import DenseGraphAttention
from finsta.models.graph.ops_dgl import DGLGraphAttention
from finsta.models.graph.ops_segment import SegmentGraphAttention
from finsta.models.graph.recurrence import (
    GatedRecurrence,
    GRURecurrence,
    MemoryRecurrence,
    Recurrence,
    ShiftedRecurrence,
)
from finsta.models.graph.rgtrm import RGTrmEncoder, RGTrmLayer
from finsta.models.graph.select import AutoGraphAttention
from finsta.models.graph.stack import GraphStream
from finsta.models.graph.stgd import STGDEncoder, STGDLayer
from finsta.models.graph.structure import StructureEncoder, StructureOutput
from finsta.models.graph.topology import Topology

__all__ = [
    'AutoGraphAttention', 'DGLGraphAttention', 'DenseGraphAttention', 'GRURecurrence',
    'GTrmEncoder', 'GTrmLayer', 'GatedRecurrence', 'GraphAttention', 'GraphContext',
    'GraphStream', 'MemoryRecurrence', 'NodeFeatures', 'RGTrmEncoder', 'RGTrmLayer',
    'Recurrence', 'STGDEncoder', 'STGDLayer', 'SegmentGraphAttention', 'ShiftedRecurrence',
    'StructureEncoder', 'StructureOutput', 'Topology', 'build_graph_attention',
]

"""Backbones, graph encoders, alignment, transfer, heads, and the model that joins them."""

from finsta.models import alignment, backbones, graph, heads, stgt, transfer
from finsta.models.finsta import FinstaModel
from finsta.models.node_encoders import FrozenBackboneEncoder
from finsta.models.teacher import StructureTeacher

__all__ = ['FinstaModel', 'FrozenBackboneEncoder', 'StructureTeacher', 'alignment', 'backbones',
           'graph', 'heads', 'stgt', 'transfer']

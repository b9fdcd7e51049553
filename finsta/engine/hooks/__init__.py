"""Hooks of the Runner."""

from finsta.engine.hooks.export import BackboneExportHook
from finsta.engine.hooks.stages import StageHook
from finsta.engine.hooks.strips import PredictionStripHook
from finsta.engine.hooks.structure_log import StructureLogHook

__all__ = ['BackboneExportHook', 'PredictionStripHook', 'StageHook', 'StructureLogHook']

"""What runs a training or a test around the model: loops, hooks, optimisation, launching."""

from finsta.engine.hooks import (
    BackboneExportHook,
    PredictionStripHook,
    StageHook,
    StructureLogHook,
)
from finsta.engine.loops import ResumableTrainLoop
from finsta.engine.optim import Bf16OptimWrapper, SummedUpOptimWrapperConstructor
from finsta.engine.rerank import RerankTestLoop

__all__ = ['BackboneExportHook', 'Bf16OptimWrapper', 'PredictionStripHook', 'RerankTestLoop',
           'ResumableTrainLoop', 'StageHook', 'StructureLogHook',
           'SummedUpOptimWrapperConstructor']

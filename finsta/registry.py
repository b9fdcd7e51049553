"""Every registry node of the project, in one flat list.

A node names the packages that fill it (``locations``), so ``NODE.build(cfg)`` imports them on
first use and ``import finsta`` stays light. This file imports mmengine only.
"""

from mmengine.registry import DATA_SAMPLERS as MMENGINE_DATA_SAMPLERS
from mmengine.registry import DATASETS as MMENGINE_DATASETS
from mmengine.registry import EVALUATOR as MMENGINE_EVALUATOR
from mmengine.registry import FUNCTIONS as MMENGINE_FUNCTIONS
from mmengine.registry import HOOKS as MMENGINE_HOOKS
from mmengine.registry import LOG_PROCESSORS as MMENGINE_LOG_PROCESSORS
from mmengine.registry import LOOPS as MMENGINE_LOOPS
from mmengine.registry import METRICS as MMENGINE_METRICS
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS as MMENGINE_OPTIM_WRAPPER_CONSTRUCTORS
from mmengine.registry import OPTIM_WRAPPERS as MMENGINE_OPTIM_WRAPPERS
from mmengine.registry import OPTIMIZERS as MMENGINE_OPTIMIZERS
from mmengine.registry import PARAM_SCHEDULERS as MMENGINE_PARAM_SCHEDULERS
from mmengine.registry import TRANSFORMS as MMENGINE_TRANSFORMS
from mmengine.registry import VISBACKENDS as MMENGINE_VISBACKENDS
from mmengine.registry import VISUALIZERS as MMENGINE_VISUALIZERS
from mmengine.registry import Registry


def _child(name: str, parent: Registry, *locations: str) -> Registry:
    return Registry(name, parent=parent, scope='finsta', locations=list(locations))


def _root(name: str, *locations: str) -> Registry:
    return Registry(name, scope='finsta', locations=list(locations))


# annotation files and videos -> VideoTextSample
DATASETS = _child('dataset', MMENGINE_DATASETS, 'finsta.datasets')
# one step of a sample's preparation (decode, resize, tokenise, load graphs)
TRANSFORMS = _child('transform', MMENGINE_TRANSFORMS, 'finsta.datasets.transforms')
# which samples stand in a batch
DATA_SAMPLERS = _child('data sampler', MMENGINE_DATA_SAMPLERS, 'finsta.datasets')
# collate functions; the Runner looks them up in mmengine's own node, without a scope
FUNCTIONS = MMENGINE_FUNCTIONS
# one decoder of video files each (decord, PyAV, cached arrays)
VIDEO_READERS = _root('video reader', 'finsta.datasets.transforms')
# text -> SceneGraph, video -> DynamicSceneGraph
SG_PARSERS = _root('scene-graph parser', 'finsta.parsing')
# (SceneGraph, DynamicSceneGraph) -> cross-modal coreference edges
MATCHERS = _root('coreference matcher', 'finsta.parsing')
# boxes of frames -> tracks
TRACKERS = _root('tracker', 'finsta.parsing')
# graphs on disk
GRAPH_STORES = _root('graph store', 'finsta.parsing')
# whole models, heads and data preprocessors
MODELS = _child('model', MMENGINE_MODELS, 'finsta.models')
# host video-language models behind one protocol
BACKBONES = _root('backbone', 'finsta.models.backbones')
# graph Transformers over GraphBatch: GTrm, R-GTrm, STGD-GTrm and their stacks
GRAPH_ENCODERS = _root('graph encoder', 'finsta.models.graph')
# frozen encoders that turn node labels and node regions into vectors
NODE_ENCODERS = _root('node encoder', 'finsta.models')
# modules between a backbone's vision tower and its pooling (STGT)
VIDEO_ADAPTERS = _root('video adapter', 'finsta.models')
# alignment (OSC, PTC), transfer and host losses
LOSSES = _root('loss', 'finsta.models')
# mmengine metrics
METRICS = _child('metric', MMENGINE_METRICS, 'finsta.evaluation')
# mmengine evaluators
EVALUATOR = _child('evaluator', MMENGINE_EVALUATOR, 'finsta.evaluation')
# hooks of the Runner
HOOKS = _child('hook', MMENGINE_HOOKS, 'finsta.engine')
# what stands in a line of the log
LOG_PROCESSORS = _child('log processor', MMENGINE_LOG_PROCESSORS, 'finsta.engine')
# train, validation and test loops
LOOPS = _child('loop', MMENGINE_LOOPS, 'finsta.engine')
# optimiser wrappers (bf16 autocast on any device)
OPTIM_WRAPPERS = _child('optimizer wrapper', MMENGINE_OPTIM_WRAPPERS, 'finsta.engine')
# optimisers and learning-rate schedules
OPTIMIZERS = _child('optimizer', MMENGINE_OPTIMIZERS, 'finsta.engine')
PARAM_SCHEDULERS = _child('parameter scheduler', MMENGINE_PARAM_SCHEDULERS, 'finsta.engine')
# parameter groups and learning rates
OPTIM_WRAPPER_CONSTRUCTORS = _child('optimizer wrapper constructor',
                                    MMENGINE_OPTIM_WRAPPER_CONSTRUCTORS, 'finsta.engine')
# pictures and pages
VISUALIZERS = _child('visualizer', MMENGINE_VISUALIZERS, 'finsta.visualization')
# where pictures and scalars go
VISBACKENDS = _child('vis_backend', MMENGINE_VISBACKENDS, 'finsta.visualization')

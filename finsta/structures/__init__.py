"""The nouns of the project; imported by every other package, imports none of them."""

from finsta.structures.answers import AnswerVocabulary
from finsta.structures.drawing import to_networkx
from finsta.structures.frame_features import FrameFeatures
from finsta.structures.graph_batch import (
                                           ATTENTION_EDGE_TYPES,
                                           NUM_EDGE_TYPES,
                                           TEXT,
                                           VISUAL,
                                           GraphBatch,
                                           HolisticBatch,
)
from finsta.structures.holistic import CrossEdge, HolisticSceneGraph
from finsta.structures.sample import VideoTextSample, alike, pair_groups
from finsta.structures.scene_graph import (
                                           EDGE_SCHEMA,
                                           EDGE_TYPES,
                                           NODE_KINDS,
                                           DynamicSceneGraph,
                                           Edge,
                                           GraphError,
                                           Node,
                                           SceneGraph,
                                           link_by_entity,
)

__all__ = [
    'ATTENTION_EDGE_TYPES', 'EDGE_SCHEMA', 'EDGE_TYPES', 'NODE_KINDS', 'NUM_EDGE_TYPES', 'TEXT',
    'VISUAL', 'AnswerVocabulary', 'CrossEdge', 'DynamicSceneGraph', 'Edge', 'FrameFeatures',
    'GraphBatch', 'GraphError', 'HolisticBatch', 'HolisticSceneGraph', 'Node', 'SceneGraph',
    'VideoTextSample', 'alike', 'link_by_entity', 'pair_groups', 'to_networkx',
]

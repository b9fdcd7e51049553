"""Host video-language models behind one protocol; importing this registers them all."""

from .alpro import ALPRO
from .base import STREAMS, BackboneFeatures, Grid, VideoLanguageBackbone
from .checkpoint import CheckpointError, KeyReport, load_backbone, load_into, save_backbone
from .clip4clip import CLIP4Clip
from .video_llava import VideoLLaVA

__all__ = [
    'ALPRO', 'STREAMS', 'BackboneFeatures', 'CLIP4Clip', 'CheckpointError', 'Grid', 'KeyReport',
    'VideoLLaVA', 'VideoLanguageBackbone', 'load_backbone', 'load_into', 'save_backbone',
]

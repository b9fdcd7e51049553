"""Host video-language models behind one protocol; importing this registers them all."""

from .alpro import ALPRO
from .base import STREAMS, BackboneFeatures, Grid, VideoLanguageBackbone
from .checkpoint import CheckpointError, KeyReport, load_backbone, load_into, save_backbone
from .clip4clip import CLIP4Clip
from .saved import SavedBackbone, find_saved
from .stgt import STGT
from .video_llava import VideoLLaVA

__all__ = [
    'ALPRO', 'STGT', 'STREAMS', 'BackboneFeatures', 'CLIP4Clip', 'CheckpointError', 'Grid',
    'KeyReport', 'SavedBackbone', 'VideoLLaVA', 'VideoLanguageBackbone', 'find_saved',
    'load_backbone', 'load_into', 'save_backbone',
]

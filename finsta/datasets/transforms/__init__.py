"""Steps that prepare a sample: decoding, resizing, cropping, captions, graphs."""

from finsta.datasets.transforms.features import LoadFrameFeatures
from finsta.datasets.transforms.frame_cache import CachedReader, FrameCache
from finsta.datasets.transforms.geometry import (
    CenterCropFrames,
    PadFrames,
    RandomCropFrames,
    ResizeFrames,
)
from finsta.datasets.transforms.graphs import LoadGraphs
from finsta.datasets.transforms.hard_negatives import GraphHardNegatives
from finsta.datasets.transforms.loading import LoadVideoFrames
from finsta.datasets.transforms.text import ChooseCaption
from finsta.datasets.transforms.video import DecordReader, PyAVReader, open_video

__all__ = ['CachedReader', 'CenterCropFrames', 'ChooseCaption', 'DecordReader', 'FrameCache',
           'GraphHardNegatives', 'LoadFrameFeatures', 'LoadGraphs',
           'LoadVideoFrames', 'PadFrames', 'PyAVReader',
           'RandomCropFrames', 'ResizeFrames', 'open_video']

"""Annotation files and videos -> VideoTextSample."""

from finsta.datasets import transforms
from finsta.datasets.base import VideoTextDataset
from finsta.datasets.collate import video_text_collate
from finsta.datasets.graph_sampler import GraphNeighbourSampler
from finsta.datasets.minimal_pairs import MinimalPairs
from finsta.datasets.msrvtt import MSRVTT
from finsta.datasets.msrvtt_qa import MSRVTTQA
from finsta.datasets.msvd import MSVD
from finsta.datasets.msvd_qa import MSVDQA
from finsta.datasets.samplers import ResumableSampler
from finsta.datasets.webvid import WebVid

__all__ = ['MSRVTT', 'MSRVTTQA', 'MSVD', 'MSVDQA', 'GraphNeighbourSampler', 'MinimalPairs',
           'ResumableSampler', 'VideoTextDataset', 'WebVid', 'transforms', 'video_text_collate']

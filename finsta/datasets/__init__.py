"""Annotation files and videos -> VideoTextSample."""

from finsta.datasets import transforms
from finsta.datasets.base import VideoTextDataset
from finsta.datasets.collate import video_text_collate
from finsta.datasets.minimal_pairs import MinimalPairs
from finsta.datasets.msvd import MSVD
from finsta.datasets.msvd_qa import MSVDQA
from finsta.datasets.samplers import ResumableSampler

__all__ = ['MSVD', 'MSVDQA', 'MinimalPairs', 'ResumableSampler', 'VideoTextDataset', 'transforms',
           'video_text_collate']

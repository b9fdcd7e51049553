"""Task heads on top of a backbone."""

from finsta.models.heads.base import BackboneInfo, TaskHead
from finsta.models.heads.question_answering import OpenEndedQAHead, ZeroShotQAHead
from finsta.models.heads.retrieval import PairScoreHead, RetrievalHead

__all__ = ['BackboneInfo', 'OpenEndedQAHead', 'PairScoreHead', 'RetrievalHead', 'TaskHead',
           'ZeroShotQAHead']

"""Scores as mmengine metrics."""

from finsta.evaluation.metrics.minimal_pairs import MinimalPairMetric
from finsta.evaluation.metrics.qa_accuracy import QAAccuracy
from finsta.evaluation.metrics.retrieval import RetrievalMetric

__all__ = ['MinimalPairMetric', 'QAAccuracy', 'RetrievalMetric']

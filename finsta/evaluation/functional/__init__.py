"""Scores as pure functions."""

from finsta.evaluation.functional.accuracy import accuracy
from finsta.evaluation.functional.minimal_pairs import pair_scores
from finsta.evaluation.functional.retrieval import RetrievalRanks, rank_statistics, retrieval_ranks

__all__ = ['RetrievalRanks', 'accuracy', 'pair_scores', 'rank_statistics', 'retrieval_ranks']

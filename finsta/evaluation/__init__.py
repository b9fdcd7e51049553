"""What is measured: pure functions and thin metric shells around them."""

from finsta.evaluation import functional, metrics

__all__ = ['functional', 'metrics']

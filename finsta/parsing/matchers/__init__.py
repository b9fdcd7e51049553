"""(TSG, DSG) -> HSG: which text node and which visual node are the same thing."""

from finsta.parsing.matchers.clip_encoder import ClipNodeEncoder
from finsta.parsing.matchers.gold import GoldMatcher
from finsta.parsing.matchers.lexical import LexicalMatcher
from finsta.parsing.matchers.similarity import FrozenSimilarityMatcher

__all__ = ['ClipNodeEncoder', 'FrozenSimilarityMatcher', 'GoldMatcher', 'LexicalMatcher']

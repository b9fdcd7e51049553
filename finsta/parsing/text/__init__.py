"""Text to textual scene graphs (TSG)."""

from finsta.parsing.text.rule_parser import RuleTextParser
from finsta.parsing.text.seq2seq import Seq2SeqTextParser

__all__ = ['RuleTextParser', 'Seq2SeqTextParser']

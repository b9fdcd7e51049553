"""Text to textual scene graphs (TSG)."""

from finsta.parsing.text.rule_parser import RuleTextParser

__all__ = ['RuleTextParser']

"""Values of command-line options."""

import argparse
from collections.abc import Sequence

from mmengine.config import DictAction


def positive(text: str) -> int:
    """``type`` of an option that is at least 1."""
    try:
        value = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f'{text!r} is no whole number') from None
    if value < 1:
        raise argparse.ArgumentTypeError(f'{text} must be at least 1')
    return value


class KeyValueAction(DictAction):
    """mmengine's DictAction, with a usage error where that one ends in a traceback."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace,
                 values: Sequence[str], option_string: str | None = None) -> None:
        for text in values:
            if not text.partition('=')[1] or text.startswith('='):
                parser.error(f'argument {option_string}: {text!r} is no KEY=VALUE')
        try:
            super().__call__(parser, namespace, values, option_string)
        except AssertionError as error:   # brackets that do not close
            parser.error(f'argument {option_string}: {error}')

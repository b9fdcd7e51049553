"""Word lists that ship with the package, one phrase a line (``*.txt`` beside this file)."""

from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from finsta.structures import GraphError


def load_vocabulary(source: str | Sequence[str]) -> list[str]:
    """A list of phrases from a shipped list's name, a text file, or the list itself.

    Args:
        source: ``'vg50_predicates'`` (the 50 predicates of the Visual Genome split that scene
            graph work uses), a path of a text file with one phrase a line, or phrases.

    Raises:
        GraphError: if the name is no shipped list and no file, or the list is empty.
    """
    if not isinstance(source, str):
        phrases = [str(p).strip() for p in source]
    else:
        shipped = resources.files(__package__) / f'{source}.txt'
        path = shipped if shipped.is_file() else Path(source)
        if not path.is_file():
            names = sorted(p.name[:-4] for p in resources.files(__package__).iterdir()
                           if p.name.endswith('.txt'))
            raise GraphError(f'vocabulary {source!r} is neither a text file nor one of the '
                             f'shipped lists {names}')
        phrases = [line.strip() for line in path.read_text(encoding='utf-8').splitlines()]
    phrases = [p for p in phrases if p]
    if not phrases:
        raise GraphError(f'vocabulary {source!r} holds no phrase')
    return phrases

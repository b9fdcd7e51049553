"""Parsers by name: which kind a parser is of, what it must be given, what is noted of it."""

import inspect
import json
import os
from collections.abc import Mapping
from typing import Any

from finsta.registry import SG_PARSERS

GOLD = 'gold graphs'
# arguments that say how fast, or of what, graphs are made, not how
_NOT_TOLD = {'batch_size', 'device', 'ann_file'}


def known_parsers(kind: str) -> list[str]:
    """Names of the registered 'text' or 'video' parsers."""
    SG_PARSERS.import_from_location()
    return sorted(name for name, cls in SG_PARSERS.module_dict.items()
                  if getattr(cls, 'kind', kind) == kind)


def check_parser(name: str, given: Mapping[str, Any], kind: str,
                 options: tuple[str, str] = ('--parser', '--parser-args')) -> None:
    """Whether a parser can be built for this kind of input from these arguments.

    A parser of one's own may leave ``kind`` ('text' or 'video') out; it is then taken at its word.

    Args:
        name: in SG_PARSERS. given: its arguments. kind: 'text' or 'video'.
        options: of the command, that the name and the arguments come from.

    Raises:
        ValueError: an unknown parser, one of the other kind, an argument that it does not take,
            one that it needs and was not given, or a word where it takes a number.
    """
    cls = SG_PARSERS.get(name)
    others = f'{kind} parsers are {", ".join(known_parsers(kind))}'
    if cls is None:
        raise ValueError(f'{options[0]}: there is no parser {name}; {others}; --import MODULE '
                         'brings one of your own')
    if getattr(cls, 'kind', kind) != kind:
        raise ValueError(f'{options[0]}: {name} is a {cls.kind} parser; {others}')
    taken = inspect.signature(cls).parameters
    named = {k: p for k, p in taken.items() if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}
    open_ended = any(p.kind is p.VAR_KEYWORD for p in taken.values())
    if not open_ended and (unknown := sorted(set(given) - set(named))):
        raise ValueError(f'{options[1]}: {name} takes no {", ".join(unknown)}; it takes '
                         f'{", ".join(named) or "none"}')
    lacking = [k for k, p in named.items() if p.default is p.empty and k not in given]
    if lacking:
        raise ValueError(f'{name} needs {", ".join(lacking)}: give {options[1]} '
                         f'{" ".join(f"{k}=..." for k in lacking)}')
    for key in given:
        default = named[key].default if key in named else None
        if isinstance(default, int | float) and not isinstance(given[key], int | float):
            what = 'True or False' if isinstance(default, bool) else 'a number'
            raise ValueError(f'{options[1]}: {key}={given[key]!r} of {name} must be {what}')


def maker_of(parser: Mapping[str, Any]) -> str:
    """A parser's config as the store notes it: its name, and the arguments, as spelled, that are
    not the parser's own defaults; those of speed and those that name the input (several annotation
    files may fill one store) are left out. :func:`same_maker` compares."""
    given = {k: v for k, v in parser.items() if k != 'type'}
    cls = SG_PARSERS.get(parser['type']) if isinstance(parser['type'], str) else parser['type']
    taken = inspect.signature(cls).parameters if cls is not None else {}
    told = {k: v for k, v in sorted(given.items()) if k not in _NOT_TOLD
            and not (k in taken and _text(taken[k].default) == _text(v))}
    name = parser['type'] if isinstance(parser['type'], str) else cls.__name__
    return name + (f'({", ".join(f"{k}={_text(v)}" for k, v in told.items())})' if told else '')


def same_maker(one: str, other: str) -> bool:
    """Whether two notes of :func:`maker_of` mean one parser.

    ``./w``, ``w``, a link to it and its absolute path are the same argument where they name a
    file or folder that is there, seen from the current folder.
    """
    return one == other or _resolved(one) == _resolved(other)


def _resolved(maker: str) -> tuple[str, dict[str, Any]]:
    """Name and arguments of a note, with real paths; a note of another form is all name."""
    name, bracket, rest = maker.partition('(')
    given: dict[str, Any] = {}
    try:
        while bracket and rest != ')':
            key, _, rest = rest.partition('=')
            value, end = json.JSONDecoder().raw_decode(rest)
            given[key], rest = _real(value), rest[end:].removeprefix(', ')
    except ValueError:
        return maker, {}
    return name, given


def _real(value: Any) -> Any:
    """A value with the paths in it that exist made absolute, links followed."""
    if isinstance(value, str):
        return os.path.realpath(value) if os.path.exists(value) else value
    if isinstance(value, list):
        return [_real(v) for v in value]
    return {k: _real(v) for k, v in value.items()} if isinstance(value, dict) else value


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)

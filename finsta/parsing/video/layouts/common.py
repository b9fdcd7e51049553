"""Reading JSON annotations with errors that name the file, the key and the remedy."""

import gzip
import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from finsta.structures import DynamicSceneGraph, GraphError

Graphs = dict[str, Callable[[], DynamicSceneGraph]]


def load_json(path: Path) -> Any:
    """Parse one JSON file (``.gz`` allowed); GraphError names the file."""
    try:
        return json.loads(_text(path))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise GraphError(f'{path}: not valid JSON ({error}); fetch or write the file again'
                         ) from error


def load_jsonl(path: Path) -> Iterator[tuple[str, Any]]:
    """(place, row) of a JSON-lines file (``.gz`` allowed); GraphError names file and line."""
    for number, line in enumerate(_text(path).splitlines(), 1):
        if line.strip():
            where = f'{path}, line {number}'
            try:
                yield where, json.loads(line)
            except json.JSONDecodeError as error:
                raise GraphError(f'{where}: not valid JSON ({error}); delete the line or '
                                 'write the file again') from error


def need(row: Any, key: str, kind: type | tuple[type, ...], where: str) -> Any:
    """``row[key]`` if it is there and of that type.

    Raises:
        GraphError: naming the place, the key, what was found and what is expected.
    """
    kinds = kind if isinstance(kind, tuple) else (kind,)
    wanted = ' or '.join(k.__name__ for k in kinds)
    if not isinstance(row, dict):
        raise GraphError(f'{where}: expected an object with key {key!r}, got '
                         f'{type(row).__name__}; see docs/en/design/video_parsers.md for the '
                         'layout')
    if key not in row:
        raise GraphError(f'{where}: key {key!r} is missing; add it ({wanted}) or leave the row '
                         'out')
    value = row[key]
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise GraphError(f'{where}: key {key!r} must be {wanted}, got '
                         f'{type(value).__name__} {str(value)[:60]!r}; correct the row or leave '
                         'it out')
    return value


def pick_frames(num_frames: int, max_frames: int) -> list[int]:
    """At most ``max_frames`` frame numbers, evenly spread, first and last included."""
    if num_frames <= max_frames:
        return list(range(num_frames))
    return sorted({int(f) for f in np.linspace(0, num_frames - 1, max_frames).round()})


def add_unique(graphs: Graphs, video_id: str, build: Callable[[], DynamicSceneGraph],
               where: str) -> None:
    """Put a video into the table; GraphError if it is listed twice."""
    if video_id in graphs:
        raise GraphError(f'{where}: video {video_id!r} is listed twice; keep one of its rows')
    graphs[video_id] = partial(_guarded, build, where)


def _guarded(build: Callable[[], DynamicSceneGraph], where: str) -> DynamicSceneGraph:
    try:
        return build()
    except GraphError:
        raise
    except (TypeError, ValueError, KeyError, AttributeError, IndexError) as error:
        raise GraphError(f'{where}: a value has the wrong form ({type(error).__name__}: {error}); '
                         'correct the row or leave it out') from error


def _text(path: Path) -> str:
    if not path.is_file():
        raise FileNotFoundError(f'{path}: no such annotation file; check ann_file')
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == '.gz' else path.read_bytes()
        return raw.decode('utf-8')
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise GraphError(f'{path}: cannot be read ({error}); fetch or write the file again'
                         ) from error

"""The note of an unfinished overwrite, ``ROOT/overwrite-KIND.json``: a killed one goes on by it.

Shards are only added, and numbered in order: the numbers that came next when an overwrite began
tell the rows that it has made anew from those that it has yet to replace. The note is written
before its first row and removed after its last one. Ours.
"""

import hashlib
import json
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from mmengine.logging import print_log

from finsta.parsing.makers import same_maker
from finsta.structures import GraphError
from finsta.utils.shards import sync_folder


@dataclass(frozen=True)
class Overwrite:
    """An overwrite that has begun and is not finished.

    Attributes:
        kind: 'text' or 'video'. maker: what makes the graphs, in words.
        inputs: digest of the keys whose graphs are made anew. count: how many keys these are.
        since: table -> number of the first shard that can be its own.
        begun: date and time, for people.
    """

    kind: str
    maker: str
    inputs: str
    count: int
    since: Mapping[str, int]
    begun: str

    def __str__(self) -> str:
        return f'overwrite of {self.count} {self.kind}s by {self.maker}, begun {self.begun}'


def read_note(root: Path, kind: str) -> Overwrite | None:
    """The unfinished overwrite of a store's 'text' or 'video' graphs, or None.

    Raises:
        GraphError: if the note cannot be read.
    """
    path = _note(root, kind)
    try:
        return Overwrite(kind=kind, **json.loads(path.read_text(encoding='utf-8')))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise GraphError(f'{path}: the note of an unfinished overwrite cannot be read ({error}); '
                         'delete it, and call with --overwrite to make the graphs anew'
                         ) from error


def write_note(root: Path, overwrite: Overwrite) -> None:
    """Note it, in the place of an earlier one; when this returns the note is on the disk."""
    path = _note(root, overwrite.kind)
    root.mkdir(parents=True, exist_ok=True)
    told = asdict(overwrite)
    del told['kind']
    aside = path.with_name(f'.{path.name}.tmp')
    with open(aside, 'w', encoding='utf-8') as file:
        json.dump(told, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    os.replace(aside, path)
    sync_folder(root)


def remove_note(root: Path, kind: str) -> None:
    """The overwrite is finished, or something else has taken its place."""
    _note(root, kind).unlink(missing_ok=True)


def begin_overwrite(root: Path, kind: str, maker: str, keys: Iterable[str],
                    since: Mapping[str, int]) -> Overwrite:
    """The unfinished overwrite if it is of the same maker and keys, else a new one.

    Nothing is written. Giving up one of other keys is warned of: what it has not replaced stays.

    Args:
        since: the numbers of the next shards, for a new one.
    """
    digest, count = _digest(keys)
    found = read_note(root, kind)
    if found is not None and found.inputs == digest and same_maker(found.maker, maker):
        print_log(f'{root}: going on with the {found}; delete {_note(root, kind)} first to start '
                  'it anew', logger='current')
        return found
    if found is not None and found.inputs != digest:
        print_log(f'{root}: this overwrite is of other inputs and takes the place of an '
                  f'unfinished one: {found}. Graphs that neither replaces stay as they were',
                  logger='current', level=30)
    return Overwrite(kind, maker, digest, count, dict(since), time.strftime('%Y-%m-%d %H:%M:%S'))


def refuse_unfinished(root: Path, kind: str) -> None:
    """Raises ValueError if an overwrite is unfinished: old graphs would pass for new ones."""
    found = read_note(root, kind)
    if found is not None:
        raise ValueError(
            f'{root} holds old {kind} graphs among new ones: the {found}, was not finished. Call '
            'it again with --overwrite, which goes on where it stopped; or delete '
            f'{_note(root, kind)} to keep the graphs as they are')


def _note(root: Path, kind: str) -> Path:
    return root / f'overwrite-{kind}.json'


def _digest(keys: Iterable[str]) -> tuple[str, int]:
    """Of a set of keys, in any order, and its size."""
    keys = sorted(set(keys))
    return hashlib.sha256(json.dumps(keys).encode()).hexdigest(), len(keys)

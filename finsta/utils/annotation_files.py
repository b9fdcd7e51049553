"""Annotation files as they are published: JSON, JSON lines, CSV and plain lists, also packed.

``.gz`` is read in place; so is a member of a zip archive, named ``archive.zip/folder/file.json``.
A name whose file is absent but whose ``.gz`` is there means the packed one. Every complaint names
the file, the row and the key. No format that can run code is read. (ours)
"""

import csv
import gzip
import io
import json
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from finsta.utils.text import well_formed

MAX_BYTES = 4 << 30


class AnnotationError(ValueError):
    """An annotation file that contradicts its layout.

    Attributes:
        path: the file. row: index of the entry (0-based) or None. key: offending key or None.
    """

    def __init__(self, path: str | Path, message: str, row: int | str | None = None,
                 key: str | None = None, remedy: str = 'compare it with the published file'
                 ) -> None:
        place = str(path) + (f', row {row}' if row is not None else '') \
            + (f', key {key!r}' if key is not None else '')
        super().__init__(f'{place}: {message}; {remedy}')
        self.path, self.row, self.key = str(path), row, key


def read_bytes(path: str | Path) -> bytes:
    """Content of a plain or packed file.

    Raises:
        FileNotFoundError, IsADirectoryError: naming the path. AnnotationError: a damaged archive,
            a zip without the member, more than ``MAX_BYTES``.
    """
    path = Path(path)
    if not path.exists() and Path(f'{path}.gz').is_file():
        path = Path(f'{path}.gz')
    try:
        if path.suffix == '.gz':
            with gzip.open(path, 'rb') as file:
                return _bounded(path, file)
        for parent in (path, *path.parents):
            if parent.suffix == '.zip' and parent.is_file():
                return _zip_member(parent, path.relative_to(parent).as_posix())
        with open(path, 'rb') as file:
            return _bounded(path, file)
    except FileNotFoundError:
        raise FileNotFoundError(f'no annotation file {path}') from None
    except IsADirectoryError:
        raise IsADirectoryError(f'{path} is a folder; name the file in it') from None
    except (gzip.BadGzipFile, zipfile.BadZipFile, EOFError, zlib.error) as error:
        raise AnnotationError(path, f'the archive is damaged ({error})',
                              remedy='fetch it again') from error


def _bounded(path: Path, file: Any) -> bytes:
    data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise AnnotationError(path, f'holds more than {MAX_BYTES} bytes', remedy='split it')
    return data


def _zip_member(archive: Path, member: str) -> bytes:
    with zipfile.ZipFile(archive) as file:
        names = [n for n in file.namelist() if not n.endswith('/')]
        if member == '.' and len(names) == 1:
            member = names[0]
        if member not in names:
            raise AnnotationError(archive, f'has no member {member!r}, but {names[:10]}',
                                  remedy=f'name one as {archive.name}/<member>')
        with file.open(member) as handle:
            return _bounded(archive, handle)


def read_text(path: str | Path) -> str:
    """UTF-8 text, with or without a byte-order mark.

    Raises:
        AnnotationError: when it is not UTF-8. FileNotFoundError.
    """
    try:
        return read_bytes(path).decode('utf-8-sig')
    except UnicodeDecodeError as error:
        raise AnnotationError(path, f'is not UTF-8 ({error})', remedy='convert it to UTF-8') \
            from error


def read_json(path: str | Path, kind: type | None = None) -> Any:
    """Parsed JSON; ``kind`` (list or dict) is what the layout has at the top.

    Half of a surrogate pair (an emoji that was cut) has no UTF-8 form, so that tokenisers refuse
    it; it becomes a question mark.

    Raises:
        AnnotationError: unreadable JSON (with line and column) or another type at the top.
    """
    text = read_text(path)
    try:
        data = json.loads(text)
        if '\\ud' in text or '\\uD' in text:
            data = _well_formed(data)
    except (ValueError, RecursionError) as error:  # a number of 5,000 digits is a ValueError
        raise AnnotationError(path, f'is not valid JSON ({error})', remedy='fetch it again') \
            from error
    if kind is not None and not isinstance(data, kind):
        raise AnnotationError(path, f'has a {type(data).__name__} at the top, expected a '
                              f'{kind.__name__}')
    return data


def _well_formed(data: Any) -> Any:
    """The same data with a question mark for each half of a surrogate pair."""
    if isinstance(data, str):
        return well_formed(data)
    if isinstance(data, list):
        return [_well_formed(value) for value in data]
    if isinstance(data, dict):
        return {_well_formed(key): _well_formed(value) for key, value in data.items()}
    return data


def read_json_lines(path: str | Path) -> list[Any]:
    """One JSON value a line, as :func:`read_json` reads a file; empty lines do not count.

    Raises:
        AnnotationError: naming the line (0-based).
    """
    out = []
    for i, line in enumerate(read_text(path).split('\n')):
        if line.strip():
            try:
                out.append(_well_formed(json.loads(line)))
            except (ValueError, RecursionError) as error:
                raise AnnotationError(path, f'is not valid JSON ({error})', i,
                                      remedy='fetch it again') from error
    return out


def read_csv(path: str | Path, columns: Sequence[str] = (), names: Sequence[str] | None = None,
             delimiter: str = ',') -> Iterator[dict[str, str]]:
    """Rows of a table as dictionaries.

    Args:
        columns: names that must be there. names: column names of a file without a header.

    Raises:
        AnnotationError: a missing column, or a row that is too short or too long.
    """
    reader = csv.DictReader(io.StringIO(read_text(path), newline=''), fieldnames=names,
                            delimiter=delimiter)
    missing = [c for c in columns if c not in (reader.fieldnames or ())]
    if missing:
        raise AnnotationError(path, f'has the columns {reader.fieldnames}, without {missing}',
                              key=missing[0])
    count = 0
    try:
        for row in reader:
            if None in row or None in row.values():
                raise AnnotationError(path, f'has not {len(reader.fieldnames)} fields', row=count)
            yield row
            count += 1
    except csv.Error as error:
        raise AnnotationError(path, f'is no table ({error})', row=count) from error


def read_lines(path: str | Path) -> list[str]:
    """Non-empty lines without surrounding blanks."""
    return [line.strip() for line in read_text(path).splitlines() if line.strip()]


def field(row: Any, key: str, kind: type | tuple[type, ...], path: str | Path, index: int | str
          ) -> Any:
    """``row[key]`` of the stated type; a bool is no int.

    Raises:
        AnnotationError: ``row`` is no object, the key is missing, or its value has another type.
    """
    kinds = kind if isinstance(kind, tuple) else (kind,)
    if not isinstance(row, dict):
        raise AnnotationError(path, f'is a {type(row).__name__}, expected an object', index)
    if key not in row:
        raise AnnotationError(path, f'is missing; the row has {sorted(row)[:12]}', index, key)
    value = row[key]
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise AnnotationError(path, f'is {value!r:.80} ({type(value).__name__}), expected '
                              f'{" or ".join(k.__name__ for k in kinds)}', index, key)
    return value

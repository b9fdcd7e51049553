"""Parquet shards of the stores on disk: written whole or not at all, read through a memory map.

A shard is written beside its final name, flushed to the disk (fsync), renamed, and the folder is
flushed, so that a file which bears a shard's name is complete. Every page carries a checksum.
The store's schema version stands in the file's key-value metadata. Layout: ours.

Row groups are small (about ``ShardFormat.group_bytes`` of the payload column), because a row group
is what one look-up has to decode.
"""

import os
import uuid
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from finsta.utils.optional import require

_TABLE_KEY = b'finsta_table'


class DamagedShard(Exception):
    """A shard that cannot be read whole; the store reports it by name and goes without it."""


@dataclass(frozen=True)
class ShardFormat:
    """What one kind of store writes.

    Attributes:
        store: its name in messages, e.g. 'graph store'.
        key: metadata key that holds the version. version: of the schema.
        tables: table -> column -> name of an Arrow type.
        payload: the heavy column; the others are read when a store is opened.
        group_bytes: payload bytes of a row group.
        compression: of the columns. dictionary: whether equal values are stored once.
        remedy: what to do with a shard of another version. error: raised for it.
        metadata: further key-value pairs of every shard.
    """

    store: str
    key: bytes
    version: int
    tables: Mapping[str, Mapping[str, str]]
    payload: str
    group_bytes: int
    remedy: str
    error: type[Exception]
    compression: str = 'zstd'
    dictionary: bool = True
    metadata: Mapping[str, str] = field(default_factory=dict)


def write_shard(fmt: ShardFormat, folder: Path, table: str, number: int,
                rows: Sequence[Mapping[str, Any]],
                metadata: Mapping[str, str] | None = None) -> Path:
    """Write rows as one new shard of a table.

    Args:
        folder: folder of the table; made if absent.
        table: key of ``fmt.tables``.
        number: place in the order of shards; a later shard's row hides an earlier one's.
        rows: column values.
        metadata: key-value pairs of this shard beside those of ``fmt``.

    Returns:
        Path of the finished shard.
    """
    pa = require('pyarrow', f'writing a {fmt.store}')
    pq = require('pyarrow.parquet', f'writing a {fmt.store}')
    folder.mkdir(parents=True, exist_ok=True)
    schema = pa.schema(
        [(name, getattr(pa, kind)()) for name, kind in fmt.tables[table].items()],
        metadata={fmt.key: str(fmt.version), _TABLE_KEY: table, **fmt.metadata,
                  **(metadata or {})})
    # the random part keeps two writers of one store from taking the same name
    final = folder / f'{table}-{number:06d}-{uuid.uuid4().hex[:8]}.parquet'
    aside = folder / f'.{final.name}.tmp'
    try:
        with open(aside, 'wb') as file:
            with pq.ParquetWriter(file, schema, compression=fmt.compression,
                                  use_dictionary=fmt.dictionary,
                                  write_page_checksum=True) as writer:
                for group in _groups(fmt, rows):
                    writer.write_table(pa.Table.from_pylist(list(group), schema=schema))
            file.flush()
            os.fsync(file.fileno())
        os.rename(aside, final)
    finally:
        aside.unlink(missing_ok=True)
    sync_folder(folder)
    return final


def _groups(fmt: ShardFormat, rows: Sequence[Mapping[str, Any]]):
    """Cut rows where their payload passes ``group_bytes``."""
    start = size = 0
    for i, row in enumerate(rows):
        size += len(row.get(fmt.payload, ''))
        if size >= fmt.group_bytes:
            yield rows[start:i + 1]
            start, size = i + 1, 0
    if start < len(rows):
        yield rows[start:]


def sync_folder(folder: Path) -> None:
    """Make a rename survive a power cut (directories cannot be opened on Windows)."""
    if os.name == 'nt':
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def list_shards(folder: Path, table: str) -> list[Path]:
    """Finished shards of a table, oldest first; files left aside by a kill are not among them."""
    return sorted(folder.glob(f'{table}-*.parquet'))


def shard_number(path: Path) -> int:
    """Place in the order of shards that a shard's name tells."""
    return int(path.name.split('-')[1])


def next_number(folder: Path, table: str) -> int:
    """The number after the last shard's."""
    return max(map(shard_number, list_shards(folder, table)), default=-1) + 1


class ShardReader:
    """A shard opened for reading.

    Args:
        fmt: what it must be. path: the file. table: the table it must belong to.

    Raises:
        DamagedShard: if the file is truncated, not Parquet, or misses a column.
        fmt.error: if it was written by another version of the store.
    """

    def __init__(self, fmt: ShardFormat, path: Path, table: str) -> None:
        self.format, self.path, self.table = fmt, Path(path), table
        pq = require('pyarrow.parquet', f'reading a {fmt.store}')
        try:
            self._file = pq.ParquetFile(str(path), memory_map=True,
                                        page_checksum_verification=True)
        except (OSError, ValueError) as error:
            raise DamagedShard(f'{path}: {error}') from error
        self._check_schema()
        meta = self._file.metadata
        self._starts, self.num_rows = [], 0
        for group in range(meta.num_row_groups):
            self._starts.append(self.num_rows)
            self.num_rows += meta.row_group(group).num_rows

    def _check_schema(self) -> None:
        fmt, found = self.format, self._file.schema_arrow
        version = (found.metadata or {}).get(fmt.key)
        if version is None:
            raise DamagedShard(f'{self.path}: not a shard of a {fmt.store} (no version in it)')
        if version != str(fmt.version).encode():
            raise fmt.error(
                f'{self.path}: written in version {version.decode(errors="replace")} of the '
                f'{fmt.store}, this Finsta reads version {fmt.version}. {fmt.remedy}')
        missing = [name for name in fmt.tables[self.table] if name not in found.names]
        if missing:
            raise DamagedShard(f'{self.path}: columns {missing} are missing')

    @property
    def metadata(self) -> dict[str, str]:
        """Key-value pairs of the file, Arrow's own left out."""
        pairs = self._file.schema_arrow.metadata or {}
        return {k.decode(errors='replace'): v.decode(errors='replace') for k, v in pairs.items()
                if not k.startswith(b'ARROW:')}

    def columns(self, names: Sequence[str]) -> dict[str, list]:
        """Whole columns as Python lists; raises DamagedShard."""
        try:
            # one thread: Arrow's thread pool does not survive a fork of the DataLoader
            data = self._file.read(columns=list(names), use_threads=False)
        except (OSError, ValueError) as error:
            raise DamagedShard(f'{self.path}: {error}') from error
        return {name: data.column(name).to_pylist() for name in names}

    def group_of(self, row: int) -> tuple[int, int]:
        """(row group, offset in it) of a row."""
        group = bisect_right(self._starts, row) - 1
        return group, row - self._starts[group]

    def read_payload(self, group: int):
        """The Arrow column of payloads of one row group; raises DamagedShard."""
        name = self.format.payload
        try:
            data = self._file.read_row_group(group, columns=[name], use_threads=False)
        except (OSError, ValueError) as error:
            raise DamagedShard(f'{self.path}, row group {group}: {error}') from error
        return data.column(name)

"""One Parquet file of the graph store: written whole or not at all, read through a memory map.

A shard is written beside its final name, flushed to the disk (fsync), renamed, and the folder is
flushed, so that a file which bears a shard's name is complete. Every page carries a checksum.
The store's schema version stands in the file's key-value metadata. Layout: ours.

Row groups are small (about ``GROUP_BYTES`` of graph text), because a row group is what one
look-up has to decode.
"""

import os
import uuid
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from finsta.structures import GraphError
from finsta.utils.optional import require

STORE_VERSION = 1
GROUP_BYTES = 256 << 10
_VERSION_KEY = b'finsta_graph_store'
_TABLE_KEY = b'finsta_table'

# table -> column -> Arrow type; the columns before 'graph' are read at opening, the rest later
TABLES: dict[str, dict[str, str]] = {
    'texts': {'text': 'string', 'video_id': 'string', 'num_nodes': 'int32',
              'parser': 'string', 'graph': 'large_string'},
    'videos': {'video_id': 'string', 'num_frames': 'int32', 'num_nodes': 'int32',
               'parser': 'string', 'graph': 'large_string'},
    'failures': {'kind': 'string', 'key': 'string', 'reason': 'string'},
}


class DamagedShard(Exception):
    """A shard that cannot be read whole; the store reports it by name and goes without it."""


def write_shard(folder: Path, table: str, number: int, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Write rows as one new shard of a table.

    Args:
        folder: folder of the table; made if absent.
        table: key of ``TABLES``.
        number: place in the order of shards; a later shard's row hides an earlier one's.
        rows: column values.

    Returns:
        Path of the finished shard.
    """
    pa = require('pyarrow', 'writing a graph store')
    pq = require('pyarrow.parquet', 'writing a graph store')
    folder.mkdir(parents=True, exist_ok=True)
    schema = pa.schema([(name, getattr(pa, kind)()) for name, kind in TABLES[table].items()],
                       metadata={_VERSION_KEY: str(STORE_VERSION), _TABLE_KEY: table})
    # the random part keeps two writers of one store from taking the same name
    final = folder / f'{table}-{number:06d}-{uuid.uuid4().hex[:8]}.parquet'
    aside = folder / f'.{final.name}.tmp'
    try:
        with open(aside, 'wb') as file:
            with pq.ParquetWriter(file, schema, compression='zstd',
                                  write_page_checksum=True) as writer:
                for group in _groups(rows):
                    writer.write_table(pa.Table.from_pylist(list(group), schema=schema))
            file.flush()
            os.fsync(file.fileno())
        os.rename(aside, final)
    finally:
        aside.unlink(missing_ok=True)
    _sync_folder(folder)
    return final


def _groups(rows: Sequence[Mapping[str, Any]]):
    """Cut rows where their graph text passes ``GROUP_BYTES``."""
    start = size = 0
    for i, row in enumerate(rows):
        size += len(row.get('graph', ''))
        if size >= GROUP_BYTES:
            yield rows[start:i + 1]
            start, size = i + 1, 0
    if start < len(rows):
        yield rows[start:]


def _sync_folder(folder: Path) -> None:
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


class Shard:
    """A shard opened for reading.

    Args:
        path: the file.
        table: the table it must belong to.

    Raises:
        DamagedShard: if the file is truncated, not Parquet, or misses a column.
        GraphError: if it was written by another version of the store.
    """

    def __init__(self, path: Path, table: str) -> None:
        self.path, self.table = Path(path), table
        pq = require('pyarrow.parquet', 'reading a graph store')
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
        found = self._file.schema_arrow
        version = (found.metadata or {}).get(_VERSION_KEY)
        if version is None:
            raise DamagedShard(f'{self.path}: not a shard of a graph store (no version in it)')
        if version != str(STORE_VERSION).encode():
            raise GraphError(
                f'{self.path}: written in version {version.decode(errors="replace")} of the graph '
                f'store, this Finsta reads version {STORE_VERSION}. Parse again into a new '
                'folder, or use the Finsta that wrote it')
        missing = [name for name in TABLES[self.table] if name not in found.names]
        if missing:
            raise DamagedShard(f'{self.path}: columns {missing} are missing')

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

    def read_graphs(self, group: int):
        """The Arrow column of graph texts of one row group; raises DamagedShard."""
        try:
            data = self._file.read_row_group(group, columns=['graph'], use_threads=False)
        except (OSError, ValueError) as error:
            raise DamagedShard(f'{self.path}, row group {group}: {error}') from error
        return data.column('graph')

    @property
    def num_groups(self) -> int:
        """Row groups of the file."""
        return len(self._starts)

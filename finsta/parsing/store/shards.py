"""The Parquet shards of the graph store: tables and version; the files are utils/shards.py's."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from finsta.structures import GraphError
from finsta.utils.shards import (
    DamagedShard,
    ShardFormat,
    ShardReader,
    list_shards,
    next_number,
    shard_number,
)
from finsta.utils.shards import write_shard as _write_shard

STORE_VERSION = 1
GROUP_BYTES = 256 << 10
# metadata key of what made the rows; shards of earlier versions have none
MAKER_KEY = 'finsta_maker'

# table -> column -> Arrow type; the columns before 'graph' are read at opening, the rest later
TABLES: dict[str, dict[str, str]] = {
    'texts': {'text': 'string', 'video_id': 'string', 'num_nodes': 'int32',
              'parser': 'string', 'graph': 'large_string'},
    'videos': {'video_id': 'string', 'num_frames': 'int32', 'num_nodes': 'int32',
               'parser': 'string', 'graph': 'large_string'},
    'failures': {'kind': 'string', 'key': 'string', 'reason': 'string'},
}


def graph_format() -> ShardFormat:
    """Format of the graph store's shards."""
    return ShardFormat(
        store='graph store', key=b'finsta_graph_store', version=STORE_VERSION, tables=TABLES,
        payload='graph', group_bytes=GROUP_BYTES, error=GraphError,
        remedy='Parse again into a new folder, or use the Finsta that wrote it')


def write_shard(folder: Path, table: str, number: int, rows: Sequence[Mapping[str, Any]],
                maker: str | None = None) -> Path:
    """Write rows as one new shard of a table; arguments as of finsta.utils.shards.

    Args:
        maker: what made the rows, in words.
    """
    return _write_shard(graph_format(), folder, table, number, rows,
                        None if maker is None else {MAKER_KEY: maker})


class Shard(ShardReader):
    """A shard of graphs; errors as :class:`finsta.utils.shards.ShardReader`, GraphError for
    another version."""

    def __init__(self, path: Path, table: str) -> None:
        super().__init__(graph_format(), path, table)

    @property
    def number(self) -> int:
        """Its place in the order of the table's shards."""
        return shard_number(self.path)

    @property
    def maker(self) -> str | None:
        """What made the rows, in words; None where nobody noted it."""
        return self.metadata.get(MAKER_KEY)

    def read_graphs(self, group: int):
        """The Arrow column of graph texts of one row group; raises DamagedShard."""
        return self.read_payload(group)


__all__ = ['GROUP_BYTES', 'MAKER_KEY', 'STORE_VERSION', 'TABLES', 'DamagedShard', 'Shard',
           'graph_format', 'list_shards', 'next_number', 'write_shard']

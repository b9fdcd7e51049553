"""Graphs on disk: Parquet shards behind one class."""

from finsta.parsing.store.graph_store import Failure, GraphStore
from finsta.parsing.store.shards import STORE_VERSION, DamagedShard

__all__ = ['STORE_VERSION', 'DamagedShard', 'Failure', 'GraphStore']

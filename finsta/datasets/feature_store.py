"""Outputs of a frozen frame tower on disk, as Parquet shards (utils/shards.py).

::

    ROOT/features/features-000000-1f2e3d4c.parquet   video_id, start, end, file_bytes, mask, times,
                                                     crop, shape, dtype, data
    ROOT/failures/failures-000000-....parquet        video_id, start, end, reason

``data`` holds the tokens of the real frames (n, S, C), uncompressed. The metadata of every shard
names the tower (a fingerprint of its weights and preprocessing) and the recipe (the pipeline that
made its input); a store made with others is refused. Shards are only ever added, a later row hides
an earlier one with the same key. Ours.

Shapes: F frames, n real ones, S tokens a frame, C width.
"""

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from mmengine.logging import print_log

from finsta.utils.shards import (
    DamagedShard,
    ShardFormat,
    ShardReader,
    list_shards,
    next_number,
    write_shard,
)

FEATURES_VERSION = 1
DTYPES = {'fp16': np.float16, 'fp32': np.float32}
TABLES = {
    'features': {'video_id': 'string', 'start': 'float64', 'end': 'float64',
                 'file_bytes': 'int64', 'mask': 'string', 'times': 'string', 'crop': 'string',
                 'shape': 'string', 'dtype': 'string', 'data': 'large_binary'},
    'failures': {'video_id': 'string', 'start': 'float64', 'end': 'float64', 'reason': 'string'},
}
_FILL = 'tools/misc/cache_features.py CONFIG fills it'


class FeatureStoreError(ValueError):
    """A store that does not fit the model or lacks a row; the message says what to do."""


class Key(NamedTuple):
    """A video, or a segment of it in seconds. ``video_id`` '' = black frames."""

    video_id: str
    start: float | None = None
    end: float | None = None


BLANK = Key('')


@dataclass
class FeatureRow:
    """Tokens of one video.

    Attributes:
        tokens: (F, S, C), 0 for padded frames. mask: (F,) True = a real frame.
        times: (F,) seconds. crop: (4,) fractions of the source frame.
        file_bytes: size of the video file when it was read, -1 = no file.
    """

    tokens: np.ndarray
    mask: np.ndarray
    times: np.ndarray
    crop: np.ndarray
    file_bytes: int = -1


def recipe_text(recipe: Any) -> str:
    """A recipe as canonical JSON: equal pipelines give equal texts."""
    return json.dumps(recipe, sort_keys=True, separators=(',', ':'))


class FeatureStore:
    """Reads and writes features. Pickled and forked like the graph store: every process opens the
    files for itself.

    Args:
        root: folder. recipe: JSON-able description of how the tower's input is made.
        tower: fingerprint of the tower; None accepts the store's (:attr:`tower` tells it).
        readonly: False to write; the folder is then made.
        dtype: 'fp16' or 'fp32', of what is written.
        flush_bytes: a writer collects so many bytes before it writes a shard.

    Raises:
        FileNotFoundError: ``readonly`` and no such folder.
        FeatureStoreError: another version, tower or recipe; at the first use of the store.
    """

    def __init__(self, root: str | os.PathLike, recipe: Any, tower: str | None = None,
                 readonly: bool = True, dtype: str = 'fp16', flush_bytes: int = 128 << 20) -> None:
        if dtype not in DTYPES:
            raise ValueError(f'dtype={dtype!r} is none of {sorted(DTYPES)}')
        self.root, self.recipe, self.tower = Path(root), recipe_text(recipe), tower
        self.readonly, self.dtype, self.flush_bytes = readonly, dtype, flush_bytes
        if readonly and not self.root.is_dir():
            raise FileNotFoundError(f'no feature store at {self.root}; {_FILL}')
        self.damaged: dict[str, str] = {}
        self._pending: dict[str, list[dict]] = {t: [] for t in TABLES}
        self._pending_bytes = 0
        self._forget()

    # -- opening --------------------------------------------------------------------------------
    def _forget(self) -> None:
        self._pid: int | None = None
        self._shards: list[ShardReader] = []
        self._index: dict[Key, tuple[int, int, dict]] = {}
        self._failures: dict[Key, str] = {}

    def __getstate__(self) -> dict[str, Any]:
        if any(self._pending.values()):
            raise ValueError(f'the feature store {self.root} has unwritten rows: call flush() '
                             'before it is sent to another process')
        state = dict(self.__dict__, _pid=None, _shards=[], _index={}, _failures={})
        return state

    def _format(self) -> ShardFormat:
        return ShardFormat(
            store='feature store', key=b'finsta_feature_store', version=FEATURES_VERSION,
            tables=TABLES, payload='data', group_bytes=1, error=FeatureStoreError,
            remedy='Delete the folder and fill it again, or use the Finsta that wrote it',
            compression='none', dictionary=False,
            metadata={'tower': self.tower or '', 'recipe': self.recipe})

    def _open(self) -> None:
        if self._pid == os.getpid():
            return
        self._forget()
        for table in TABLES:
            for path in list_shards(self.root / table, table):
                if str(path) in self.damaged:
                    continue
                try:
                    self._add_shard(ShardReader(self._format(), path, table))
                except DamagedShard as error:
                    self._report(path, error)
        self._pid = os.getpid()

    def _add_shard(self, shard: ShardReader) -> None:
        self._check(shard)
        names = [n for n in TABLES[shard.table] if n != 'data']
        rows = shard.columns(names)
        for i in range(shard.num_rows):
            row = {n: rows[n][i] for n in names}
            key = Key(row['video_id'], row['start'], row['end'])
            if shard.table == 'failures':
                self._failures[key] = row['reason']
            else:
                self._index[key] = (len(self._shards), i, row)
        if shard.table == 'features':
            self._shards.append(shard)

    def _check(self, shard: ShardReader) -> None:
        """The shard's tower and recipe against this store's."""
        found = shard.metadata
        if self.tower is None:
            self.tower = found.get('tower')
        for what, wanted, remedy in (
                ('tower', self.tower, 'the tower\'s weights, sizes or pixel normalisation differ'),
                ('recipe', self.recipe, 'the pipeline that prepares the frames differs')):
            if found.get(what) != wanted:
                raise FeatureStoreError(
                    f'{shard.path}: features are stale: made with {what} {found.get(what)}, '
                    f'wanted {wanted}; {remedy}. Delete {self.root}, or '
                    'name another folder (root of LoadFrameFeatures), and run '
                    'tools/misc/cache_features.py, or go back to what made these')

    def _report(self, path: Path, error: Exception) -> None:
        if str(path) not in self.damaged:
            self.damaged[str(path)] = str(error)
            print_log(f'feature store: damaged shard skipped: {error}. Run '
                      'tools/misc/cache_features.py again to replace its rows, then delete the '
                      'file', logger='current', level=30)

    # -- reading --------------------------------------------------------------------------------
    def __contains__(self, key: Key) -> bool:
        self._open()
        return key in self._index

    def keys(self) -> Iterator[Key]:
        """Every stored key."""
        self._open()
        yield from self._index

    def failure(self, key: Key) -> str | None:
        """Why a video could not be read when the store was filled."""
        self._open()
        return None if key in self._index else self._failures.get(key)

    def get(self, key: Key) -> FeatureRow:
        """The row of a video.

        Raises:
            FeatureStoreError: there is none.
        """
        while key in self:
            row = self._index[key][2]
            data = self._data(key)
            if data is not None:
                return _decode(row, data)
        lost = f'; damaged shards: {", ".join(self.damaged)}' if self.damaged else ''
        raise FeatureStoreError(f'{self.root} has no features of {key}{lost}; {_FILL}, what is '
                                'there already is kept')

    def verify(self, keys: Iterable[Key]) -> dict[str, str]:
        """Read the tokens of those of ``keys`` that are stored, checksums and all.

        Returns:
            Path of every damaged shard -> what is wrong. Its rows count as not stored.
        """
        for key in keys:
            while key in self and self._data(key) is None:
                pass   # an older shard may hold the key too
        return dict(self.damaged)

    def _data(self, key: Key) -> Any:
        """Bytes of a stored key; None, and the shard's rows are gone, if it is damaged."""
        at, number, _ = self._index[key]
        shard = self._shards[at]
        group, offset = shard.group_of(number)
        try:
            return shard.read_payload(group)[offset].as_buffer()
        except DamagedShard as error:
            self._report(shard.path, error)
            self._forget()
            return None

    # -- writing --------------------------------------------------------------------------------
    def put(self, key: Key, row: FeatureRow) -> None:
        """Add a row.

        Raises:
            FeatureStoreError: tokens that overflow half precision.
        """
        self._writable()
        with np.errstate(over='ignore'):   # reported below
            real = np.ascontiguousarray(row.tokens[row.mask], DTYPES[self.dtype])
        if not np.isfinite(real).all():
            raise FeatureStoreError(f'{key}: tokens are not finite as {self.dtype}; use '
                                    'dtype=fp32, or repair the weights')
        data = real.tobytes()
        self._pending['features'].append(dict(
            key._asdict(), file_bytes=row.file_bytes, mask=json.dumps(row.mask.tolist()),
            times=json.dumps(row.times.tolist()), crop=json.dumps(row.crop.tolist()),
            shape=json.dumps(real.shape), dtype=self.dtype, data=data))
        self._pending_bytes += len(data)
        if self._pending_bytes >= self.flush_bytes:
            self.flush()

    def put_failure(self, key: Key, reason: str) -> None:
        """Note that a video could not be read."""
        self._writable()
        self._pending['failures'].append(dict(key._asdict(), reason=reason))

    def _writable(self) -> None:
        if self.readonly:
            raise PermissionError(f'the feature store {self.root} was opened for reading; pass '
                                  'readonly=False to write')
        if self.tower is None:
            raise ValueError('writing features needs the fingerprint of the tower')

    def flush(self) -> None:
        """Write the collected rows as new shards; when it returns they are on the disk."""
        self._open()
        for table, rows in self._pending.items():
            if rows:
                folder = self.root / table
                path = write_shard(self._format(), folder, table, next_number(folder, table), rows)
                self._add_shard(ShardReader(self._format(), path, table))
                self._pending[table] = []
        self._pending_bytes = 0

    def __enter__(self) -> 'FeatureStore':
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if not self.readonly:
            self.flush()


def _decode(row: dict[str, Any], data: Any) -> FeatureRow:
    mask = np.array(json.loads(row['mask']), bool)
    shape = tuple(json.loads(row['shape']))
    real = np.frombuffer(data, DTYPES[row['dtype']]).reshape(shape)
    tokens = np.zeros((len(mask), *shape[1:]), real.dtype)
    tokens[mask] = real
    return FeatureRow(tokens, mask, np.array(json.loads(row['times']), np.float64),
                      np.array(json.loads(row['crop']), np.float64), row['file_bytes'])

"""The graph store: text graphs by sentence, dynamic graphs by video, on disk as Parquet shards.

::

    ROOT/texts/texts-000000-1f2e3d4c.parquet     text, video_id, num_nodes, parser, graph (JSON)
    ROOT/videos/videos-000000-5a6b7c8d.parquet   video_id, num_frames, num_nodes, parser, graph
    ROOT/failures/failures-000000-....parquet    kind, key, reason
    ROOT/overwrite-text.json, -video.json        while an overwrite is unfinished: see overwrite.py

Shards are only ever added (see ``shards.py``); the row of a later shard hides the row of an
earlier one with the same key. A shard's metadata say what made its rows. Opening reads the key
columns into memory; a look-up decodes one small row group through the memory map, and keeps the
graphs used last. Layout: ours. (Over 400 lines: reading and writing share the opened shards and
the rows that wait; what stands alone is in ``shards.py``, ``overwrite.py`` and ``lru.py``.)
"""

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.logging import print_log

from finsta.parsing.makers import same_maker
from finsta.parsing.store.lru import WeightedLRU
from finsta.parsing.store.overwrite import (
    Overwrite,
    begin_overwrite,
    read_note,
    refuse_unfinished,
    remove_note,
    write_note,
)
from finsta.parsing.store.shards import (
    TABLES,
    DamagedShard,
    Shard,
    list_shards,
    next_number,
    write_shard,
)
from finsta.registry import GRAPH_STORES
from finsta.structures import DynamicSceneGraph, GraphError, SceneGraph
from finsta.utils.text import well_formed

TextKey = tuple[str | None, str]


class Failure(NamedTuple):
    """Something that could not be parsed: ``kind`` is 'text' or 'video'."""

    kind: str
    key: str
    reason: str


@GRAPH_STORES.register_module()
class GraphStore:
    """Scene graphs on disk.

    A writer and any number of readers may use one folder at once; a reader sees the shards that
    were finished when it was opened (at its first use; another object sees later ones). The object
    can be pickled and forked: every process opens the files for itself.

    Args:
        root: folder of the store.
        readonly: False to write; the folder is then made.
        flush_rows: rows that a writer collects before it writes a shard.
        flush_bytes: the same in bytes of graph text.
        cache_nodes: decoded graphs are kept up to this many nodes in all (about 0.5 kB each).
        cache_bytes: undecoded row groups are kept up to this many bytes.

    Raises:
        FileNotFoundError: if ``readonly`` and the folder is absent.
        NotADirectoryError: if ``root`` is a file.
        GraphError: if a shard was written by another version of the store.
    """

    def __init__(self, root: str | os.PathLike, readonly: bool = True, flush_rows: int = 4096,
                 flush_bytes: int = 64 << 20, cache_nodes: int = 200_000,
                 cache_bytes: int = 64 << 20) -> None:
        self.root, self.readonly = Path(root), readonly
        if self.root.exists() and not self.root.is_dir():
            raise NotADirectoryError(f'{self.root} is a file, where a graph store is a folder; '
                                     'give another name')
        if readonly and not self.root.is_dir():
            raise FileNotFoundError(
                f'no graph store at {self.root}. Make one with tools/scene_graphs/parse_text.py '
                f'and parse_video.py --out {self.root}')
        self.flush_rows, self.flush_bytes = flush_rows, flush_bytes
        self._cache_args = (cache_nodes, cache_bytes)
        self.damaged: dict[str, str] = {}
        self._maker: str | None = None
        self._overwrite: Overwrite | None = None
        self._pending: dict[str, dict[Any, dict[str, Any]]] = {t: {} for t in TABLES}
        self._pending_graphs: dict[tuple[str, Any], SceneGraph | DynamicSceneGraph] = {}
        self._pending_bytes = 0
        self._forget()

    # ---- opening -------------------------------------------------------------------------

    def _forget(self) -> None:
        """Drop everything that belongs to one process; it is opened again at the next use."""
        self._pid: int | None = None
        self._shards: dict[str, list[Shard]] = {}
        self._index: dict[str, dict[Any, tuple[int, int]]] = {}
        # (kind, key) -> reason, number of the shard
        self._failures: dict[tuple[str, str], tuple[str, int]] = {}
        self._graphs: WeightedLRU = WeightedLRU(self._cache_args[0])
        self._groups: WeightedLRU = WeightedLRU(self._cache_args[1])

    def __getstate__(self) -> dict[str, Any]:
        if any(self._pending.values()):
            raise ValueError(f'the graph store {self.root} has unwritten rows: call flush() '
                             'before it is pickled or sent to another process')
        keep = ('root', 'readonly', 'flush_rows', 'flush_bytes', '_cache_args', 'damaged',
                '_maker', '_overwrite', '_pending', '_pending_graphs', '_pending_bytes')
        return {name: self.__dict__[name] for name in keep}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._forget()

    def _open(self) -> None:
        """Read the keys of all shards, once in each process."""
        if self._pid == os.getpid():
            return
        if self._pid is not None:
            # a forked worker: rows that wait belong to the parent, which will write them
            self._pending = {t: {} for t in TABLES}
            self._pending_graphs, self._pending_bytes = {}, 0
        self._forget()
        for table in TABLES:
            self._shards[table], self._index[table] = [], {}
            for path in list_shards(self.root / table, table):
                if str(path) in self.damaged:
                    continue
                try:
                    self._add_shard(table, Shard(path, table))
                except DamagedShard as error:
                    self._report(path, error)
        self._pid = os.getpid()

    def _add_shard(self, table: str, shard: Shard) -> None:
        if table == 'failures':
            rows = shard.columns(('kind', 'key', 'reason'))
            self._failures.update({(kind, key): (reason, shard.number) for kind, key, reason
                                   in zip(*rows.values(), strict=True)})
        else:
            names = ('video_id', 'text') if table == 'texts' else ('video_id',)
            rows = shard.columns(names)
            keys = list(zip(*(rows[n] for n in names), strict=True))
            at = len(self._shards[table])
            for row, key in enumerate(keys):
                self._index[table][key if table == 'texts' else key[0]] = (at, row)
        self._shards[table].append(shard)

    def _report(self, path: Path, error: Exception) -> None:
        if str(path) not in self.damaged:
            self.damaged[str(path)] = str(error)
            print_log(f'graph store: damaged shard skipped: {error}. Parse again to replace its '
                      'rows', logger='current', level=30)

    # ---- reading -------------------------------------------------------------------------

    def get_text(self, text: str, video_id: str | None = None) -> SceneGraph | None:
        """The graph of a sentence: the one stored for this video, else for the text alone.

        Raises:
            GraphError: if the stored row contradicts itself, naming shard and key.
        """
        while (key := self._text_key(text, video_id)) is not None:
            graph = self._get('texts', key)
            if graph is not None:
                return graph
            # its shard turned out to be damaged and left the index: there may be another row
        return None

    def get_video(self, video_id: str) -> DynamicSceneGraph | None:
        """The graph of a video; raises GraphError as :meth:`get_text` does."""
        return self._get('videos', _as_key(video_id))

    def has_text(self, text: str, video_id: str | None = None) -> bool:
        """Whether :meth:`get_text` would look up a row."""
        return self._text_key(text, video_id) is not None

    def has_video(self, video_id: str) -> bool:
        """Whether the video is in the store."""
        self._open()
        key = _as_key(video_id)
        return key in self._pending['videos'] or key in self._index['videos']

    def text_keys(self) -> Iterator[TextKey]:
        """(video_id or None, text) of every text graph."""
        self._open()
        yield from dict.fromkeys([*self._index['texts'], *self._pending['texts']])

    def video_keys(self) -> Iterator[str]:
        """Id of every dynamic graph."""
        self._open()
        yield from dict.fromkeys([*self._index['videos'], *self._pending['videos']])

    @property
    def num_texts(self) -> int:
        """Text graphs in the store."""
        return sum(1 for _ in self.text_keys())

    @property
    def num_videos(self) -> int:
        """Dynamic graphs in the store."""
        return sum(1 for _ in self.video_keys())

    @property
    def failures(self) -> list[Failure]:
        """What could not be parsed and has not been parsed since, in order of key."""
        self._open()
        rows = {k: reason for k, (reason, _) in self._failures.items()}
        rows.update({k: r['reason'] for k, r in self._pending['failures'].items()})
        return [Failure(kind, key, reason) for (kind, key), reason in sorted(rows.items())
                if not (self.has_video(key) if kind == 'video' else self.has_text(key))]

    def _text_key(self, text: str, video_id: str | None) -> TextKey | None:
        self._open()
        text, video_id = _as_key(text), _as_key(video_id)
        for key in ((video_id, text), (None, text)):
            if key in self._pending['texts'] or key in self._index['texts']:
                return key
        return None

    def _get(self, table: str, key: Any) -> Any:
        self._open()
        for cached in (self._pending_graphs.get((table, key)), self._graphs.get((table, key))):
            if cached is not None:
                return cached
        place = self._index[table].get(key)
        if place is None:
            return None
        path = self._shards[table][place[0]].path
        try:
            text = self._read(table, *place)
        except DamagedShard as error:
            # none of the shard's rows count any more: index the others again, without it
            self._report(path, error)
            self._forget()
            return self._get(table, key)
        graph = _decode(table, text, f'{path}, key {key!r}')
        self._graphs.put((table, key), graph, _num_nodes(graph) + 1)
        return graph

    def _read(self, table: str, at: int, row: int) -> str:
        shard = self._shards[table][at]
        group, offset = shard.group_of(row)
        column = self._groups.get((table, at, group))
        if column is None:
            column = shard.read_graphs(group)
            self._groups.put((table, at, group), column, column.nbytes)
        return column[offset].as_py()

    def verify(self) -> dict[str, str]:
        """Read and decode every row.

        Returns:
            What is wrong, by place: a damaged shard's path, or "path, key" of a row that
            contradicts itself. Empty when all is well.
        """
        self._open()
        wrong = dict(self.damaged)
        for table in ('texts', 'videos'):
            for key in list(self._index[table]):
                try:
                    self._get(table, key)
                except GraphError as error:
                    wrong[f'{table}, key {key!r}'] = str(error)
        return {**self.damaged, **wrong}

    # ---- writing -------------------------------------------------------------------------

    def begin(self, kind: str, maker: str, replace: bool = False,
              keys: Iterable[str] | None = None) -> None:
        """Say what makes the graphs that are put from now on; refuse to mix two makers.

        Args:
            kind: 'text' or 'video'.
            maker: in words, e.g. a parser with its arguments. It is kept with the rows.
            replace: they are to replace what is there, whoever made that.
            keys: texts or video ids that will be replaced. Then an overwrite of the same maker and
                keys that has not come to :meth:`finish` goes on, as :meth:`made` tells. Without
                keys, one of another maker that is unfinished stays so.

        Raises:
            ValueError: without ``replace``, if graphs of this kind by another maker are there, or
                an overwrite of them is unfinished.
        """
        self._check_writable()
        self.flush()
        self._maker, self._overwrite = maker, None
        if not replace:
            refuse_unfinished(self.root, kind)
            found = self.makers(kind)
            if not all(same_maker(one, maker) for one in found):
                raise ValueError(
                    f'{self.root} holds {kind} graphs of {" and ".join(found)}, not of {maker} '
                    'alone; give another --out, or --overwrite to make the graphs of this call '
                    'anew')
        elif keys is not None:
            since = {t: next_number(self.root / t, t) for t in (f'{kind}s', 'failures')}
            self._overwrite = begin_overwrite(self.root, kind, maker, keys, since)

    def made(self, kind: str, key: str) -> bool:
        """Whether the graph of a text or video is on the disk; in an overwrite, whether that one
        has made it."""
        self._open()
        place = self._index[f'{kind}s'].get((None, _as_key(key)) if kind == 'text'
                                            else _as_key(key))
        return place is not None and (
            self._shards[f'{kind}s'][place[0]].number >= self._first_shard(f'{kind}s'))

    def tried(self, kind: str) -> dict[str, str]:
        """Key -> reason of the texts or videos that could not be parsed (some were made later);
        in an overwrite, that it could not parse."""
        self._open()
        first = self._first_shard('failures')
        return {key: reason for (found, key), (reason, number) in self._failures.items()
                if found == kind and number >= first}

    def _first_shard(self, table: str) -> int:
        return 0 if self._overwrite is None else self._overwrite.since[table]

    def finish(self) -> None:
        """Write what waits; an overwrite that has begun is finished."""
        self.flush()
        if self._overwrite is not None:
            remove_note(self.root, self._overwrite.kind)
            self._overwrite = None

    def unfinished(self, kind: str) -> Overwrite | None:
        """The overwrite of text or video graphs that was begun and not finished, if there is
        one: old graphs then stand among new ones."""
        return read_note(self.root, kind)

    def makers(self, kind: str) -> list[str]:
        """What made the text or video graphs on the disk, oldest first. Rows of shards from
        before this was noted are left out."""
        self._open()
        table = f'{kind}s'
        used = {at for at, _ in self._index[table].values()}
        found = (self._shards[table][at].maker for at in sorted(used))
        return list(dict.fromkeys(m for m in found if m is not None))

    def put_text(self, text: str, graph: SceneGraph, video_id: str | None = None) -> None:
        """Add a text graph, for one video or (None) for the text wherever it stands."""
        text, video_id = _as_key(text), _as_key(video_id)
        self._add('texts', (video_id, text), graph,
                  {'text': text, 'video_id': video_id, 'num_nodes': len(graph.nodes),
                   'parser': graph.parser})

    def put_video(self, video_id: str, graph: DynamicSceneGraph) -> None:
        """Add a dynamic graph."""
        video_id = _as_key(video_id)
        self._add('videos', video_id, graph,
                  {'video_id': video_id, 'num_frames': len(graph.frames),
                   'num_nodes': _num_nodes(graph), 'parser': graph.parser})

    def put_failure(self, kind: str, key: str, reason: str) -> None:
        """Note that a text or a video ('text', 'video') could not be parsed, and why."""
        if kind not in ('text', 'video'):
            raise ValueError(f"kind must be 'text' or 'video', got {kind!r}")
        self._check_writable()
        self._open()
        key, reason = _as_key(key), _as_key(reason)
        self._pending['failures'][kind, key] = {'kind': kind, 'key': key, 'reason': reason}

    def _check_writable(self) -> None:
        if self.readonly:
            raise PermissionError(f'the graph store {self.root} was opened for reading; pass '
                                  'readonly=False to write')

    def _add(self, table: str, key: Any, graph: Any, row: dict[str, Any]) -> None:
        self._check_writable()
        self._open()
        # ASCII escapes: a lone surrogate in a caption has no UTF-8 form
        text = json.dumps(graph.to_dict(), separators=(',', ':'))
        row['graph'] = text
        self._pending[table][key] = row
        self._pending_graphs[table, key] = graph
        self._graphs.discard((table, key))
        self._pending_bytes += len(text)
        if self._pending_bytes >= self.flush_bytes or self.num_pending >= self.flush_rows:
            self.flush()

    @property
    def num_pending(self) -> int:
        """Rows that a kill would lose now."""
        return sum(len(rows) for rows in self._pending.values())

    def flush(self) -> None:
        """Write the collected rows as new shards; when it returns they are on the disk."""
        if not self.num_pending:
            return
        self._check_writable()
        self._open()
        if self._overwrite is not None:
            write_note(self.root, self._overwrite)
        for table, rows in self._pending.items():
            if rows:
                number = next_number(self.root / table, table)
                path = write_shard(self.root / table, table, number, list(rows.values()),
                                   self._maker)
                self._add_shard(table, Shard(path, table))
                self._pending[table] = {}
        self._pending_graphs, self._pending_bytes = {}, 0

    def __enter__(self) -> 'GraphStore':
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if not self.readonly:
            self.flush()


def _as_key(key: str | None) -> str | None:
    """A key that can be written as UTF-8: lone surrogates become question marks."""
    return None if key is None else well_formed(key)


def _decode(table: str, text: str, where: str) -> SceneGraph | DynamicSceneGraph:
    try:
        data = json.loads(text)
    except ValueError as error:
        raise GraphError(f'{where}: the row is no JSON ({error})') from error
    cls = SceneGraph if table == 'texts' else DynamicSceneGraph
    return cls.from_dict(data, where)


def _num_nodes(graph: SceneGraph | DynamicSceneGraph) -> int:
    if isinstance(graph, SceneGraph):
        return len(graph.nodes)
    return sum(len(frame.nodes) for frame in graph.frames)

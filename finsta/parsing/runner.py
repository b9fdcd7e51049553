"""Parsing a corpus into a graph store: all cores, resumable, nothing lost to one bad input.

The parent owns the store and writes it; workers are clean processes with one thread each (from a
fork server that has imported torch once; spawned where there is none) that build the parser from
its config. What is in the store already is skipped, so that a run
which was killed goes on where its last shard ended; an overwrite skips what it has replaced
itself. An input that cannot be read, or that kills
its worker, is listed with the reason and the rest goes on. Layout: ours.
"""

import importlib
import multiprocessing
import multiprocessing.context
import os
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mmengine.logging import print_log

from finsta.parsing.makers import maker_of
from finsta.parsing.store import GraphStore
from finsta.registry import SG_PARSERS
from finsta.utils.errors import input_errors
from finsta.utils.processes import end_with_parent
from finsta.utils.video_names import VIDEO_EXTENSIONS, video_path_id, video_stem


@dataclass
class ParseReport:
    """Outcome of one run.

    Attributes:
        kind: 'text' or 'video'. store: folder. total: inputs, each counted once.
        parsed: graphs added. already: found in the store. failed: could not be parsed.
        empty: graphs added that have no node.
        seconds: wall time of parsing. per_second: parsed per second. workers: processes.
        failures: [key, reason] of this run.
    """

    kind: str
    store: str
    total: int = 0
    parsed: int = 0
    already: int = 0
    failed: int = 0
    empty: int = 0
    seconds: float = 0.0
    per_second: float = 0.0
    workers: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self)


@dataclass(frozen=True)
class RunOptions:
    """How to run.

    Attributes:
        workers: processes; 0 parses in this process.
        batch_size: texts, or videos, handed to the parser at once.
        imports: modules that register parsers of your own.
        overwrite: parse again what is in the store; one that was killed goes on.
        retry_failed: try again what failed in an earlier run.
        flush_seconds: longest time that parsed graphs wait in memory.
        progress: show a progress bar.
    """

    workers: int = 0
    batch_size: int = 1
    imports: tuple[str, ...] = ()
    overwrite: bool = False
    retry_failed: bool = False
    flush_seconds: float = 10.0
    progress: bool = True


def parse_texts(texts: Iterable[str], parser: dict, store: GraphStore,
                options: RunOptions) -> ParseReport:
    """Parse texts into ``store``, by text.

    Args:
        texts: sentences or short paragraphs; repeated ones are parsed once.
        parser: config of an SG_PARSERS text parser.
        store: opened with ``readonly=False``.

    Raises:
        ValueError: if the store holds text graphs of another parser or of other arguments, and
            ``options.overwrite`` is not set.
    """
    return _Run('text', {text: text for text in texts}, parser, store, options).run()


def parse_videos(videos: Iterable[str | os.PathLike], parser: dict, store: GraphStore,
                 options: RunOptions, root: str | os.PathLike | None = None) -> ParseReport:
    """Parse video files, or ids that an annotation parser knows, into ``store``.

    A graph is stored under the file name without folder and video extension, which is the id that
    the data sets look up; an id with dots in it stays whole. With ``root`` the id is the path
    under that folder (WebVid-like corpora, where file names repeat across folders).

    Raises:
        ValueError: if two files have the same id, one does not lie under ``root``, or the store
            holds video graphs made otherwise, as for :func:`parse_texts`.
    """
    paths: dict[str, str] = {}
    for video in videos:
        stem = video_stem(os.fspath(video)) if root is None else _id_under(root, video)
        if paths.setdefault(stem, str(video)) != str(video):
            raise ValueError(f'{paths[stem]} and {video} have the same id {stem!r}; parse them '
                             'into different stores')
    return _Run('video', paths, parser, store, options).run()


def _id_under(root: str | os.PathLike, video: str | os.PathLike) -> str:
    path = os.path.relpath(video, root)
    if path.startswith(os.pardir):
        raise ValueError(f'{video} does not lie under the root {root}')
    return video_path_id(path)


def list_videos(source: str | os.PathLike) -> list[str]:
    """Video files of a folder (searched through), one file, or a text file with a path a line.

    Raises:
        FileNotFoundError: if the source is absent, or a folder has no video.
        ValueError: if a list is empty, or no text.
    """
    source = Path(source)
    if source.is_dir():
        found = sorted(str(p) for p in source.rglob('*')
                       if p.suffix.lower() in VIDEO_EXTENSIONS and p.is_file())
        if not found:
            raise FileNotFoundError(f'no video in {source} (looked for '
                                    f'{", ".join(sorted(VIDEO_EXTENSIONS))})')
        return found
    if not source.is_file():
        raise FileNotFoundError(f'no such folder, list or video: {source}')
    if source.suffix.lower() in VIDEO_EXTENSIONS:
        return [str(source)]
    try:
        lines = source.read_text(encoding='utf-8').splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f'{source}: no video by its name (videos end in '
                         f'{", ".join(sorted(VIDEO_EXTENSIONS))}), and as a list of paths it is '
                         f'not UTF-8 ({error})') from error
    found = list(dict.fromkeys(line.strip() for line in lines if line.strip()))
    if not found:
        raise ValueError(f'{source}: a list without a path; write one a line')
    return found


class _Run:
    """One run over ``items`` (key -> what the parser gets)."""

    def __init__(self, kind: str, items: dict[str, str], parser: dict, store: GraphStore,
                 options: RunOptions) -> None:
        self.kind, self.store, self.options, self.parser = kind, store, options, parser
        self.report = ParseReport(kind, str(store.root), len(items), workers=options.workers)
        store.begin(kind, maker_of(parser), options.overwrite, items)
        failed = store.tried(kind)
        self.todo: list[tuple[str, str]] = []
        for key, value in items.items():
            if store.made(kind, key):
                self.report.already += 1
            elif key in failed and not options.retry_failed:
                self.report.failures.append((key, f'{failed[key]} (in an earlier run)'))
            else:
                self.todo.append((key, value))
        self._last_flush = time.monotonic()

    def run(self) -> ParseReport:
        from tqdm import tqdm
        start = time.monotonic()
        with tqdm(total=self.report.total, initial=self.report.total - len(self.todo),
                  unit=self.kind, desc=f'parsing {self.kind}s', smoothing=0.05,
                  disable=not self.options.progress) as bar:
            for results in self._results():
                for key, graph, reason in results:
                    self._take(key, graph, reason)
                bar.update(len(results))
                bar.set_postfix(failed=len(self.report.failures), refresh=False)
        self.store.finish()
        report = self.report
        report.seconds = round(time.monotonic() - start, 3)
        report.per_second = round(report.parsed / max(report.seconds, 1e-9), 2)
        report.failed = len(report.failures)
        return report

    def _take(self, key: str, graph: Any, reason: str) -> None:
        if graph is None:
            self.report.failures.append((key, reason))
            self.store.put_failure(self.kind, key, reason)
        else:
            put = self.store.put_text if self.kind == 'text' else self.store.put_video
            put(key, graph)
            self.report.parsed += 1
            frames = (graph,) if self.kind == 'text' else graph.frames
            self.report.empty += not any(frame.nodes for frame in frames)
        if time.monotonic() - self._last_flush > self.options.flush_seconds:
            self.store.flush()
            self._last_flush = time.monotonic()

    def _results(self) -> Iterator[list[tuple[str, Any, str]]]:
        size = self.options.batch_size
        batches = [self.todo[i:i + size] for i in range(0, len(self.todo), size)]
        if not batches:
            return
        if self.options.workers == 0:
            _start_worker(self.kind, self.parser, self.options.imports, None)
            yield from map(_parse_batch, batches)
            return
        workers = min(self.options.workers, len(batches))
        left = yield from self._pooled(batches, workers)
        while left:
            # a worker died (killed for memory, a crash in a decoder); among the batches that were
            # under way, the first ones without a result, is the one to blame
            yield from self._find_culprit(left[:2 * workers])
            left = yield from self._pooled(left[2 * workers:], workers)

    def _find_culprit(self, batches: list) -> Iterator[list[tuple[str, Any, str]]]:
        """Run batches in order in one worker; the one on which it dies is halved, and so on."""
        while batches:
            batches = yield from self._pooled(batches, 1)
            if not batches:
                return
            first, batches = batches[0], batches[1:]
            if len(first) == 1:
                yield [(first[0][0], None, "the parser's process died on it (out of memory, or a "
                                           'crash in a decoder)')]
            else:
                half = len(first) // 2
                batches = [first[:half], first[half:], *batches]

    def _pooled(self, batches: Sequence[list], workers: int) -> Generator[list, None, list]:
        """Yield results; return the batches that had none when a worker died, in order."""
        waiting = list(range(len(batches)))[::-1]
        running: dict[Future, int] = {}
        finished: set[int] = set()
        if not batches:
            return []
        with ProcessPoolExecutor(workers, mp_context=_context(), initializer=_start_worker,
                                 initargs=(self.kind, self.parser, self.options.imports, 1)
                                 ) as pool:
            try:
                while waiting or running:
                    while waiting and len(running) < 2 * workers:
                        at = waiting.pop()
                        running[pool.submit(_parse_batch, batches[at])] = at
                    done, _ = wait(running, return_when=FIRST_COMPLETED)
                    for future in done:
                        yield future.result()
                        finished.add(running.pop(future))
            except BrokenProcessPool as error:
                print_log(f'a parsing process died ({error}); its inputs are tried again alone',
                          logger='current', level=30)
        return [batch for at, batch in enumerate(batches) if at not in finished]


def _context() -> multiprocessing.context.BaseContext:
    """A fork server imports the heavy modules once for all workers; never a fork of the parent,
    whose threads and open readers would not survive it."""
    if 'forkserver' not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context('spawn')
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload(['torch', 'mmengine', 'finsta.parsing.runner'])
    return context


# ---- inside a worker -----------------------------------------------------------------------

_worker: dict[str, Any] = {}


def _start_worker(kind: str, parser: dict, imports: Sequence[str], threads: int | None) -> None:
    """Build the parser. A fault is kept and raised by the first batch, where it can be told
    from a worker that died."""
    _worker.clear()
    _worker['kind'] = kind
    if threads is not None:
        end_with_parent()
        _limit_threads(threads)
    try:
        for name in imports:
            importlib.import_module(name)
        _worker['parser'] = SG_PARSERS.build(dict(parser))
    except ValueError as error:
        # the parser is perhaps the user's own: say here, where it counts as a sentence, what it is
        _worker['error'] = ValueError(f'{parser["type"]} cannot be made: {error}')
        _worker['error'].__cause__ = error
    except Exception as error:
        _worker['error'] = error


def _limit_threads(count: int) -> None:
    """One core a worker: libraries that start a thread for every core slow one another down."""
    import torch
    torch.set_num_threads(count)
    try:
        import cv2
    except ImportError:
        return
    cv2.setNumThreads(count)


def _parse_batch(batch: Sequence[tuple[str, str]]) -> list[tuple[str, Any, str]]:
    """(key, graph or None, reason) of each (key, input)."""
    if 'error' in _worker:
        raise _worker['error']
    one = _parse_video if _worker['kind'] == 'video' else _parse_text
    try:
        if _worker['kind'] == 'text':
            graphs = _worker['parser'].parse([value for _, value in batch])
            return [(key, graph, '') for (key, _), graph in zip(batch, graphs, strict=True)]
    except input_errors():
        # one of them is to blame; find out which
        pass
    return [(key, *one(value)) for key, value in batch]


def _parse_text(text: str) -> tuple[Any, str]:
    try:
        return _worker['parser'].parse([text])[0], ''
    except input_errors() as error:
        return None, f'{type(error).__name__}: {error}'


def _parse_video(path: str) -> tuple[Any, str]:
    """The graph, or None and why the file could not be read.

    Parsers answer an unreadable file with an empty graph; those that read and analyse in two
    steps (``read``, ``parse_frames``) let us keep the reason.
    """
    parser = _worker['parser']
    try:
        if hasattr(parser, 'read') and hasattr(parser, 'parse_frames'):
            frames, times = parser.read(path)
            graph = parser.parse_frames(frames, times, path)
        else:
            graph = parser.parse([path])[0]
    except input_errors() as error:
        return None, f'{type(error).__name__}: {error}'
    if not graph.frames:
        return None, 'the parser found no frame in it'
    return graph, ''

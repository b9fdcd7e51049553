"""What a corpus holds to be parsed: texts of annotation files and data sets, gold graphs."""

import gzip
import json
import os
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from finsta.parsing.makers import GOLD
from finsta.parsing.store import GraphStore
from finsta.registry import DATASETS
from finsta.structures import DynamicSceneGraph, GraphError, SceneGraph
from finsta.utils.annotation_files import (
    AnnotationError,
    read_csv,
    read_json,
    read_json_lines,
    read_lines,
)

# names under which published annotation files keep their sentences
TEXT_FIELDS = ('caption', 'captions', 'question', 'sentence', 'sentences', 'text', 'description',
               'enCap')


def texts_of_annotation(path: str | os.PathLike, fields: Iterable[str] = TEXT_FIELDS) -> list[str]:
    """Every distinct text of a .json, .jsonl, .csv or .txt file (each also as .gz), in order.

    Blanks at the ends are cut off, and texts without a word left out, as in the data sets.

    Args:
        fields: keys, or column names, whose strings (or lists of strings) are texts. A .txt file
            has one text a line.

    Raises:
        FileNotFoundError: if the file is absent.
        AnnotationError: if it cannot be parsed.
        ValueError: if it holds none of the fields, naming what it holds.
    """
    path, fields = Path(path), set(fields)
    suffix = Path(path.stem).suffix if path.suffix == '.gz' else path.suffix
    seen_keys: set[str] = set()
    if suffix == '.txt':
        found = read_lines(path)
    else:
        if suffix == '.csv':
            data = list(read_csv(path))
        elif suffix in ('.jsonl', '.ndjson'):
            data = read_json_lines(path)
        else:
            data = read_json(path)
        # stripped, as the data sets strip them: a graph is found by its exact text
        found = [text.strip() for text in _walk(data, fields, seen_keys) if text.strip()]
    if not found:
        raise ValueError(f'{path}: no text found; looked for the keys {sorted(fields)}, the file '
                         f'has {sorted(seen_keys)[:20]}. Name the right ones with --fields')
    return list(dict.fromkeys(found))


def _walk(data: Any, fields: set[str], seen_keys: set[str]) -> Iterator[str]:
    """Strings under the wanted keys, at any depth."""
    if isinstance(data, dict):
        for key, value in data.items():
            seen_keys.add(str(key))
            if key in fields and isinstance(value, str):
                yield value
            elif key in fields and isinstance(value, list) and all(
                    isinstance(v, str) for v in value):
                yield from value
            else:
                yield from _walk(value, fields, seen_keys)
    elif isinstance(data, list):
        for value in data:
            yield from _walk(value, fields, seen_keys)


def texts_of_config(config: Any, splits: Iterable[str] = ('train', 'val', 'test')) -> list[str]:
    """Texts and captions of the data sets of a config, as the data sets give them.

    Args:
        config: an mmengine Config with ``{split}_dataloader``.

    Raises:
        ValueError: if no split has a data set.
    """
    texts: dict[str, None] = {}
    built = 0
    for split in splits:
        loader = config.get(f'{split}_dataloader')
        if not loader or 'dataset' not in loader:
            continue
        # without the pipeline nothing is decoded: only the annotation rows are wanted
        dataset = DATASETS.build(dict(loader['dataset'], pipeline=[]))
        built += 1
        for i in range(len(dataset)):
            sample = dataset[i]['sample']
            texts.update(dict.fromkeys(t for t in (sample.text, *sample.captions) if t))
    if not built:
        raise ValueError(f'the config has no data set in {[f"{s}_dataloader" for s in splits]}')
    return list(texts)


def import_gold(folder: str | os.PathLike, store: GraphStore, table: str,
                overwrite: bool = False) -> dict[str, int]:
    """Copy gold graphs (``gold/videos.jsonl.gz``, ``gold/texts.jsonl.gz``) into a store.

    Args:
        folder: the ``gold`` folder, or the data set's folder above it.
        store: opened with ``readonly=False``.
        table: 'texts' (stored by (video, text)) or 'videos'.
        overwrite: into a store that holds parsed graphs too.

    Returns:
        Counts ``imported`` and ``failed``; a bad row is a failure of the store, with its line.

    Raises:
        FileNotFoundError: if the file is absent.
        AnnotationError: if the archive is damaged or no UTF-8; the rows before that are imported.
        ValueError: if the store holds parsed graphs, and ``overwrite`` is not set.
    """
    folder = Path(folder)
    name = f'{table}.jsonl.gz'
    path = next((p for p in (folder / name, folder / 'gold' / name) if p.is_file()), None)
    if path is None:
        raise FileNotFoundError(f'no {name} in {folder} nor in {folder / "gold"}; SynthVL writes '
                                'it beside the videos (tools/datasets/make_synthvl.py)')
    store.begin(table[:-1], GOLD, replace=overwrite)
    counts = {'imported': 0, 'failed': 0}
    for number, line in enumerate(_packed_lines(path), 1):
        where = f'{path.name}, line {number}'
        try:
            row = json.loads(line)
            if table == 'texts':
                graph = SceneGraph.from_dict(row['tsg'], where)
                store.put_text(row['text'], graph, video_id=row['video_id'])
            else:
                graph = DynamicSceneGraph.from_dict(row['dsg'], where)
                store.put_video(row['video_id'], graph)
        except (GraphError, ValueError, KeyError, TypeError, AttributeError) as error:
            reason = f'key {error} is missing' if isinstance(error, KeyError) else str(error)
            store.put_failure(table[:-1], where, reason)
            counts['failed'] += 1
        else:
            counts['imported'] += 1
    store.flush()
    return counts


def _packed_lines(path: Path) -> Iterator[str]:
    """Lines of a .gz file, one at a time: gold graphs of a corpus are larger than memory."""
    try:
        with gzip.open(path, 'rt', encoding='utf-8', newline='\n') as file:
            yield from file
    except (gzip.BadGzipFile, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise AnnotationError(path, f'the archive is damaged ({error})',
                              remedy='fetch or generate it again') from error

"""Helpers of the layout writers: whole files or none, the same bytes every time."""

import csv
import io
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

SPLITS = ('train', 'val', 'test')


def write_text(path: Path, text: str) -> None:
    """Write aside and rename."""
    aside = path.with_name(path.name + '.part')
    aside.write_text(text, encoding='utf-8', newline='\n')
    os.replace(aside, path)


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """One line each."""
    write_text(path, ''.join(f'{line}\n' for line in lines))


def write_json(path: Path, data: Any) -> None:
    """Indented by one space, as the published files are."""
    write_text(path, json.dumps(data, indent=1) + '\n')


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Comma-separated with a header line."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator='\n')
    writer.writerow(header)
    writer.writerows(rows)
    write_text(path, buffer.getvalue())

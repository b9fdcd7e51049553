"""One step of a study: a command that is run once, and its record.

``done.json`` in the step's folder says what was run (command, hashes of the inputs) and where and
when (commits, date, machine). While the step runs, or after it was killed, ``begun.json`` stands
in its place.
"""

import hashlib
import json
import logging
import os
import re
import subprocess
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from mmengine.logging import print_log

from finsta.utils.provenance import commit, machine

# "[ 20/300]" of the Runner's log, "20/300 [" of a tqdm bar
_PROGRESS = re.compile(r'\[\s*(\d+/\s*\d+)\]|(\d+/\d+) \[')
UNKNOWN = 'unknown'


class StepError(RuntimeError):
    """A step failed; the message holds the command, the log file and its last lines."""


def run_step(name: str, command: list[str], folder: Path, threads: int, bar=None,
             stamp: str = '', products: Sequence[Path] = (),
             inputs: dict[str, str] | None = None) -> float:
    """Run one command unless ``folder/done.json`` says that it is done and its products exist.

    A training that was begun with other inputs is not resumed: its checkpoints are deleted.

    Args:
        name: shown beside the progress bar.
        command: argument list; no shell is involved.
        folder: receives ``log.txt`` and ``done.json``.
        threads: OMP_NUM_THREADS of the child.
        bar: a tqdm bar, or None.
        stamp: anything the result depends on beside the command.
        products: files and folders that the step leaves.
        inputs: name -> hash of what else it depends on. Only names that the record has too are
            compared: records of former versions have none, and are taken with a warning.

    Returns:
        seconds the step took (from the record when it was skipped).

    Raises:
        StepError: it failed, or ended without one of its products.
    """
    folder.mkdir(parents=True, exist_ok=True)
    key = hashlib.sha256(json.dumps([command, stamp]).encode()).hexdigest()
    wanted = {'key': key, 'inputs': inputs or {}}
    done = _read(folder / 'done.json')
    if done and _same(done, wanted) and all(p.exists() for p in products):
        if untold := sorted(set(wanted['inputs']) - set(done.get('inputs', {}))):
            print_log(f'{name}: its record does not tell the {" and ".join(untold)} it was run '
                      'with; taken to be the same', 'current', logging.WARNING)
        if bar is not None:
            bar.update(1)
        return done['seconds']
    record = {**wanted, 'command': command, 'commits': _commits(folder, wanted),
              'date': datetime.now(UTC).isoformat(timespec='seconds'), 'machine': machine()}
    _write(folder / 'begun.json', record)
    (folder / 'done.json').unlink(missing_ok=True)
    started = time.monotonic()
    _run(name, command, folder / 'log.txt', threads, bar, products)
    seconds = time.monotonic() - started
    _write(folder / 'done.json', {**record, 'seconds': seconds})
    (folder / 'begun.json').unlink()
    if bar is not None:
        bar.update(1)
    return seconds


def commits_of(folder: Path) -> list[str]:
    """Commits that a finished step ran at: several where it was resumed at another one than it
    began with; 'unknown' where nothing tells."""
    return (_read(folder / 'done.json') or {}).get('commits', [UNKNOWN])


def file_hash(path: str | Path) -> str:
    """SHA-256 of a file; '' where there is none."""
    if not Path(path).is_file():
        return ''
    with Path(path).open('rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()


def weights_hash(folder: str) -> str:
    """Hash of the weights a step starts from, so that new weights rerun the step."""
    digest = hashlib.sha256()
    # '' = no folder: a stage from random weights
    for file in (sorted(Path(folder).glob('*.safetensors')) if folder else ()):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _run(name: str, command: list[str], log: Path, threads: int, bar,
         products: Sequence[Path]) -> None:
    env = {**os.environ, 'OMP_NUM_THREADS': str(threads), 'PYTHONUNBUFFERED': '1',
           'TOKENIZERS_PARALLELISM': 'false'}
    with log.open('w') as out, subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env,
            errors='replace') as child:
        for line in child.stdout:
            out.write(line)
            found = _PROGRESS.search(line)
            if bar is not None and found:
                bar.set_postfix_str(f'{name} {(found[1] or found[2]).replace(" ", "")}')
    absent = [str(p) for p in products if not p.exists()]
    if child.returncode or absent:
        tail = '\n'.join(log.read_text(errors='replace').splitlines()[-15:])
        how = (f'failed with exit code {child.returncode}' if child.returncode
               else f'ended without {", ".join(absent)}')
        raise StepError(f'step "{name}" {how}.\n'
                        f'Command: {" ".join(command)}\nLog: {log}\n{tail}')


def _commits(folder: Path, wanted: dict) -> list[str]:
    """Commits of a step that starts now: the present one, after those of the checkpoints that it
    resumes from. Checkpoints of other inputs are deleted."""
    past = _read(folder / 'begun.json') or _read(folder / 'done.json')
    checkpoints = [p for p in folder.glob('*.pth') if re.fullmatch(r'(iter|epoch)_\d+', p.stem)]
    before: list[str] = []
    if past and not _same(past, wanted):
        if checkpoints:
            print_log(f'{folder}: begun with other inputs, so its checkpoints are deleted',
                      'current', logging.WARNING)
        for path in [*checkpoints, folder / 'last_checkpoint']:
            path.unlink(missing_ok=True)
    elif checkpoints:
        before = (past or {}).get('commits', [UNKNOWN])
    now = commit(Path(__file__).resolve().parent) or UNKNOWN
    return list(dict.fromkeys([*before, now]))


def _same(record: dict, wanted: dict) -> bool:
    """Whether the command, its start and all inputs that both name are the same."""
    known = record.get('inputs', {})
    return record['key'] == wanted['key'] and all(
        known.get(k, v) == v for k, v in wanted['inputs'].items())


def _read(path: Path) -> dict | None:
    return json.loads(path.read_text()) if path.is_file() else None


def _write(path: Path, record: dict) -> None:
    temporary = path.with_suffix('.tmp')
    temporary.write_text(json.dumps(record))
    temporary.replace(path)

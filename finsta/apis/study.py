"""A study: arms x seeds x tasks, each step an ordinary command, resumable.

An arm says what happens to the pre-trained backbone before the task: nothing (plain), the same
number of extra steps without structure (control), Finsta, or Finsta with one thing changed (an
ablation). Every step is a `tools/train.py` or `tools/test.py` command that a person could type;
it is printed, its log is kept, and a step whose command and inputs did not change is skipped.
"""

import hashlib
import json
import os
import re
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

# "[ 20/300]" of the Runner's log, "20/300 [" of a tqdm bar
_PROGRESS = re.compile(r'\[\s*(\d+/\s*\d+)\]|(\d+/\d+) \[')


class StepError(RuntimeError):
    """A step failed; the message holds the command, the log file and its last lines."""


@dataclass
class Arm:
    """What happens before the task.

    Attributes:
        config: post-training config, None = nothing.
        options: further ``--cfg-options`` of the post-training.
    """

    config: str | None = None
    options: dict[str, str] = field(default_factory=dict)


@dataclass
class Task:
    """Fine-tune and test, or (``train=False``) test the backbone as it is."""

    config: str
    train: bool = True
    options: dict[str, str] = field(default_factory=dict)


def run_step(name: str, command: list[str], folder: Path, threads: int, bar=None,
             stamp: str = '') -> float:
    """Run one command unless ``folder/done.json`` says that it is done.

    Args:
        name: shown beside the progress bar.
        command: argument list; no shell is involved.
        folder: receives ``log.txt`` and ``done.json``.
        threads: OMP_NUM_THREADS of the child.
        bar: a tqdm bar, or None.
        stamp: anything the result depends on beside the command.

    Returns:
        seconds the step took (from the record when it was skipped).
    """
    folder.mkdir(parents=True, exist_ok=True)
    record = folder / 'done.json'
    key = hashlib.sha256(json.dumps([command, stamp]).encode()).hexdigest()
    if record.is_file():
        seen = json.loads(record.read_text())
        if seen['key'] == key:
            if bar is not None:
                bar.update(1)
            return seen['seconds']
    started = time.monotonic()
    env = {**os.environ, 'OMP_NUM_THREADS': str(threads), 'PYTHONUNBUFFERED': '1',
           'TOKENIZERS_PARALLELISM': 'false'}
    log = folder / 'log.txt'
    with log.open('w') as out, subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env,
            errors='replace') as child:
        for line in child.stdout:
            out.write(line)
            found = _PROGRESS.search(line)
            if bar is not None and found:
                bar.set_postfix_str(f'{name} {(found[1] or found[2]).replace(" ", "")}')
    if child.returncode:
        tail = '\n'.join(log.read_text(errors='replace').splitlines()[-15:])
        raise StepError(f'step "{name}" failed with exit code {child.returncode}.\n'
                        f'Command: {" ".join(command)}\nLog: {log}\n{tail}')
    seconds = time.monotonic() - started
    temporary = record.with_suffix('.tmp')
    temporary.write_text(json.dumps({'key': key, 'seconds': seconds, 'command': command}))
    temporary.replace(record)
    if bar is not None:
        bar.update(1)
    return seconds


class Study:
    """Runs arms x seeds x tasks and collects the metrics.

    Args:
        root: work directory of the study.
        arms, tasks: by name.
        seeds: training seeds.
        backbone: folder of the pre-trained backbone every arm starts from.
        jobs: steps that run at the same time; the machine's cores are divided among them.
        options: ``--cfg-options`` of every step (data root, ...).
    """

    def __init__(self, root: str | Path, arms: dict[str, Arm], tasks: dict[str, Task],
                 seeds: list[int], backbone: str, jobs: int = 2,
                 options: dict[str, str] | None = None) -> None:
        self.root, self.arms, self.tasks, self.seeds = Path(root), arms, tasks, seeds
        self.backbone, self.jobs, self.options = backbone, jobs, dict(options or {})
        self.threads = max(1, (os.cpu_count() or 1) // jobs)
        self.repo = Path(__file__).resolve().parents[2]

    def run(self) -> dict:
        """All steps, in three phases; returns :meth:`results`."""
        from tqdm import tqdm
        posttrain = [(a, s) for a in self.arms for s in self.seeds if self.arms[a].config]
        cells = [(a, s, t) for a in self.arms for s in self.seeds for t in self.tasks]
        tuned = [c for c in cells if self.tasks[c[2]].train]
        total = len(posttrain) + len(tuned) + len(cells)
        with tqdm(total=total, desc='steps', dynamic_ncols=True) as bar, \
                ThreadPoolExecutor(self.jobs) as pool:
            for jobs in ([(self._posttrain, a) for a in posttrain],
                         [(self._finetune, c) for c in tuned], [(self._test, c) for c in cells]):
                for future in [pool.submit(f, *args, bar) for f, args in jobs]:
                    future.result()
        return self.results()

    def results(self) -> dict:
        """arm -> task -> metric -> {'mean', 'sd', 'values'} from the test files on disk."""
        table: dict = {}
        for arm in self.arms:
            for task in self.tasks:
                rows = [json.loads(f.read_text()) for s in self.seeds
                        if (f := self._cell(arm, s, task) / 'metrics.json').is_file()]
                keys = [k for k in (rows[0] if rows else {})
                        if all(isinstance(r.get(k), int | float) for r in rows)]
                table.setdefault(arm, {})[task] = {
                    k: {'mean': statistics.fmean(r[k] for r in rows),
                        'sd': statistics.stdev(r[k] for r in rows) if len(rows) > 1 else 0.0,
                        'values': [r[k] for r in rows]} for k in keys}
        return table

    def start_of(self, arm: str, seed: int) -> str:
        """Folder of the backbone that an arm hands to the tasks."""
        if self.arms[arm].config is None:
            return str(self.backbone)
        return str(self.root / arm / f'seed{seed}' / 'posttrain' / 'backbone')

    # -- steps --------------------------------------------------------------------------------
    def _posttrain(self, arm: str, seed: int, bar) -> None:
        spec = self.arms[arm]
        folder = self.root / arm / f'seed{seed}' / 'posttrain'
        self._train(f'{arm}/{seed} post-training', spec.config, folder, seed, self.backbone,
                    spec.options, bar)

    def _finetune(self, arm: str, seed: int, task: str, bar) -> None:
        spec = self.tasks[task]
        self._train(f'{arm}/{seed} {task}', spec.config, self._cell(arm, seed, task) / 'train',
                    seed, self.start_of(arm, seed), spec.options, bar)

    def _train(self, name: str, config: str, folder: Path, seed: int, start: str,
               options: dict[str, str], bar) -> None:
        command = [sys.executable, str(self.repo / 'tools/train.py'), self._path(config),
                   '--work-dir', str(folder), '--seed', str(seed), '--resume',
                   *self._options(start, options)]
        run_step(name, command, folder, self.threads, bar, _fingerprint(start))

    def _test(self, arm: str, seed: int, task: str, bar) -> None:
        spec, folder = self.tasks[task], self._cell(arm, seed, task)
        start = self.start_of(arm, seed)
        command = [sys.executable, str(self.repo / 'tools/test.py'), self._path(spec.config)]
        if spec.train:
            command.append(self._last_checkpoint(folder / 'train'))
        command += ['--work-dir', str(folder / 'test'), '--dump', str(folder / 'metrics.json'),
                    *self._options(start, spec.options)]
        run_step(f'{arm}/{seed} {task} test', command, folder / 'test', self.threads, bar,
                 _fingerprint(start))

    def _last_checkpoint(self, folder: Path) -> str:
        pointer = folder / 'last_checkpoint'
        if not pointer.is_file():
            raise StepError(f'{pointer} is missing: the training in {folder} saved nothing')
        return pointer.read_text().strip()

    def _cell(self, arm: str, seed: int, task: str) -> Path:
        return self.root / arm / f'seed{seed}' / task

    def _path(self, config: str) -> str:
        return str(self.repo / config)

    def _options(self, start: str, options: dict[str, str]) -> list[str]:
        merged = {**self.options, **options, 'model.backbone.pretrained': start}
        return ['--cfg-options', *(f'{k}={v}' for k, v in merged.items())]


def _fingerprint(folder: str) -> str:
    """Hash of the weights a step starts from, so that new weights rerun the step."""
    digest = hashlib.sha256()
    for file in sorted(Path(folder).glob('*.safetensors')):
        digest.update(file.read_bytes())
    return digest.hexdigest()

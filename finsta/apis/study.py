"""A study: arms x seeds x tasks, each step an ordinary command, resumable.

An arm says what happens to the pre-trained backbone before the task: nothing (plain), the same
number of extra steps without structure (control), Finsta, or Finsta with one thing changed (an
ablation); or a chain of stages from random weights, whose common beginnings are run once. Every
step is a `tools/train.py` or `tools/test.py` command that a person could type;
its log is kept, and a step whose command and inputs (weights, config as resolved) did not change
and whose products are still there is skipped. Data and code are no inputs: a step is not run again
for another commit, but its record names the commits that made it.
"""

import argparse
import hashlib
import json
import logging
import os
import statistics
import sys
import threading
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, field
from graphlib import TopologicalSorter
from pathlib import Path

from mmengine.config import DictAction
from mmengine.logging import print_log

from finsta.apis.steps import StepError, commits_of, file_hash, run_step, weights_hash
from finsta.engine.launch import read_config

__all__ = ['Arm', 'Stage', 'StepError', 'Study', 'Task', 'run_step']
# a config is Python code that mmengine runs in this process
_READING = threading.Lock()


@dataclass(frozen=True)
class Stage:
    """One training of a chain.

    Attributes:
        name: of its folder. config, options: what is run.
        start: option that takes the folder of the stage before it; '' = random weights.
        file: in that folder, where the option takes a file: then sizes may differ.
    """

    name: str
    config: str
    options: dict[str, str] = field(default_factory=dict)
    start: str = 'model.backbone.pretrained'
    file: str = ''


@dataclass
class Arm:
    """What happens before the task.

    Attributes:
        config: post-training config, None = nothing.
        options: further ``--cfg-options`` of the post-training.
        stages: a chain in the place of ``config``; arms share stages that begin alike.
        task_options: further ``--cfg-options`` of the tasks.
    """

    config: str | None = None
    options: dict[str, str] = field(default_factory=dict)
    stages: tuple[Stage, ...] = ()
    task_options: dict[str, str] = field(default_factory=dict)

    def chain(self) -> tuple[Stage, ...]:
        """All trainings before the task."""
        if self.config is None:
            return self.stages
        return (Stage('posttrain', self.config, self.options), *self.stages)


@dataclass
class Task:
    """Fine-tune and test, or (``train=False``) test the backbone as it is."""

    config: str
    train: bool = True
    options: dict[str, str] = field(default_factory=dict)


class Study:
    """Runs arms x seeds x tasks and collects the metrics.

    Args:
        root: work directory of the study.
        arms, tasks: by name.
        seeds: training seeds.
        backbone: folder of the pre-trained backbone every arm starts from; '' = none.
        jobs: steps that run at the same time; the machine's cores are divided among them.
        options: ``--cfg-options`` of every step (data root, ...).
        start: option of the tasks that takes the backbone's folder.
        threads: of each step; None divides the cores.
        repeats: fine-tunings of each backbone, with the seeds s, s + 10, s + 20 ... (the steps of
            the first are those of a study without repeats).
    """

    def __init__(self, root: str | Path, arms: dict[str, Arm], tasks: dict[str, Task],
                 seeds: list[int], backbone: str, jobs: int = 2,
                 options: dict[str, str] | None = None,
                 start: str = 'model.backbone.pretrained', threads: int | None = None,
                 repeats: int = 1) -> None:
        self.root, self.arms, self.tasks, self.seeds = Path(root), arms, tasks, seeds
        self.backbone, self.jobs, self.options = backbone, jobs, dict(options or {})
        self.start, self.threads = start, threads or max(1, (os.cpu_count() or 1) // jobs)
        self.repeats = repeats
        self.repo = Path(__file__).resolve().parents[2]

    def run(self) -> dict:
        """All steps, each as soon as what it needs is done; returns :meth:`results`.

        Raises:
            StepError: a step failed; those that run beside it are finished first.
        """
        from tqdm import tqdm
        plan = self._plan()
        order = TopologicalSorter({key: needs for key, (_, _, needs) in plan.items()})
        order.prepare()
        rank = {key: i for i, key in enumerate(plan)}
        ready: list[Path] = []
        running: dict[Future, Path] = {}
        with tqdm(total=len(plan), desc='steps', dynamic_ncols=True) as bar, \
                ThreadPoolExecutor(self.jobs) as pool:
            while order.is_active():
                ready = sorted([*ready, *order.get_ready()], key=rank.__getitem__)
                while ready and len(running) < self.jobs:
                    key = ready.pop(0)
                    step, cell, _ = plan[key]
                    running[pool.submit(step, *cell, bar)] = key
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    future.result()
                    order.done(running.pop(future))
        return self.results()

    def _plan(self) -> dict[Path, tuple[Callable, tuple, list[Path]]]:
        """folder -> (what runs, its arm, seed and depth or task, the folders it needs), the first
        ones to be preferred: others wait for them."""
        cells = [(a, s) for a in self.arms for s in self.seeds]
        plan: dict[Path, tuple[Callable, tuple, list[Path]]] = {}
        for depth in range(max((len(a.chain()) for a in self.arms.values()), default=0)):
            for arm, seed in cells:
                if depth < len(self.arms[arm].chain()):
                    needs = [self.stage_folder(arm, seed, depth - 1)] if depth else []
                    plan.setdefault(self.stage_folder(arm, seed, depth),
                                    (self._stage, (arm, seed, depth), needs))
        last = {c: [self.stage_folder(*c, n - 1)] if (n := len(self.arms[c[0]].chain())) else []
                for c in cells}
        for cell in self._cells():
            arm, seed, task, _ = cell
            if self.tasks[task].train:
                plan[self._cell(*cell) / 'train'] = (self._finetune, cell, last[arm, seed])
        for cell in self._cells():
            arm, seed, task, _ = cell
            folder = self._cell(*cell)
            plan[folder / 'test'] = (self._test, cell, [folder / 'train'] if self.tasks[task].train
                                     else last[arm, seed])
        return plan

    def _cells(self) -> list[tuple[str, int, str, int]]:
        """(arm, seed, task, repeat) of every test."""
        return [(arm, seed, task, k) for arm in self.arms for seed in self.seeds
                for task, spec in self.tasks.items()
                for k in range(self.repeats if spec.train else 1)]

    def results(self) -> dict:
        """arm -> task -> metric -> {'mean', 'sd', 'values'} from the test files on disk: one value
        a seed, the mean of its repeats, which stand one by one in 'runs' where there are any."""
        table: dict = {}
        for arm in self.arms:
            for task, spec in self.tasks.items():
                repeats = range(self.repeats if spec.train else 1)
                files = {s: [self._cell(arm, s, task, k) / 'metrics.json' for k in repeats]
                         for s in self.seeds}
                rows = {s: [json.loads(f.read_text()) for f in found if f.is_file()]
                        for s, found in files.items()}
                missing = [s for s, found in rows.items() if len(found) < len(repeats)]
                if missing:
                    print_log(f'{arm}, {task}: no result yet of the seeds {missing}', 'current',
                              logging.WARNING)
                every = [r for found in rows.values() for r in found]
                keys = [k for k in (every[0] if every else {})
                        if all(isinstance(r.get(k), int | float) for r in every)]
                table.setdefault(arm, {})[task] = {
                    k: _summary([[r[k] for r in found] for found in rows.values() if found])
                    for k in keys}
        return table

    def start_of(self, arm: str, seed: int) -> str:
        """Folder of the backbone that an arm hands to the tasks."""
        return self._before(arm, seed, len(self.arms[arm].chain()))

    def stage_folder(self, arm: str, seed: int, depth: int) -> Path:
        """Work directory of a stage; the same for all arms that do the same up to it."""
        spec = self.arms[arm]
        if spec.config is not None and depth == 0:
            return self.root / arm / f'seed{seed}' / 'posttrain'
        chain = [asdict(s) for s in spec.chain()[:depth + 1]]
        digest = hashlib.sha256(json.dumps(chain, sort_keys=True).encode()).hexdigest()[:8]
        return self.root / 'stages' / f'{spec.chain()[depth].name}-{digest}' / f'seed{seed}'

    def _before(self, arm: str, seed: int, depth: int) -> str:
        """Folder of the backbone that stage ``depth`` starts from."""
        if depth == 0:
            return str(self.backbone)
        return str(self.stage_folder(arm, seed, depth - 1) / 'backbone')

    def minutes(self) -> dict[str, float]:
        """arm -> wall-clock minutes of its finished steps a seed, shared stages counted in."""
        found = {}
        for name, arm in self.arms.items():
            folders = [self.stage_folder(name, s, d) for s in self.seeds
                       for d in range(len(arm.chain()))]
            folders += [self._cell(*c) / part for c in self._cells() if c[0] == name
                        for part in ('train', 'test')]
            seconds = [json.loads(f.read_text())['seconds'] for folder in folders
                       if (f := folder / 'done.json').is_file()]
            found[name] = sum(seconds) / 60 / len(self.seeds)
        return found

    def commits(self) -> list[str]:
        """Commits of the steps that the test files on disk come from, sorted; 'unknown' for those
        recorded before commits were."""
        found: set[str] = set()
        for arm, seed, task, repeat in self._cells():
            cell = self._cell(arm, seed, task, repeat)
            if (cell / 'metrics.json').is_file():
                shared = [self.stage_folder(arm, seed, d)
                          for d in range(len(self.arms[arm].chain()))]
                parts = ('train', 'test') if self.tasks[task].train else ('test',)
                found.update(*map(commits_of, [*shared, *(cell / part for part in parts)]))
        return sorted(found)

    # -- steps --------------------------------------------------------------------------------
    def _stage(self, arm: str, seed: int, depth: int, bar) -> None:
        stage = self.arms[arm].chain()[depth]
        self._train(f'{arm}/{seed} {stage.name}', stage.config,
                    self.stage_folder(arm, seed, depth), seed, self._before(arm, seed, depth),
                    stage.options, bar, stage.start, 'backbone', stage.file)

    def _finetune(self, arm: str, seed: int, task: str, repeat: int, bar) -> None:
        spec, cell = self.tasks[task], self._cell(arm, seed, task, repeat)
        self._train(f'{arm}/{seed} {cell.name}', spec.config, cell / 'train',
                    seed + 10 * repeat, self.start_of(arm, seed),
                    {**spec.options, **self.arms[arm].task_options}, bar, self.start,
                    'last_checkpoint')

    def _train(self, name: str, config: str, folder: Path, seed: int, start: str,
               options: dict[str, str], bar, start_key: str, product: str,
               file: str = '') -> None:
        command = [sys.executable, str(self.repo / 'tools/train.py'), self._path(config),
                   '--work-dir', str(folder), '--seed', str(seed), '--resume',
                   *self._options(str(Path(start) / file) if file else start, options, start_key)]
        run_step(name, command, folder, self.threads, bar, weights_hash(start),
                 [folder / product], {'config': self._config_hash(config, options)})

    def _test(self, arm: str, seed: int, task: str, repeat: int, bar) -> None:
        spec, folder = self.tasks[task], self._cell(arm, seed, task, repeat)
        start = self.start_of(arm, seed)
        options = {**spec.options, **self.arms[arm].task_options}
        inputs = {'config': self._config_hash(spec.config, options)}
        command = [sys.executable, str(self.repo / 'tools/test.py'), self._path(spec.config)]
        if spec.train:
            command.append(self._last_checkpoint(folder / 'train'))
            if digest := file_hash(command[-1]):
                inputs['checkpoint'] = digest
        command += ['--work-dir', str(folder / 'test'), '--dump', str(folder / 'metrics.json'),
                    *self._options(start, options, self.start)]
        run_step(f'{arm}/{seed} {folder.name} test', command, folder / 'test', self.threads, bar,
                 weights_hash(start), [folder / 'metrics.json'], inputs)

    def _last_checkpoint(self, folder: Path) -> str:
        pointer = folder / 'last_checkpoint'
        if not pointer.is_file():
            raise StepError(f'{pointer} is missing: the training in {folder} saved nothing')
        return pointer.read_text().strip()

    def _cell(self, arm: str, seed: int, task: str, repeat: int = 0) -> Path:
        return self.root / arm / f'seed{seed}' / (f'{task}+{repeat}' if repeat else task)

    def _path(self, config: str) -> str:
        return str(self.repo / config)

    def _config_hash(self, config: str, options: dict[str, str]) -> str:
        """Hash of a step's config with its options, but for the folder that it starts from: the
        weights in it have a hash of their own.

        Raises:
            StepError: the config cannot be read.
        """
        parser = argparse.ArgumentParser()
        parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={})
        given = parser.parse_args(self._options('', options, '')).cfg_options
        try:
            with _READING:
                resolved = read_config(self._path(config), given).to_dict()
        except Exception as error:
            raise StepError(f'config {self._path(config)} with {options}: {error}') from error
        text = json.dumps(resolved, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()

    def _options(self, start: str, options: dict[str, str], start_key: str) -> list[str]:
        merged = {**self.options, **options, **({start_key: start} if start_key else {})}
        return ['--cfg-options', *(f'{k}={v}' for k, v in merged.items())] if merged else []


def _summary(runs: list[list[float]]) -> dict:
    """Of a metric's runs: seeds x repeats."""
    values = [statistics.fmean(found) for found in runs]
    return {'mean': statistics.fmean(values),
            'sd': statistics.stdev(values) if len(values) > 1 else 0.0, 'values': values,
            **({'runs': runs} if any(len(found) > 1 for found in runs) else {})}

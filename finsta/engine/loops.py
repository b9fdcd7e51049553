"""The training loop: by iteration, and exactly resumable.

After ``kill -9`` and ``--resume`` the losses are those of the uninterrupted run, because nothing
random is carried from one iteration to the next (``finsta.utils.seeding``):

- the sampler jumps to the iteration (mmengine's loop would decode every batch again);
- each sample's transforms are seeded from (seed, pass, index);
- before each step, dropout and the like are seeded from (seed, iteration, rank).

With gradient accumulation, save checkpoints at multiples of ``accumulative_counts``: gradients of
an unfinished window are not stored. (ours)
"""

from copy import copy
from pathlib import Path
from typing import Any

from mmengine.dist import get_rank
from mmengine.logging import print_log
from mmengine.runner import BaseLoop, IterBasedTrainLoop
from mmengine.runner.utils import calc_dynamic_intervals
from torch.utils.data import DataLoader

from finsta.registry import DATASETS, LOOPS
from finsta.utils.seeding import PerSampleSeed, derive_seed, seed_all


@LOOPS.register_module()
class ResumableTrainLoop(IterBasedTrainLoop):
    """``IterBasedTrainLoop`` that continues a run as if it had not stopped.

    Args:
        runner: the Runner.
        dataloader: config with a sampler (or batch sampler) that has
            ``seek(iteration, batch_size, seed)``, e.g. ``dict(type='ResumableSampler')``; or a
            DataLoader built by hand with such a sampler, whose data set is then used as it is.
        max_iters, val_begin, val_interval, dynamic_intervals: as in the parent; ``val_interval``
            counts iterations.

    Raises:
        TypeError: when no sampler of the loader can seek.
    """

    def __init__(self, runner, dataloader: DataLoader | dict, max_iters: int, val_begin: int = 1,
                 val_interval: int = 1000,
                 dynamic_intervals: list[tuple[int, int]] | None = None) -> None:
        # Not the parent's __init__: it starts the workers, before it is known where to begin.
        BaseLoop.__init__(self, runner, _with_sample_seeds(dataloader, _config_file(runner)))
        if int(max_iters) != max_iters:
            raise ValueError(f'train_cfg.max_iters must be a whole number, got {max_iters}')
        self._max_iters, self._max_epochs = int(max_iters), 1
        self._iter = self._epoch = 0
        self.val_begin, self.val_interval = val_begin, val_interval
        self.stop_training = False
        self.dataloader_iterator = None
        self.dynamic_milestones, self.dynamic_intervals = calc_dynamic_intervals(
            val_interval, dynamic_intervals)
        self._sampler = _seekable_sampler(self.dataloader)
        self.runner.visualizer.dataset_meta = getattr(self.dataloader.dataset, 'metainfo', None)

    @property
    def seed(self) -> int:
        """The run's seed, equal on all ranks (the Runner adds the rank on request)."""
        ranks_differ = self.runner._randomness_cfg.get('diff_rank_seed', False)
        return self.runner.seed - (get_rank() if ranks_differ else 0)

    def run(self):
        """Train from ``self.iter`` to ``max_iters``; returns the model."""
        self.runner.call_hook('before_train')
        # the whole training counts as one epoch, as in the parent
        self.runner.call_hook('before_train_epoch')
        self._sampler.seek(self._iter, self.dataloader.batch_size, self.seed)
        if self._iter > 0:
            print_log(f'the data continue at iteration {self._iter}', logger='current')
        self.dataloader_iterator = iter(self.dataloader)
        while self._iter < self._max_iters and not self.stop_training:
            self.runner.model.train()
            self.run_iter(next(self.dataloader_iterator))
            self._decide_current_val_interval()
            if self._validation_is_due():
                self.runner.val_loop.run()
        self.runner.call_hook('after_train_epoch')
        self.runner.call_hook('after_train')
        return self.runner.model

    def run_iter(self, data_batch) -> None:
        """One step with its own random numbers."""
        seed_all(derive_seed(self.seed, 'step', self._iter, get_rank()))
        super().run_iter(data_batch)

    def _validation_is_due(self) -> bool:
        if self.runner.val_loop is None or self._iter < self.val_begin:
            return False
        return self._iter % self.val_interval == 0 or self._iter == self._max_iters


def _config_file(runner) -> str:
    """The config as it runs, options included: the Runner writes it into the work directory."""
    name = getattr(runner.cfg, 'filename', None)
    return str(Path(runner.work_dir) / Path(name).name) if name else 'CONFIG'


def _before_training(dataset: Any, config_file: str) -> None:
    """Let a data set, or those that it joins or repeats, look at themselves before training."""
    if hasattr(dataset, 'before_training'):
        dataset.before_training(config_file)
    for inner in getattr(dataset, 'datasets', None) or [getattr(dataset, 'dataset', None)]:
        if inner is not None:
            _before_training(inner, config_file)


def _with_sample_seeds(dataloader: DataLoader | dict, config_file: str) -> DataLoader | dict:
    """Wrap the data set that a loader config describes in ``PerSampleSeed``; before the sampler is
    built, which may take minutes, the data set may say that it is of no use."""
    if isinstance(dataloader, DataLoader):
        return dataloader
    config = copy(dataloader)
    dataset = config['dataset']
    if isinstance(dataset, dict):
        dataset = DATASETS.build(dataset)
    if hasattr(dataset, 'full_init'):
        dataset.full_init()
    _before_training(dataset, config_file)
    config = dict(config, dataset=PerSampleSeed(dataset))
    return config


def _seekable_sampler(dataloader: DataLoader):
    for sampler in (dataloader.batch_sampler, dataloader.sampler):
        if hasattr(sampler, 'seek'):
            return sampler
    raise TypeError(
        f'train_dataloader.sampler is a {type(dataloader.sampler).__name__}, which cannot '
        "continue at an iteration; use sampler=dict(type='ResumableSampler') with "
        'ResumableTrainLoop')

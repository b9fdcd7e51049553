"""The Runner with a few differences: weights are checked, the command line's seed wins, and the
console says in a few lines what is trained how fast."""

import logging
from typing import Any

from mmengine.logging import print_log
from mmengine.runner import Runner

from finsta.engine.checkpoint import check_resumable, load_weights

# how mmengine's longest messages begin: environment, config, hooks
_LONG = ('\n----', 'Config:', 'Hooks will be executed')


class FinstaRunner(Runner):
    """mmengine's Runner, except that

    - ``load_from`` goes through :func:`finsta.engine.checkpoint.load_weights`: mmengine's own
      loader logs keys and shapes that do not fit and goes on. ``cfg.load_optional`` names the
      parts a checkpoint may lack (default ``('head',)``: fine-tuning adds one);
    - so is the checkpoint of ``resume``, before anything is loaded;
    - the optimiser's parameters are summed up in the log
      (:class:`finsta.engine.optim.SummedUpOptimWrapperConstructor`);
    - environment, config and hooks are listed in the log's file alone: on the console two hundred
      lines of them hid the sentence that says what is wrong;
    - on ``resume``, ``cfg.command_line_seed`` is kept where mmengine takes the checkpoint's.
    """

    def build_logger(self, *args, **kwargs) -> logging.Logger:
        """mmengine's, with a console that leaves out what begins as in ``_LONG``."""
        logger = super().build_logger(*args, **kwargs)
        for handler in logger.handlers:
            if not isinstance(handler, logging.FileHandler):
                handler.addFilter(lambda record: not str(record.msg).startswith(_LONG))
        logger.info(f'config, environment and hooks: {self._log_dir}/{self.timestamp}.log')
        return logger

    def build_optim_wrapper(self, optim_wrapper: Any) -> Any:
        """mmengine's, with the constructor above where the config names none."""
        if isinstance(optim_wrapper, dict) and 'optimizer' in optim_wrapper:
            optim_wrapper.setdefault('constructor', 'SummedUpOptimWrapperConstructor')
        return super().build_optim_wrapper(optim_wrapper)

    def load_or_resume(self) -> None:
        """Initial weights, or the state of an interrupted run."""
        if self._has_loaded or self._resume or self._load_from is None:
            super().load_or_resume()
            return
        load_weights(self.model, self._load_from,
                     optional=tuple(self.cfg.get('load_optional', ('head',))))
        self._has_loaded = True

    def resume(self, filename: str, *args, **kwargs) -> None:
        """Continue a run from a checkpoint of its own.

        Raises:
            CheckpointError: it is another model's, or damaged.
        """
        check_resumable(self.model, filename)
        super().resume(filename, *args, **kwargs)
        seed = self.cfg.get('command_line_seed')
        if seed is not None and seed != self.seed:
            print_log(f'--seed {seed} replaces the seed {self.seed} that the run began with: '
                      'what follows differs from the uninterrupted run', logger='current',
                      level=30)
            self._randomness_cfg.update(seed=seed)
            self.set_randomness(**self._randomness_cfg)

"""Logs what the structure did in a training step."""

import math

from mmengine.hooks import Hook

from finsta.registry import HOOKS
from finsta.utils.distributed import unwrapped


@HOOKS.register_module()
class StructureLogHook(Hook):
    """Writes the model's ``last_stats`` into the training log.

    ``last_stats`` is a dict of plain numbers that the model refreshes in each ``loss``: nodes,
    edges and positives per batch, empty graphs, the teacher's own in-batch accuracy. A model
    without it is trained without structure (plain fine-tuning, the control) and logs nothing.

    Args:
        interval: log every so many iterations, and then in the first that has numbers: with
            ``StageHook(structure_every=k)`` most have few or none. The logger averages over its
            own window.
        prefix: of the scalars' names: ``train/<prefix>/<key>``.

    NaN stands for "not measured in this step" (no similarity in a backbone without a joint space)
    and is left out.

    Raises:
        ValueError: when a number is infinite, naming it.
    """

    priority = 'NORMAL'

    def __init__(self, interval: int = 1, prefix: str = 'structure') -> None:
        if interval < 1:
            raise ValueError(f'StructureLogHook.interval must be >= 1, got {interval}')
        self.interval = interval
        self.prefix = prefix
        # iteration in which each number was last logged, counted from the start of this process
        self._last: dict[str, int] = {}
        self._seen = 0

    def after_train_iter(self, runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """Copy the numbers of this step into the message hub."""
        model = unwrapped(runner.model)
        self._seen += 1
        for key, value in getattr(model, 'last_stats', {}).items():
            if self._seen - self._last.get(key, 0) < self.interval:
                continue
            number = float(value)
            if math.isnan(number):
                continue
            self._last[key] = self._seen
            if math.isinf(number):
                raise ValueError(f'last_stats[{key!r}] of {type(model).__name__} is {number} at '
                                 f'iteration {runner.iter}')
            runner.message_hub.update_scalar(f'train/{self.prefix}/{key}', number)

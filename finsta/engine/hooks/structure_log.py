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
        interval: log every so many iterations; the logger averages over its own window.
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

    def after_train_iter(self, runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """Copy the numbers of this step into the message hub."""
        if not self.every_n_inner_iters(batch_idx, self.interval):
            return
        model = unwrapped(runner.model)
        for key, value in getattr(model, 'last_stats', {}).items():
            number = float(value)
            if math.isnan(number):
                continue
            if math.isinf(number):
                raise ValueError(f'last_stats[{key!r}] of {type(model).__name__} is {number} at '
                                 f'iteration {runner.iter}')
            runner.message_hub.update_scalar(f'train/{self.prefix}/{key}', number)

"""Mixed precision in bfloat16 on any device, and a log of the learning rates that can be read.

mmengine's ``AmpOptimWrapper`` refuses to run without a GPU and brings a gradient scaler, which
bfloat16 (fp32's exponent range) does not need. Remove when mmengine ships a wrapper that works on
CPU. (ours)
"""

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.logging import MMLogger, print_log
from mmengine.optim import DefaultOptimWrapperConstructor, OptimWrapper
from torch import Tensor, nn

from finsta.registry import OPTIM_WRAPPER_CONSTRUCTORS, OPTIM_WRAPPERS
from finsta.utils.compat import fp32_attention_on_cpu


@OPTIM_WRAPPERS.register_module()
class Bf16OptimWrapper(OptimWrapper):
    """``OptimWrapper`` whose forward passes run under ``torch.autocast`` in bfloat16.

    Parameters, gradients and optimiser states stay fp32; gradient accumulation and clipping are
    the parent's. Takes the parent's arguments.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Autocast around one forward pass; skips DDP's synchronisation while accumulating."""
        device_type = torch.device(get_device()).type
        with super().optim_context(model), fp32_attention_on_cpu(), \
                torch.autocast(device_type, dtype=torch.bfloat16):
            yield

    def backward(self, loss: Tensor, **kwargs: Any) -> None:
        """With what gradient checkpointing computes again, in the types of the forward pass."""
        with fp32_attention_on_cpu():
            super().backward(loss, **kwargs)


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class SummedUpOptimWrapperConstructor(DefaultOptimWrapperConstructor):
    """mmengine's constructor with one line in the log for each learning rate and weight decay.

    mmengine writes a line for each of them of each parameter, and a warning for each frozen one:
    hundreds, in which what a reader looks for is lost. The parameter groups are the same.
    """

    def __call__(self, model: nn.Module) -> OptimWrapper:
        logger = MMLogger.get_current_instance()
        logger.addFilter(_one_by_one)
        try:
            wrapper = super().__call__(model)
        finally:
            logger.removeFilter(_one_by_one)
        sizes = Counter()
        for group in wrapper.optimizer.param_groups:
            sizes[group['lr'], group.get('weight_decay', 0)] += sum(
                p.numel() for p in group['params'])
        parts = [f'{size:,} at lr {lr:g}, weight decay {decay:g}'
                 for (lr, decay), size in sorted(sizes.items(), reverse=True)]
        frozen = sum(p.numel() for p in model.parameters() if not p.requires_grad)
        print_log(f'parameters: {"; ".join([*parts, f"{frozen:,} frozen"])}', 'current')
        return wrapper


def _one_by_one(record: logging.LogRecord) -> bool:
    """Whether a record of the log is none of those that name a single parameter."""
    text = record.getMessage()
    return not (text.startswith('paramwise_options') or 'requires_grad=False' in text)

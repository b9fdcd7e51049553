"""Mixed precision in bfloat16 on any device.

mmengine's ``AmpOptimWrapper`` refuses to run without a GPU and brings a gradient scaler, which
bfloat16 (fp32's exponent range) does not need. Remove when mmengine ships a wrapper that works on
CPU. (ours)
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.optim import OptimWrapper
from torch import Tensor, nn

from finsta.registry import OPTIM_WRAPPERS
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

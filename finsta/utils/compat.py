"""Quirks of released dependencies, each with its reason and the condition to remove it.

``apply()`` is called once by ``import finsta``. Tests: tests/utils/test_compat.py and
tests/engine/test_optim.py (mixed precision on CPU).
"""

import builtins
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn import functional

_HISTORY_METHODS = frozenset({'min', 'max', 'current', 'mean'})


def _history_getattr(obj: object, name: str):
    """The only attribute look-ups that a checkpoint of mmengine's asks for.

    ``HistoryBuffer`` pickles a dict of its four statistics methods, each written by pickle as
    ``getattr(HistoryBuffer, name)``.

    Raises:
        ValueError: for any other object or name, so that a crafted file gets no attribute access.
    """
    from mmengine.logging import HistoryBuffer
    if obj is not HistoryBuffer or name not in _HISTORY_METHODS:
        owner = getattr(obj, '__name__', type(obj).__name__)
        raise ValueError(f'refusing to read attribute {name!r} of {owner} from a checkpoint')
    return getattr(HistoryBuffer, name)


def allow_mmengine_checkpoints() -> None:
    """Let ``torch.load(weights_only=True)`` read mmengine's own training checkpoints.

    mmengine 0.10.7 stores its message hub (HistoryBuffer, numpy arrays and scalars) in
    checkpoints and calls ``torch.load`` without ``weights_only``; torch >= 2.6 then refuses the
    file. The types are allowed one by one; ``getattr`` is replaced by a version restricted to
    HistoryBuffer's statistics. Remove when mmengine >= 0.11 is the lower bound.
    """
    import numpy as np
    from mmengine.logging import HistoryBuffer
    dtypes = [type(np.dtype(kind)) for kind in
              ('float64', 'float32', 'int64', 'int32', 'bool', 'uint8', 'uint32', 'uint64')]
    multiarray = np._core.multiarray if hasattr(np, '_core') else np.core.multiarray
    torch.serialization.add_safe_globals([
        HistoryBuffer, np.ndarray, np.dtype, *dtypes,
        (multiarray._reconstruct, 'numpy._core.multiarray._reconstruct'),
        (multiarray._reconstruct, 'numpy.core.multiarray._reconstruct'),
        (multiarray.scalar, 'numpy._core.multiarray.scalar'),
        (multiarray.scalar, 'numpy.core.multiarray.scalar'),
        (_history_getattr, f'{builtins.__name__}.getattr'),
        (_history_getattr, '__builtin__.getattr'),
    ])


def init_cpu_process_group() -> bool:
    """Start a gloo group for ``torchrun`` on a machine without CUDA.

    mmengine's ``init_dist`` calls ``torch.cuda.set_device`` unconditionally; a group that exists
    already makes the Runner skip it. Returns True when a group was started here. Remove when
    mmengine's launcher supports CPU.
    """
    import torch.distributed as dist
    if torch.cuda.is_available() or dist.is_initialized() or 'RANK' not in os.environ:
        return False
    dist.init_process_group('gloo')
    return True


def cpu_ddp_cfg(find_unused_parameters: bool) -> dict:
    """``model_wrapper_cfg`` for DDP on CPU: mmengine's default passes a GPU index.

    Remove when mmengine leaves ``device_ids`` empty for CPU parameters.
    """
    return dict(type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False,
                find_unused_parameters=find_unused_parameters)


@contextmanager
def fp32_attention_on_cpu() -> Iterator[None]:
    """Inside, fused attention of bfloat16 tensors on a CPU is computed in fp32.

    The backward pass of torch's CPU kernel (2.13) takes 6 times longer in bfloat16 than in fp32
    at narrow heads: a training step of the tiny ALPRO under autocast took 0.71 s of processor
    time, 0.57 s without autocast, and 0.41 s like this. Remove when the kernel is not slower.
    """
    fused = functional.scaled_dot_product_attention

    def widened(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor,
                attn_mask: torch.Tensor | None = None, *args: Any, **kwargs: Any) -> torch.Tensor:
        if query.device.type != 'cpu' or query.dtype != torch.bfloat16:
            return fused(query, key, value, attn_mask, *args, **kwargs)
        if attn_mask is not None and attn_mask.is_floating_point():
            attn_mask = attn_mask.float()
        with torch.autocast('cpu', enabled=False):
            out = fused(query.float(), key.float(), value.float(), attn_mask, *args, **kwargs)
        return out.to(query.dtype)

    functional.scaled_dot_product_attention = widened
    try:
        yield
    finally:
        functional.scaled_dot_product_attention = fused


def apply() -> None:
    """Apply what must hold in every process that imports finsta."""
    allow_mmengine_checkpoints()

"""Quirks of released dependencies, each with its reason and the condition to remove it.

``apply()`` is called once by ``import finsta``. Tests: tests/utils/test_compat.py and
tests/engine/test_optim.py (mixed precision on CPU).
"""

import builtins
import os

import torch

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


def apply() -> None:
    """Apply what must hold in every process that imports finsta."""
    allow_mmengine_checkpoints()

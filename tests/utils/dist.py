"""Run a function in several gloo processes on this machine (no CUDA needed)."""

import socket
import traceback
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist

from tests.utils.programs import clean_context


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(('127.0.0.1', 0))
        return sock.getsockname()[1]


def _work(rank: int, world_size: int, port: int, function: Callable, args: tuple,
          queue: Any) -> None:
    torch.set_num_threads(1)
    dist.init_process_group('gloo', init_method=f'tcp://127.0.0.1:{port}', rank=rank,
                            world_size=world_size)
    try:
        queue.put((rank, function(rank, *args), None))
    except Exception:
        queue.put((rank, None, traceback.format_exc()))
    finally:
        dist.destroy_process_group()


def run_processes(function: Callable, world_size: int, *args: Any, timeout: float = 120) -> list:
    """``function(rank, *args)`` in ``world_size`` processes; the results in the order of ranks.

    Args:
        function: importable at module level (processes are not forked from this one). It returns
            plain values or numpy arrays.

    Raises:
        RuntimeError: with the traceback of the process that failed.
    """
    context = clean_context()
    queue = context.Queue()
    port = _free_port()
    processes = [context.Process(target=_work, args=(r, world_size, port, function, args, queue))
                 for r in range(world_size)]
    for process in processes:
        process.start()
    results: list = [None] * world_size
    try:
        for _ in processes:
            rank, value, error = queue.get(timeout=timeout)
            if error is not None:
                raise RuntimeError(f'process {rank} failed:\n{error}')
            results[rank] = value
    finally:
        for process in processes:
            process.join(timeout=10)
            if process.is_alive():
                process.kill()
    return results

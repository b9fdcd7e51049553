"""Gathering features over processes so that a contrastive loss sees the whole batch.

The gradient of a gathered loss must not depend on the number of processes: with
``gather_with_grad`` the backward pass sums what every process asks of a slice, and DDP's mean
over processes then gives exactly the gradient of one process with the big batch (method ours;
the option names are open_clip's).

Shapes: x (b_r, ...) on process r -> (sum_r b_r, ...), in the order of ranks.
"""

import torch
import torch.distributed as dist
from mmengine.model import is_model_wrapper
from torch import Tensor, nn


def world_size() -> int:
    """Number of processes, 1 without a process group."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """This process's index, 0 without a process group."""
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0


def unwrapped(model: nn.Module) -> nn.Module:
    """The model itself, without DDP's or another wrapper around it."""
    return model.module if is_model_wrapper(model) else model


def gather_sizes(size: int, device: torch.device | str = 'cpu') -> list[int]:
    """The value of ``size`` on every process."""
    if world_size() == 1:
        return [size]
    own = torch.tensor([size], device=device)
    out = [torch.zeros_like(own) for _ in range(world_size())]
    dist.all_gather(out, own)
    return [int(t) for t in out]


def own_rows(size: int, device: torch.device | str = 'cpu') -> Tensor:
    """(size,) places of this process's rows among those of all processes."""
    start = sum(gather_sizes(size, device)[:rank()])
    return torch.arange(start, start + size, device=device)


def mean_over_processes(total: Tensor, count: int | Tensor) -> Tensor:
    """This process's share of a mean over the values of all processes: the mean of the shares, as
    DDP takes it, is the mean of the big batch, however many values each process has.

    Args:
        total: () sum of this process's values. count: how many they are.

    Returns:
        (); 0, attached to ``total``, when no process has a value.
    """
    everywhere = torch.as_tensor(count, device=total.device)
    if world_size() > 1:
        everywhere = everywhere.clone()
        dist.all_reduce(everywhere)
    return total * world_size() / everywhere.clamp(min=1)


class _Gather(torch.autograd.Function):
    """all_gather of equally long slices; backward sums over processes and takes the own slice."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        ctx.rows = x.shape[0]
        out = [torch.empty_like(x) for _ in range(world_size())]
        dist.all_gather(out, x.contiguous())
        return torch.cat(out)

    @staticmethod
    def backward(ctx, grad: Tensor) -> Tensor:
        grad = grad.contiguous().clone()
        dist.all_reduce(grad)
        start = rank() * ctx.rows
        return grad[start:start + ctx.rows]


def gather_with_grad(x: Tensor, with_grad: bool = True) -> tuple[Tensor, list[int]]:
    """Concatenate ``x`` of all processes along the first axis; lengths may differ.

    Args:
        x: (b_r, ...) features of this process.
        with_grad: False cuts the gradient to other processes' rows (own rows keep theirs), which
            saves one all_reduce and is *not* the gradient of the big batch.

    Returns:
        (sum_r b_r, ...) and the list of b_r.
    """
    sizes = gather_sizes(x.shape[0], x.device)
    if len(sizes) == 1:
        return x, sizes
    longest = max(sizes)
    padded = x
    if x.shape[0] < longest:
        padded = torch.cat([x, x.new_zeros(longest - x.shape[0], *x.shape[1:])])
    if with_grad:
        gathered = _Gather.apply(padded)
    else:
        with torch.no_grad():
            gathered = _Gather.apply(padded)
    parts = [gathered[r * longest:r * longest + n] for r, n in enumerate(sizes)]
    if not with_grad:
        parts[rank()] = x
    return torch.cat(parts), sizes

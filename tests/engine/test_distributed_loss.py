"""Two gloo processes with half a batch each = one process with the batch: loss and gradient."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from finsta.utils.distributed import gather_with_grad
from tests.utils.dist import run_processes


class _Dual(nn.Module):
    """Two towers and InfoNCE over the gathered batch, averaged over this process's own rows."""

    def __init__(self):
        super().__init__()
        self.text = nn.Linear(6, 4)
        self.video = nn.Linear(5, 4)

    def forward(self, text, video, rank):
        own_t = F.normalize(self.text(text), dim=-1)
        own_v = F.normalize(self.video(video), dim=-1)
        all_t, sizes = gather_with_grad(own_t)
        all_v, _ = gather_with_grad(own_v)
        target = torch.arange(len(text)) + sum(sizes[:rank])
        return (F.cross_entropy(own_t @ all_v.T / 0.1, target)
                + F.cross_entropy(own_v @ all_t.T / 0.1, target))


def _data():
    generator = torch.Generator().manual_seed(1)
    return torch.randn(8, 6, generator=generator), torch.randn(8, 5, generator=generator)


def _model():
    torch.manual_seed(0)
    return _Dual()


def _half_batch(rank):
    model = nn.parallel.DistributedDataParallel(_model())
    text, video = (x[rank * 4:rank * 4 + 4] for x in _data())
    loss = model(text, video, rank)
    loss.backward()
    return loss.item(), [p.grad.numpy() for p in model.module.parameters()]


@pytest.mark.slow
def test_two_processes_equal_the_big_batch():
    model = _model()
    loss = model(*_data(), 0)
    loss.backward()
    results = run_processes(_half_batch, 2)
    assert sum(r[0] for r in results) / 2 == pytest.approx(loss.item(), rel=1e-6)
    for _, grads in results:
        for grad, parameter in zip(grads, model.parameters(), strict=True):
            torch.testing.assert_close(torch.from_numpy(grad), parameter.grad, rtol=1e-5,
                                       atol=1e-7)

"""Gathered losses do not depend on the number of processes: value and gradient."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from finsta.models.backbones.losses import contrastive_loss
from finsta.utils.distributed import gather_with_grad, rank, unwrapped, world_size
from tests.utils.dist import run_processes

SPLIT = (2, 4)      # videos of each process
EXTRA = (0, 3)      # extra negative texts of each process
CASES = ((True, True), (False, True), (True, False))  # local_loss, with_grad
# numbers of the videos and texts: two captions of one video inside a process, and two in both; one
# text of two videos in both
GROUPS = torch.tensor([[5, 1], [8, 2], [5, 3], [-3, 4], [-3, 2], [2, 5]])


def _data():
    generator = torch.Generator().manual_seed(3)
    rows = sum(SPLIT)
    return (torch.randn(rows, 6, generator=generator), torch.randn(rows, 5, generator=generator),
            torch.randn(sum(EXTRA), 6, generator=generator))


class _Dual(nn.Module):
    def __init__(self, local_loss=True, with_grad=True):
        super().__init__()
        torch.manual_seed(0)
        self.text, self.video = nn.Linear(6, 4), nn.Linear(5, 4)
        self.scale = nn.Parameter(torch.tensor(5.0))
        self.local_loss, self.with_grad = local_loss, with_grad

    def forward(self, text, video, extra, groups=None):
        text = F.normalize(self.text(torch.cat([text, extra])), dim=-1)
        video = F.normalize(self.video(video), dim=-1)
        return contrastive_loss(text, video, self.scale, self.local_loss, self.with_grad, groups)


def _process(index):
    """All cases in one pair of processes: starting them is what takes time."""
    found = {case: _loss(index, *case) for case in CASES}
    found |= {('groups', case): _loss(index, *case, GROUPS) for case in CASES}
    return found | {'gather': _gather(index)}


def _loss(index, local_loss, with_grad, groups=None):
    model = nn.parallel.DistributedDataParallel(_Dual(local_loss, with_grad))
    text, video, extra = _data()
    start = sum(SPLIT[:index])
    own = slice(start, start + SPLIT[index])
    first = sum(EXTRA[:index])
    loss = model(text[own], video[own], extra[first:first + EXTRA[index]],
                 None if groups is None else groups[own])
    loss.backward()
    return loss.item(), [p.grad.numpy() for p in model.module.parameters()]


def _gather(index):
    x = torch.full((index + 1, 2), float(index), requires_grad=True)
    gathered, sizes = gather_with_grad(x)
    (gathered.sum() * (index + 1)).backward()
    return gathered.detach().numpy(), sizes, x.grad.numpy()


@pytest.fixture(scope='module')
def big_batch():
    model = _Dual()
    loss = model(*_data())
    loss.backward()
    return loss.item(), [p.grad for p in model.parameters()]


@pytest.fixture(scope='module')
def two_processes():
    return run_processes(_process, 2, timeout=240)


@pytest.mark.slow
@pytest.mark.parametrize('local_loss', [True, False])
def test_uneven_processes_equal_the_big_batch(local_loss, big_batch, two_processes):
    results = [r[local_loss, True] for r in two_processes]
    assert sum(r[0] for r in results) / 2 == pytest.approx(big_batch[0], rel=1e-5)
    for _, grads in results:
        for grad, expected in zip(grads, big_batch[1], strict=True):
            torch.testing.assert_close(torch.from_numpy(grad), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize('local_loss', [True, False])
def test_captions_of_one_video_meet_over_processes(local_loss, two_processes):
    model = _Dual()
    loss = model(*_data(), GROUPS)
    loss.backward()
    results = [r['groups', (local_loss, True)] for r in two_processes]
    assert sum(r[0] for r in results) / 2 == pytest.approx(loss.item(), rel=1e-5)
    for _, grads in results:
        for grad, parameter in zip(grads, model.parameters(), strict=True):
            torch.testing.assert_close(torch.from_numpy(grad), parameter.grad, rtol=1e-4,
                                       atol=1e-6)


@pytest.mark.slow
def test_without_grad_the_value_is_the_same_and_the_gradient_is_not(big_batch,
                                                                      two_processes):
    results = [r[True, False] for r in two_processes]
    assert sum(r[0] for r in results) / 2 == pytest.approx(big_batch[0], rel=1e-5)
    gaps = [float((torch.from_numpy(g) - e).abs().max())
            for g, e in zip(results[0][1], big_batch[1], strict=True)]
    assert max(gaps) > 1e-3


@pytest.mark.slow
def test_gather_keeps_order_and_sums_gradients(two_processes):
    for gathered, sizes, grad in (r['gather'] for r in two_processes):
        assert gathered[:, 0].tolist() == [0.0, 1.0, 1.0] and sizes == [1, 2]
        assert (grad == 3).all()  # 1 from process 0, 2 from process 1


def test_one_process_gathers_nothing():
    x = torch.randn(3, 2)
    gathered, sizes = gather_with_grad(x)
    assert gathered is x and sizes == [3] and world_size() == 1 and rank() == 0


def test_contrastive_loss_against_its_formula():
    text, video = F.normalize(torch.randn(5, 8), dim=-1), F.normalize(torch.randn(3, 8), dim=-1)
    scale = torch.tensor(7.0)
    expected = 0.0
    for i in range(3):
        over_texts = torch.stack([scale * video[i] @ t for t in text])
        over_videos = torch.stack([scale * text[i] @ v for v in video])
        expected -= (over_texts.log_softmax(0)[i] + over_videos.log_softmax(0)[i]) / 6
    torch.testing.assert_close(contrastive_loss(text, video, scale), expected)
    with pytest.raises(ValueError, match='3 videos need at least 3 texts'):
        contrastive_loss(text[:2], video, scale)


def test_unwrapped_looks_through_a_wrapper():
    model = nn.Linear(2, 2)
    assert unwrapped(model) is model
    assert unwrapped(nn.DataParallel(model)) is model

"""The automatic choice of a back end."""

import torch

from finsta.models.graph import AutoGraphAttention, Topology
from finsta.models.graph.select import choose


def chain(n, device='cpu'):
    index = torch.arange(n, device=device)
    return Topology(index, index, torch.zeros(n, dtype=torch.long, device=device), [n])


def test_small_units_are_padded_where_that_is_one_kernel():
    assert [choose(torch.device('cpu'), width) for width in (0, 128, 4096)] == ['segment'] * 3
    for device in ('cuda', 'mps'):
        assert [choose(torch.device(device), width) for width in (0, 128, 129)] == [
            'dense', 'dense', 'segment']


def test_auto_uses_what_is_chosen():
    auto = AutoGraphAttention()
    assert auto.select(torch.randn(9, 2, 4), chain(9)).name == 'segment'
    assert auto.select(torch.randn(9, 2, 4, device='meta'), chain(9, 'meta')).name == 'dense'

"""The automatic choice of a back end."""

import pytest
import torch

from finsta.models.graph import AutoGraphAttention, Topology
from finsta.models.graph import select as select_module
from finsta.models.graph.select import CHOICE, Rule, choose


def chain(n):
    index = torch.arange(n)
    return Topology(index, index, torch.zeros(n, dtype=torch.long), [n])


def test_the_table_answers_every_input():
    for device in ('cpu', 'cuda', 'mps'):
        for dtype in (torch.float32, torch.float64, torch.bfloat16, torch.float16):
            for width, edges in ((0, 0), (20, 50), (4096, 10 ** 6)):
                assert choose(torch.device(device), dtype, width, edges) in (
                    'dgl', 'dense', 'segment')


def test_dgl_is_never_chosen_off_the_cpu_or_for_fp16():
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        assert choose(torch.device('cuda'), dtype, 10, 10) != 'dgl'
    assert choose(torch.device('cpu'), torch.float16, 10, 10) != 'dgl'


def test_the_first_row_that_fits_decides(monkeypatch):
    monkeypatch.setattr(select_module, 'CHOICE', (
        Rule('cpu', 'half', float('inf'), 0, 'segment'), Rule('cpu', 'wide', 32, 100, 'dense'),
        Rule('any', 'any', float('inf'), 0, 'dgl')))
    cpu = torch.device('cpu')
    assert choose(cpu, torch.bfloat16, 10, 500) == 'segment'
    assert choose(cpu, torch.float32, 32, 100) == 'dense'
    assert choose(cpu, torch.float32, 33, 100) == 'dgl'
    assert choose(cpu, torch.float32, 32, 99) == 'dgl'


def test_a_table_with_a_hole_says_so(monkeypatch):
    monkeypatch.setattr(select_module, 'CHOICE', (Rule('accelerator', 'any', 1e9, 0, 'dense'),))
    with pytest.raises(ValueError, match='no row of CHOICE'):
        choose(torch.device('cpu'), torch.float32, 1, 1)


def test_auto_uses_what_the_table_says(monkeypatch):
    monkeypatch.setattr(select_module, 'CHOICE', (
        Rule('cpu', 'any', 4, 0, 'dense'), Rule('cpu', 'any', float('inf'), 0, 'segment')))
    auto, x = AutoGraphAttention(), torch.randn(9, 2, 4)
    assert auto.select(x[:4], chain(4)).name == 'dense'
    assert auto.select(x, chain(9)).name == 'segment'


def test_a_missing_package_falls_back_and_is_logged_once(monkeypatch):
    monkeypatch.setattr(select_module, 'CHOICE', (Rule('any', 'any', 1e9, 0, 'dgl'),))
    built, messages = [], []
    real = select_module.build_graph_attention

    def build(name):
        built.append(name)
        if name == 'dgl':
            raise ImportError('no dgl here.')
        return real(name)

    monkeypatch.setattr(select_module, 'build_graph_attention', build)
    monkeypatch.setattr(select_module, 'print_log', lambda text, **_: messages.append(text))
    auto, x = AutoGraphAttention(), torch.randn(3, 2, 4)
    for _ in range(2):
        assert auto.select(x, chain(3)).name == 'segment'
    assert built.count('dgl') == 1 and len(messages) == 1 and 'no dgl here' in messages[0]


def test_every_choice_names_a_back_end():
    assert {rule.ops for rule in CHOICE} <= {'dgl', 'dense', 'segment'}

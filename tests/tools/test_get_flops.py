import importlib.util
import random

import pytest
import torch
from torch import nn


@pytest.fixture(scope='module')
def tool_module():
    from tests.conftest import REPO
    spec = importlib.util.spec_from_file_location(
        'get_flops', REPO / 'tools' / 'analysis' / 'get_flops.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_count_against_the_formula(tool_module):
    layer = nn.Linear(7, 11)
    x = torch.ones(5, 7)
    assert tool_module.count(lambda: layer(x)) == 2 * 5 * 7 * 11
    # backward: gradient of the weights, none of the input
    assert tool_module.count(lambda: layer(x).sum().backward()) == 2 * 2 * 5 * 7 * 11


def test_random_graphs_have_the_asked_for_size(tool_module):
    graph = tool_module.random_graph(4, False, random.Random(0))
    assert len(graph.of_kind('object')) == len(graph.of_kind('attribute')) == 4
    assert len(graph.of_kind('predicate')) == 3 and len(graph.edges) == 4 + 6
    graph.validate()


def test_parameters(tool_module):
    layer = nn.Linear(2, 3)
    layer.bias.requires_grad_(False)
    assert tool_module.parameters(layer) == 9 and tool_module.parameters(layer, True) == 6
    assert tool_module.parameters(None) == 0

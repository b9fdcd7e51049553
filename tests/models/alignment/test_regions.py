"""Regions against networkx' shortest paths."""

import networkx as nx
import pytest
import torch

from finsta.models.alignment.regions import region_features
from finsta.structures import HolisticBatch
from tests.models.graph_factory import empty_graph, holistic_graph


@pytest.mark.parametrize('hops', [1, 2, 3])
def test_region_is_the_mean_over_shortest_paths(hops):
    batch = HolisticBatch.from_graphs([holistic_graph(s, 3) for s in range(4)]).hsg
    h = torch.randn(batch.num_nodes, 5)
    out = region_features(h, batch, hops)
    graph = nx.Graph()
    graph.add_nodes_from(range(batch.num_nodes))
    graph.add_edges_from(batch.edge_index.T.tolist())
    for i in range(batch.num_nodes):
        near = list(nx.single_source_shortest_path_length(graph, i, cutoff=hops))
        torch.testing.assert_close(out[i], h[near].mean(0))


def test_zero_hops_and_empty_batches():
    batch = HolisticBatch.from_graphs([empty_graph()]).dsg
    h = torch.zeros(0, 4)
    assert region_features(h, batch, 2).shape == (0, 4)
    full = HolisticBatch.from_graphs([holistic_graph(0)]).tsg
    x = torch.randn(full.num_nodes, 4)
    assert region_features(x, full, 0) is x
    with pytest.raises(ValueError, match='hops'):
        region_features(x, full, -1)

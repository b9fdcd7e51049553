"""Graphs to DGLGraph and back; the DGL back end's limits."""

import pytest
import torch

from finsta.models.graph import DGLGraphAttention, Topology
from finsta.models.graph.ops_dgl import (
    batch_from_dgl,
    batch_to_dgl,
    scene_graph_from_dgl,
    scene_graph_to_dgl,
)
from finsta.structures import GraphBatch, GraphError, HolisticBatch, Node, SceneGraph
from tests.models.graph_factory import holistic_graph

dgl = pytest.importorskip('dgl')


@pytest.fixture
def batch():
    return HolisticBatch.from_graphs([holistic_graph(s) for s in range(3)]).hsg


def edges(batch):
    return sorted(zip(*batch.edge_index.tolist(), batch.edge_type.tolist(), strict=True))


def test_batch_round_trip(batch):
    back = batch_from_dgl(batch_to_dgl(batch), batch.labels, batch.num_samples)
    assert edges(back) == edges(batch)
    for key, value in vars(batch).items():
        if key not in ('edge_index', 'edge_type'):
            other = getattr(back, key)
            assert torch.equal(value, other) if torch.is_tensor(value) else value == other, key


def test_units_are_dgls_batched_graphs(batch):
    parts = dgl.unbatch(batch_to_dgl(batch))
    assert [p.num_nodes() for p in parts] == batch.unit_sizes().tolist()
    assert sum(p.num_edges() for p in parts) == batch.edge_type.numel()
    assert torch.equal(torch.cat([p.ndata['label_ids'] for p in parts]), batch.label_ids)


def test_foreign_graphs_are_refused(batch):
    graph = batch_to_dgl(batch)
    del graph.ndata['predecessor']
    with pytest.raises(GraphError, match='predecessor'):
        batch_from_dgl(graph, batch.labels)


def test_frames_out_of_order_are_refused(batch):
    graph = batch_to_dgl(batch)
    graph.ndata['frame_ids'] = graph.ndata['frame_ids'].flip(0)
    with pytest.raises(GraphError, match='sorted'):
        batch_from_dgl(graph, batch.labels)


@pytest.mark.parametrize('graph', [
    holistic_graph(0).tsg, SceneGraph(),
    SceneGraph((Node('object', 'cat', box=(.5, .5, .25, .25), entity=3, score=.5),))])
def test_scene_graph_round_trip(graph):
    back = scene_graph_from_dgl(scene_graph_to_dgl(graph), [n.label for n in graph.nodes],
                                graph.text)
    assert back.nodes == graph.nodes and back.edges == graph.edges


def test_labels_must_fit():
    with pytest.raises(GraphError, match='labels'):
        scene_graph_from_dgl(scene_graph_to_dgl(holistic_graph(0).tsg), ['one'])


def test_an_empty_batch():
    empty = GraphBatch.from_text([])
    assert batch_from_dgl(batch_to_dgl(empty), []).num_nodes == 0


def test_other_devices_are_refused_with_a_remedy():
    index = torch.zeros(1, dtype=torch.long, device='meta')
    top = Topology(index, index, index, [1])
    x = torch.zeros(1, 1, 2, device='meta')
    with pytest.raises(ValueError, match="'segment'"):
        DGLGraphAttention().attend(x, x, x, top, torch.zeros(1, 1, device='meta'))


def test_fp16_runs_in_fp32():
    index = torch.arange(3)
    top = Topology(index, index, index * 0, [3])
    x = torch.randn(3, 1, 2).half()
    out = DGLGraphAttention().attend(x, x, x, top, torch.zeros(3, 1))
    assert out.dtype == torch.float16 and torch.equal(out, x)


def test_the_example_of_the_guide_runs(repo_root):
    page = (repo_root / 'docs/en/user_guides/scene_graphs.md').read_text(encoding='utf-8')
    code = next(b for b in page.split('```python')[1:] if 'to_networkx' in b).split('```')[0]
    names: dict = {}
    exec(code, names)
    assert {d['label'] for _, d in names['drawn'].nodes(data=True)} >= {'man', 'ride', 'horse'}

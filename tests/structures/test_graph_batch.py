"""GraphBatch and HolisticBatch against the graphs that they were packed from."""

import pickle

import pytest
import torch

from finsta.structures import (
    ATTENTION_EDGE_TYPES,
    EDGE_TYPES,
    NODE_KINDS,
    DynamicSceneGraph,
    GraphBatch,
    HolisticBatch,
    HolisticSceneGraph,
    Node,
    SceneGraph,
)
from tests.models.graph_factory import empty_graph, holistic_graph


@pytest.fixture(scope='module')
def graphs():
    """Videos of 3, 1, 0 and 4 frames, one of them without nodes, one without text."""
    no_video = HolisticSceneGraph(holistic_graph(5).tsg, DynamicSceneGraph())
    no_text = HolisticSceneGraph(SceneGraph(), holistic_graph(6, 3, 4).dsg)
    return [holistic_graph(0), holistic_graph(1, 3, 1), no_video, no_text, empty_graph(2)]


def visual_order(graphs):
    return [(t, b, i) for t in range(max(len(g.dsg.frames) for g in graphs))
            for b, g in enumerate(graphs) if t < len(g.dsg.frames)
            for i in range(len(g.dsg.frames[t].nodes))]


def edge_set(batch):
    return sorted((int(s), int(d), ATTENTION_EDGE_TYPES[t])
                  for s, d, t in zip(*batch.edge_index, batch.edge_type, strict=True))


def expected_edges(graph, at):
    out = [(at(i), at(i), 'self') for i in range(len(graph.nodes))]
    for e in graph.edges:
        out += [(at(e.src), at(e.dst), e.type), (at(e.dst), at(e.src), f'{e.type}_reverse')]
    return out


def test_edge_types():
    assert len(ATTENTION_EDGE_TYPES) == 1 + 2 * len(EDGE_TYPES) + 2
    assert len(set(ATTENTION_EDGE_TYPES)) == len(ATTENTION_EDGE_TYPES)


def test_text_batch(graphs):
    batch = GraphBatch.from_text([g.tsg for g in graphs])
    rows = [(b, n) for b, g in enumerate(graphs) for n in g.tsg.nodes]
    assert [batch.labels[i] for i in batch.label_ids] == [n.label for _, n in rows]
    assert [NODE_KINDS[k] for k in batch.kind] == [n.kind for _, n in rows]
    assert batch.sample_ids.tolist() == [b for b, _ in rows]
    assert batch.span.tolist() == [list(n.span) for _, n in rows]
    assert (batch.modality == 0).all() and (batch.predecessor == -1).all()
    assert batch.num_samples == batch.num_units == len(graphs) and batch.num_frames == 1
    start = batch.unit_ptr.tolist()
    expected = [e for b, g in enumerate(graphs)
                for e in expected_edges(g.tsg, lambda i, b=b: start[b] + i)]
    assert edge_set(batch) == sorted(expected)


def test_video_batch(graphs):
    batch = GraphBatch.from_video([g.dsg for g in graphs])
    order = visual_order(graphs)
    at = {key: k for k, key in enumerate(order)}
    assert list(zip(batch.frame_ids.tolist(), batch.sample_ids.tolist(), strict=True)) == [
        (t, b) for t, b, _ in order]
    for k, (t, b, i) in enumerate(order):
        node, p = graphs[b].dsg.frames[t].nodes[i], graphs[b].dsg.predecessors[t][i]
        assert batch.labels[batch.label_ids[k]] == node.label
        assert bool(batch.box_mask[k]) == (node.box is not None)
        torch.testing.assert_close(batch.box[k], torch.tensor(node.box or (0.,) * 4))
        assert batch.predecessor[k] == (at[t - 1, b, p] if p >= 0 else -1)
    expected = [e for b, g in enumerate(graphs) for t, f in enumerate(g.dsg.frames)
                for e in expected_edges(f, lambda i, t=t, b=b: at[t, b, i])]
    assert edge_set(batch) == sorted(expected)
    for t in range(batch.num_frames):
        assert (batch.frame_ids[batch.frame_ptr[t]:batch.frame_ptr[t + 1]] == t).all()


def test_holistic_batch(graphs):
    batch = HolisticBatch.from_graphs(graphs)
    hsg = batch.hsg
    order = [(t, b, m, i) for t in range(4) for b, g in enumerate(graphs)
             if t < len(g.dsg.frames)
             for m, part in enumerate((g.tsg, g.dsg.frames[t])) for i in range(len(part.nodes))]
    at = {key: k for k, key in enumerate(order)}
    assert hsg.num_nodes == len(order)
    expected = []
    for k, (t, b, m, i) in enumerate(order):
        g = graphs[b]
        node = (g.tsg if m == 0 else g.dsg.frames[t]).nodes[i]
        assert (hsg.frame_ids[k], hsg.sample_ids[k], hsg.modality[k]) == (t, b, m)
        assert hsg.labels[hsg.label_ids[k]] == node.label
        part = batch.tsg if m == 0 else batch.dsg
        assert part.labels[part.label_ids[hsg.source[k]]] == node.label
        assert part.sample_ids[hsg.source[k]] == b
        if m == 0:
            before = at[t - 1, b, 0, i] if t else -1
        else:
            p = g.dsg.predecessors[t][i]
            before = at[t - 1, b, 1, p] if p >= 0 else -1
        assert hsg.predecessor[k] == before
    for b, g in enumerate(graphs):
        for t, frame in enumerate(g.dsg.frames):
            expected += expected_edges(g.tsg, lambda i, t=t, b=b: at[t, b, 0, i])
            expected += expected_edges(frame, lambda i, t=t, b=b: at[t, b, 1, i])
        for e in g.cross:
            ends = at[e.frame, b, 0, e.text], at[e.frame, b, 1, e.visual]
            expected += [(*ends, 'cross_coreference'),
                         (*ends[::-1], 'cross_coreference_reverse')]
    assert edge_set(hsg) == sorted(expected)
    pairs = [(b, e) for b, g in enumerate(graphs) for e in g.cross]
    assert len(batch.cross_pairs) == len(batch.cross_score) == len(pairs)
    for (text, visual), (b, e) in zip(batch.cross_pairs.tolist(), pairs, strict=True):
        assert text == int(batch.tsg.unit_ptr[b]) + e.text
        assert batch.dsg.sample_ids[visual] == b and batch.dsg.frame_ids[visual] == e.frame


@pytest.mark.parametrize('which', ['tsg', 'dsg', 'hsg'])
def test_units(graphs, which):
    batch = getattr(HolisticBatch.from_graphs(graphs), which)
    sizes = batch.unit_sizes()
    assert int(sizes.sum()) == batch.num_nodes
    assert torch.equal(torch.repeat_interleave(torch.arange(batch.num_units), sizes),
                       batch.unit_ids)
    assert torch.equal(batch.unit_sample[batch.unit_ids], batch.sample_ids)
    assert torch.equal(batch.unit_frame[batch.unit_ids], batch.frame_ids)
    assert torch.equal(*batch.unit_ids[batch.edge_index])
    expected = [i for n in sizes.tolist() for i in range(n)]
    assert batch.position_in_unit().tolist() == expected


def test_padding_round_trip(graphs):
    batch = GraphBatch.from_video([g.dsg for g in graphs])
    x = torch.randn(batch.num_nodes, 3)
    padded, mask = batch.to_padded(x)
    assert padded.shape == (batch.num_units, int(batch.unit_sizes().max()), 3)
    assert torch.equal(padded[mask], x) and (padded[~mask] == 0).all()
    assert torch.equal(mask.sum(1), batch.unit_sizes())
    ids, _ = batch.to_padded(batch.entity)
    assert torch.equal(ids[mask], batch.entity)


def test_duplicate_labels_share_a_row():
    nodes = tuple(Node('object', s) for s in ('dog', 'cat', 'dog'))
    batch = GraphBatch.from_text([SceneGraph(nodes), SceneGraph(nodes[:1])])
    assert batch.labels == ['cat', 'dog'] and batch.label_ids.tolist() == [1, 0, 1, 1]


@pytest.mark.parametrize('samples', [[], [empty_graph()], [empty_graph(0)] * 2])
def test_nothing(samples):
    batch = HolisticBatch.from_graphs(samples)
    for part in (batch.tsg, batch.dsg, batch.hsg):
        assert part.num_nodes == 0 and part.num_samples == len(samples)
        assert part.edge_index.shape == (2, 0) and part.box.shape == (0, 4)
        assert part.frame_ptr[-1] == 0
        padded, mask = part.to_padded(torch.zeros(0, 3))
        assert padded.shape == (part.num_units, 0, 3) and mask.shape == (part.num_units, 0)
    assert batch.cross_pairs.shape == (0, 2) and batch.cross_score.shape == (0,)


def test_moving_leaves_the_original(graphs):
    batch = HolisticBatch.from_graphs(graphs)
    moved = batch.to('meta')
    assert moved.hsg.device.type == moved.cross_pairs.device.type == 'meta'
    assert batch.hsg.device.type == 'cpu' and moved.hsg.frame_ptr == batch.hsg.frame_ptr
    assert moved.tsg.labels == batch.tsg.labels


def test_travels_between_worker_processes(graphs):
    """DataLoader workers send batches by pickle."""
    batch = HolisticBatch.from_graphs(graphs)
    back = pickle.loads(pickle.dumps(batch))
    assert torch.equal(back.hsg.edge_index, batch.hsg.edge_index)

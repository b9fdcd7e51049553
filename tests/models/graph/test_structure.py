"""NodeFeatures, StructureEncoder, and batches with something taken away."""

import pytest
import torch

from finsta.models.graph import NodeFeatures, StructureEncoder
from finsta.models.graph.ablate import (
    drop_kinds,
    drop_random_edges,
    drop_random_nodes,
    keep_nodes,
    without_cross,
    without_temporal,
)
from finsta.structures import (
    ATTENTION_EDGE_TYPES,
    NODE_KINDS,
    DynamicSceneGraph,
    GraphBatch,
    HolisticBatch,
    HolisticSceneGraph,
    Node,
    SceneGraph,
)
from tests.models.graph_factory import empty_graph, holistic_graph

ADVERB = NODE_KINDS.index('predicate_attribute')


def tiny(**more):
    torch.manual_seed(0)
    return StructureEncoder(dim=16, num_heads=4, label_dim=6, region_dim=5, **more)


def embed(labels):
    """A vector per label, from its letters."""
    rows = [torch.randn(6, generator=torch.Generator().manual_seed(sum(map(ord, s)) + len(s)))
            for s in labels]
    return torch.stack(rows) if rows else torch.zeros(0, 6)


def with_adverb(drop=False):
    """'man walks slowly' in text and in two frames; ``drop``: the same without the adverb."""
    last = 2 if drop else 3
    edges = ((0, 1, 'subject'), (1, 2, 'predicate_attribute'))[:last - 1]
    tsg = SceneGraph((Node('object', 'man', entity=0), Node('predicate', 'walk', entity=0),
                      Node('predicate_attribute', 'slowly', entity=0))[:last], edges)
    frames = tuple(SceneGraph(
        (Node('object', 'man', box=(.2 + t / 5, .5, .1, .1), entity=0),
         Node('predicate', 'walk', entity=0),
         Node('predicate_attribute', 'slowly', entity=0))[:last], edges) for t in range(2))
    cross = tuple((i, t, i) for t in range(2) for i in range(last))
    return HolisticSceneGraph(tsg, DynamicSceneGraph(frames, (0, 1)), cross)


@pytest.fixture
def batch():
    return HolisticBatch.from_graphs([holistic_graph(0), holistic_graph(1, 3, 2)])


def regions(batch):
    return torch.randn(batch.dsg.num_nodes, 5, generator=torch.Generator().manual_seed(3))


def test_shapes_and_gradients(batch):
    model = tiny()
    out = model(batch, embed, regions(batch))
    assert out.h_tsg.shape == (batch.tsg.num_nodes, 16)
    assert out.h_dsg.shape == (batch.dsg.num_nodes, 16)
    assert out.h_hsg.shape == (batch.hsg.num_nodes, 16)
    assert out.batch is batch and out.tsg_index is None
    sum((h * torch.randn_like(h)).sum() for h in (out.h_tsg, out.h_dsg, out.h_hsg)).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name


def test_three_ways_to_give_labels(batch):
    model = tiny().eval()
    out = model(batch, embed, regions(batch))
    for labels in (embed(batch.hsg.labels),
                   {'tsg': embed(batch.tsg.labels), 'dsg': embed(batch.dsg.labels)}):
        other = model(batch, labels, regions(batch))
        assert torch.equal(out.h_tsg, other.h_tsg) and torch.equal(out.h_hsg, other.h_hsg)
    with pytest.raises(ValueError, match='rows'):
        model(batch, embed(batch.hsg.labels)[1:], regions(batch))


def test_holistic_inputs_are_the_text_and_visual_inputs(batch):
    """With empty streams the states are the inputs, so each HSG node must show its source's."""
    model = tiny(text=dict(stages=()), dynamic=dict(stages=()), holistic=dict(stages=()))
    out = model(batch, embed, regions(batch))
    for i in range(batch.hsg.num_nodes):
        source = out.h_tsg if batch.hsg.modality[i] == 0 else out.h_dsg
        assert torch.equal(out.h_hsg[i], source[batch.hsg.source[i]])


def test_samples_do_not_mix(batch):
    model = tiny().eval()
    out = model(batch, embed, regions(batch))
    single = HolisticBatch.from_graphs([holistic_graph(1, 3, 2)])
    rows = regions(batch)[batch.dsg.sample_ids == 1]
    alone = model(single, embed, rows)
    for name in ('tsg', 'dsg', 'hsg'):
        mine = getattr(batch, name).sample_ids == 1
        torch.testing.assert_close(getattr(out, f'h_{name}')[mine], getattr(alone, f'h_{name}'),
                                   atol=1e-5, rtol=1e-4)


def test_empty_batches():
    model = tiny()
    for graphs in ([], [empty_graph()], [empty_graph(), holistic_graph(0)]):
        batch = HolisticBatch.from_graphs(graphs)
        out = model(batch, embed, regions(batch))
        for name in ('tsg', 'dsg', 'hsg'):
            h = getattr(out, f'h_{name}')
            assert len(h) == getattr(batch, name).num_nodes and h.isfinite().all()


def test_default_size_is_near_the_papers_87_million():
    with torch.device('meta'):
        model = StructureEncoder(label_dim=512, region_dim=768)
    count = sum(p.numel() for p in model.parameters())
    assert 85e6 < count < 88e6


def test_predicate_attributes_off_equals_graphs_without_them():
    model = tiny(predicate_attributes=False).eval()
    full, bare = (HolisticBatch.from_graphs([with_adverb()]),
                  HolisticBatch.from_graphs([with_adverb(drop=True)]))
    x = regions(full)
    out = model(full, embed, x)
    expected = model(bare, embed, x[out.dsg_index])
    assert out.tsg_index.tolist() == [0, 1] and out.dsg_index.tolist() == [0, 1, 3, 4]
    for name in ('h_tsg', 'h_dsg', 'h_hsg'):
        torch.testing.assert_close(getattr(out, name), getattr(expected, name))
    assert not (out.batch.hsg.kind == ADVERB).any()
    assert out.batch.cross_pairs.tolist() == bare.cross_pairs.tolist()


def test_temporal_and_cross_coreference_off(batch):
    x = regions(batch)
    plain = tiny().eval()
    out = plain(batch, embed, x)
    for flag, changed in ((dict(temporal_coref=False), ('h_dsg', 'h_hsg')),
                          (dict(cross_coref=False), ('h_hsg',))):
        model = tiny(**flag).eval()
        model.load_state_dict(plain.state_dict())
        other = model(batch, embed, x)
        for name in ('h_tsg', 'h_dsg', 'h_hsg'):
            assert torch.allclose(getattr(out, name), getattr(other, name)) == (
                name not in changed)
        assert torch.equal(other.batch.cross_pairs, batch.cross_pairs)


def test_without_cross_text_and_video_do_not_touch(batch):
    cut = without_cross(batch.hsg)
    assert (batch.hsg.modality[batch.hsg.edge_index].diff(dim=0) != 0).any()
    assert (cut.modality[cut.edge_index].diff(dim=0) == 0).all()
    assert not {ATTENTION_EDGE_TYPES[t] for t in cut.edge_type} & {
        'cross_coreference', 'cross_coreference_reverse'}


def test_random_drops_act_in_training_only(batch):
    model = tiny(node_drop=0.4, edge_drop=0.3)
    x, generator = regions(batch), torch.Generator().manual_seed(0)
    out = model(batch, embed, x, generator=generator)
    assert len(out.h_dsg) == len(out.dsg_index) < batch.dsg.num_nodes
    assert out.batch.hsg.edge_type.numel() < batch.hsg.edge_type.numel()
    assert model.eval()(batch, embed, x).batch is batch
    with pytest.raises(ValueError, match='node_drop'):
        tiny(node_drop=1.0)


def check(part: GraphBatch):
    """The promises of GraphBatch."""
    assert part.frame_ptr[-1] == part.num_nodes == int(part.unit_ptr[-1])
    sizes = torch.bincount(part.unit_ids, minlength=part.num_units)
    assert torch.equal(sizes, part.unit_sizes())
    assert (part.unit_ids.diff() >= 0).all() and (part.frame_ids.diff() >= 0).all()
    if part.edge_index.numel():
        assert torch.equal(*part.unit_ids[part.edge_index])
    linked = part.predecessor >= 0
    before = part.predecessor[linked]
    assert torch.equal(part.frame_ids[before], part.frame_ids[linked] - 1)
    assert torch.equal(part.sample_ids[before], part.sample_ids[linked])
    for t in range(part.num_frames):
        assert (part.frame_ids[part.frame_ptr[t]:part.frame_ptr[t + 1]] == t).all()


@pytest.mark.parametrize('seed', range(5))
def test_dropping_nodes_keeps_the_promises(batch, seed):
    kept = drop_random_nodes(batch, 0.5, torch.Generator().manual_seed(seed))
    small = kept.batch
    for name, index in (('tsg', kept.tsg_index), ('dsg', kept.dsg_index)):
        part, old = getattr(small, name), getattr(batch, name)
        check(part)
        assert torch.equal(part.label_ids, old.label_ids[index])
        assert torch.equal(part.box, old.box[index])
        assert torch.equal(part.source, torch.arange(part.num_nodes))
    check(small.hsg)
    for i in range(small.hsg.num_nodes):
        part = small.tsg if small.hsg.modality[i] == 0 else small.dsg
        j = small.hsg.source[i]
        assert small.hsg.labels[small.hsg.label_ids[i]] == part.labels[part.label_ids[j]]
        assert small.hsg.entity[i] == part.entity[j]
    text, visual = small.cross_pairs.T
    assert torch.equal(small.tsg.entity[text], small.dsg.entity[visual])
    assert len(small.cross_score) == len(text)


def test_keeping_everything_changes_nothing(batch):
    same = keep_nodes(batch, torch.ones(batch.tsg.num_nodes, dtype=torch.bool),
                      torch.ones(batch.dsg.num_nodes, dtype=torch.bool)).batch
    for name in ('tsg', 'dsg', 'hsg'):
        one, two = getattr(batch, name), getattr(same, name)
        for key, value in vars(one).items():
            other = getattr(two, key)
            assert torch.equal(value, other) if torch.is_tensor(value) else value == other, key


def test_inputs_are_not_changed(batch):
    before = {(n, k): v.clone() for n in ('tsg', 'dsg', 'hsg')
              for k, v in vars(getattr(batch, n)).items() if torch.is_tensor(v)}
    drop_kinds(batch, ('attribute',))
    drop_random_edges(batch.hsg, 0.5)
    without_temporal(batch.hsg)
    tiny(node_drop=0.5, edge_drop=0.5)(batch, embed, regions(batch))
    assert all(torch.equal(getattr(getattr(batch, n), k), v) for (n, k), v in before.items())


def test_dropped_edges_are_never_self_loops(batch):
    cut = drop_random_edges(batch.hsg, 0.999, torch.Generator().manual_seed(0))
    loops = cut.edge_index[0] == cut.edge_index[1]
    assert int(loops.sum()) == batch.hsg.num_nodes


class TestNodeFeatures:

    def test_box_and_region_count_only_where_they_exist(self, batch):
        torch.manual_seed(0)
        model, dsg, x = NodeFeatures(16, 6, 5), batch.dsg, regions(batch)
        labels = embed(dsg.labels)
        out = model(dsg, labels, x)
        moved = GraphBatch(**{**vars(dsg), 'box': dsg.box + 0.1})
        changed = (model(moved, labels, x) != out).any(1)
        assert torch.equal(changed, dsg.box_mask) and dsg.box_mask.any()
        changed = (model(dsg, labels, x + 1) != out).any(1)
        assert torch.equal(changed, dsg.box_mask)
        mask = torch.zeros_like(dsg.box_mask)
        assert torch.equal(model(dsg, labels, x, mask), model(dsg, labels))

    def test_missing_regions_may_hold_nan(self, batch):
        model, dsg, x = NodeFeatures(16, 6, 5), batch.dsg, regions(batch)
        x[~dsg.box_mask] = float('nan')
        out = model(dsg, embed(dsg.labels), x)
        out.sum().backward()
        assert out.isfinite().all()
        assert all(p.grad.isfinite().all() for p in model.parameters())

    def test_wrong_widths_are_named(self, batch):
        model, dsg = NodeFeatures(16, 6, 5), batch.dsg
        with pytest.raises(ValueError, match='label_emb'):
            model(dsg, torch.zeros(len(dsg.labels), 7))
        with pytest.raises(ValueError, match='region_feat'):
            model(dsg, embed(dsg.labels), torch.zeros(1, 5))
        with pytest.raises(ValueError, match='region_dim=None'):
            NodeFeatures(16, 6)(dsg, embed(dsg.labels), regions(batch))

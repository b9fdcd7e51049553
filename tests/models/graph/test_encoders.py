"""GTrm, R-GTrm (four recurrences), STGD-GTrm and their streams: what must hold for all."""

import math

import pytest
import torch

from finsta.models.graph import (
    GraphContext,
    GraphStream,
    GTrmEncoder,
    GTrmLayer,
    RGTrmEncoder,
    RGTrmLayer,
    STGDEncoder,
    STGDLayer,
)
from finsta.models.graph.ablate import without_temporal
from finsta.models.graph.recurrence import RECURRENCES
from finsta.registry import GRAPH_ENCODERS
from finsta.structures import DynamicSceneGraph, GraphBatch, HolisticBatch, Node, SceneGraph
from tests.models.graph_factory import empty_graph, holistic_graph

DIM, HEADS = 16, 4
ENCODERS = {
    'gtrm': dict(type='GTrmEncoder', num_layers=2),
    'gtrm_product': dict(type='GTrmEncoder', num_layers=2, edge_mode='product'),
    'gtrm_pre': dict(type='GTrmEncoder', num_layers=2, norm='pre', act='gelu'),
    **{f'rgtrm_{r}': dict(type='RGTrmEncoder', recurrence=r) for r in RECURRENCES},
    'rgtrm_pre': dict(type='RGTrmEncoder', norm='pre'),
    'stgd_box': dict(type='STGDEncoder'),
    'stgd_feature': dict(type='STGDEncoder', space='feature'),
    'stream': dict(type='GraphStream'),
}


def build(name, **more):
    torch.manual_seed(0)
    return GRAPH_ENCODERS.build({**ENCODERS[name], 'dim': DIM, 'num_heads': HEADS, **more}).eval()


def states(batch, seed=0):
    """States that depend on a node's label, frame and sample-free identity only."""
    rows = []
    for i in range(batch.num_nodes):
        label = sum(map(ord, batch.labels[batch.label_ids[i]]))
        key = 1009 * label + 31 * int(batch.frame_ids[i]) + int(batch.entity[i]) + seed
        rows.append(torch.randn(DIM, generator=torch.Generator().manual_seed(key)))
    return torch.stack(rows) if rows else torch.zeros(0, DIM)


def encode(encoder, batch):
    x = states(batch)
    return encoder(x, batch if isinstance(encoder, GraphStream) else GraphContext(batch))


def reverse_nodes(dsg):
    """The same graph with the nodes of every frame in reverse order."""
    frames, rows = [], []
    for t, frame in enumerate(dsg.frames):
        n = len(frame.nodes)
        frames.append(SceneGraph(frame.nodes[::-1], tuple(
            (n - 1 - e.src, n - 1 - e.dst, e.type) for e in frame.edges)))
        before = len(dsg.frames[t - 1].nodes) if t else 0
        rows.append(tuple(before - 1 - p if p >= 0 else -1 for p in dsg.predecessors[t][::-1]))
    return DynamicSceneGraph(tuple(frames), dsg.times, tuple(rows))


@pytest.fixture(scope='module')
def videos():
    return [holistic_graph(seed, num_objects=n, num_frames=t).dsg
            for seed, n, t in ((0, 3, 4), (1, 2, 2), (2, 4, 3))]


@pytest.mark.parametrize('name', ENCODERS)
class TestEveryEncoder:

    def test_alone_equals_in_a_batch(self, name, videos):
        """Padding, other samples and other lengths change nothing."""
        encoder = build(name)
        together = GraphBatch.from_video(videos)
        out = encode(encoder, together)
        for b, video in enumerate(videos):
            alone = encode(encoder, GraphBatch.from_video([video]))
            torch.testing.assert_close(out[together.sample_ids == b], alone, atol=1e-5, rtol=1e-4)

    def test_order_of_nodes_does_not_matter(self, name, videos):
        encoder = build(name)
        batch = GraphBatch.from_video(videos[:1])
        flipped = GraphBatch.from_video([reverse_nodes(videos[0])])
        out, other = encode(encoder, batch), encode(encoder, flipped)
        for a, b in zip(batch.frame_ptr[:-1], batch.frame_ptr[1:], strict=True):
            torch.testing.assert_close(out[a:b], other[a:b].flip(0), atol=1e-5, rtol=1e-4)

    def test_gradient_reaches_every_parameter_and_input(self, name):
        encoder = build(name).train()
        batch = GraphBatch.from_video([holistic_graph(s, 4, 4).dsg for s in range(4)])
        x = states(batch).requires_grad_()
        out = encoder(x, batch if isinstance(encoder, GraphStream) else GraphContext(batch))
        (out * torch.randn_like(out)).sum().backward()
        assert x.grad.isfinite().all() and (x.grad.abs().sum(1) > 0).all()
        for key, parameter in encoder.named_parameters():
            assert parameter.grad is not None and parameter.grad.isfinite().all(), key
            assert parameter.grad.abs().sum() > 0, key

    def test_empty_graphs(self, name):
        encoder = build(name)
        mixed = [empty_graph(3).dsg, holistic_graph(3).dsg, DynamicSceneGraph()]
        for videos in ([], [DynamicSceneGraph()], [empty_graph().dsg] * 2, mixed):
            batch = GraphBatch.from_video(videos)
            out = encode(encoder, batch)
            assert out.shape == (batch.num_nodes, DIM) and out.isfinite().all()

    def test_autocast_bf16_is_near_fp32(self, name, videos):
        encoder, batch = build(name), GraphBatch.from_video(videos)
        wide = encode(encoder, batch)
        with torch.autocast('cpu', torch.bfloat16):
            half = encode(encoder, batch)
        loss = half.float().square().sum()
        loss.backward()
        assert (half.float() - wide).norm() / wide.norm() < 0.05
        assert all(p.grad.isfinite().all() for p in encoder.parameters() if p.grad is not None)

    def test_back_ends_agree(self, name, videos):
        pytest.importorskip('dgl')
        batch = GraphBatch.from_video(videos)
        results = []
        for ops in ('dgl', 'dense', 'segment'):
            encoder = build(name, ops=ops)
            x = states(batch).requires_grad_()
            out = encoder(x, batch if isinstance(encoder, GraphStream) else GraphContext(batch))
            (out * torch.linspace(-1, 1, DIM)).sum().backward()
            results.append((out.detach(), x.grad))
        for out, grad in results[1:]:
            torch.testing.assert_close(out, results[0][0], atol=1e-5, rtol=1e-5)
            torch.testing.assert_close(grad, results[0][1], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize('edge_mode', ['bias', 'product'])
def test_gtrm_layer_is_the_formula(edge_mode):
    """One node's update by hand."""
    torch.manual_seed(0)
    layer = GTrmLayer(DIM, HEADS, edge_mode=edge_mode)
    batch = GraphBatch.from_video([holistic_graph(0).dsg])
    x, att = torch.randn(batch.num_nodes, DIM), layer.attention
    out, d = layer(x, GraphContext(batch)), DIM // HEADS
    wq, wk, wv = att.qkv.weight.chunk(3)
    bq, bk, bv = att.qkv.bias.chunk(3)
    i = int(batch.edge_index[1].bincount().argmax())
    edges = (batch.edge_index[1] == i).nonzero().squeeze(1).tolist()
    heads = []
    for h in range(HEADS):
        rows = slice(h * d, (h + 1) * d)
        q, logits, values = (wq @ x[i] + bq)[rows], [], []
        for e in edges:
            j, kind = batch.edge_index[0, e], batch.edge_type[e]
            k, edge = (wk @ x[j] + bk)[rows], att.edge.weight[kind]
            logits.append(q @ k / math.sqrt(d) + edge[h] if edge_mode == 'bias'
                          else (q * k * edge[rows]).sum() / math.sqrt(d))
            values.append((wv @ x[j] + bv)[rows])
        heads.append(torch.stack(logits).softmax(0) @ torch.stack(values))
    mid = layer.norm1(x[i] + att.out(torch.cat(heads)))
    torch.testing.assert_close(out[i], layer.norm2(mid + layer.ffn(mid)), atol=1e-5, rtol=1e-5)


def test_gtrm_frames_do_not_see_each_other(videos):
    layer, batch = build('gtrm'), GraphBatch.from_video(videos)
    x, context = states(batch), GraphContext(batch)
    changed = x.clone()
    changed[batch.frame_ids == 0] += 1
    later = batch.frame_ids > 0
    assert torch.equal(layer(x, context)[later], layer(changed, context)[later])


@pytest.mark.parametrize('name', [f'rgtrm_{r}' for r in RECURRENCES])
def test_recurrence_carries_the_past_forward_only(name, videos):
    encoder, batch = build(name), GraphBatch.from_video(videos[:1])
    x, context = states(batch), GraphContext(batch)
    out = encoder(x, context)
    first = int(batch.frame_ids[batch.predecessor >= 0].min()) - 1
    for t, moves_later in ((first, True), (3, False)):
        changed = x.clone()
        changed[batch.frame_ids == t] += 1
        other = encoder(changed, context)
        assert torch.equal(other[batch.frame_ids < t], out[batch.frame_ids < t])
        later = batch.frame_ids > t
        if moves_later:
            assert (other[later] - out[later]).abs().max() > 1e-4


@pytest.mark.parametrize(('recurrence', 'reach'), [('gated', 3), ('gru', 3), ('memory', 3),
                                                   ('shifted', 1)])
def test_how_far_one_layer_looks_back(recurrence, reach):
    """The loop carries frame 0 to the last frame; the shifted rule sees one frame back."""
    torch.manual_seed(0)
    layer = RGTrmLayer(DIM, HEADS, recurrence=recurrence)
    frame = SceneGraph((Node('object', 'a', entity=0), Node('object', 'b', entity=1)))
    batch = GraphBatch.from_video([DynamicSceneGraph((frame,) * 4, range(4))])
    x = torch.randn(8, DIM, requires_grad=True)
    for t in range(4):
        grad, = torch.autograd.grad(
            (layer(x, GraphContext(batch))[2 * t:2 * t + 2] * torch.randn(2, DIM)).sum(), x)
        heard = (grad.view(4, -1).abs().sum(1) > 0).tolist()
        assert heard == [t - reach <= s <= t for s in range(4)]


@pytest.mark.parametrize('recurrence', ['gated', 'gru', 'shifted'])
def test_without_coreference_it_is_gtrm(recurrence, videos):
    layer = RGTrmLayer(DIM, HEADS, recurrence=recurrence)
    plain = GTrmLayer(DIM, HEADS)
    plain.load_state_dict({k: v for k, v in layer.state_dict().items()
                           if not k.startswith('recurrence.')})
    batch = without_temporal(GraphBatch.from_video(videos))
    x = states(batch)
    torch.testing.assert_close(layer(x, GraphContext(batch)), plain(x, GraphContext(batch)))


def test_closed_gate_ignores_the_past_and_open_gate_replaces_the_present():
    layer = RGTrmLayer(DIM, HEADS, recurrence='gated')
    frame = SceneGraph((Node('object', 'a', entity=0),))
    batch = GraphBatch.from_video([DynamicSceneGraph((frame, frame), (0, 1))])
    context, x = GraphContext(batch), torch.randn(2, DIM)
    torch.nn.init.zeros_(layer.recurrence.gate.weight)
    torch.nn.init.constant_(layer.recurrence.gate.bias, 50.)
    plain = layer(x, GraphContext(without_temporal(batch)))
    torch.testing.assert_close(layer(x, context), plain)
    torch.nn.init.constant_(layer.recurrence.gate.bias, -50.)
    out = layer(x, context)
    value = layer.attention.project_values(out[:1]).reshape(1, DIM)  # one neighbour: itself
    torch.testing.assert_close(out[1:], layer.after(x[1:], layer.attention.out(value)))


def pair(x):
    return SceneGraph((Node('object', 'a', box=(x, .5, .1, .1), entity=0),
                       Node('object', 'b', box=(.8, .5, .1, .1), entity=1)))


def test_stgd_reacts_to_boxes_and_is_gtrm_on_a_still_scene():
    torch.manual_seed(0)
    layer = STGDLayer(DIM, HEADS)
    plain = GTrmLayer(DIM, HEADS)
    plain.load_state_dict({k: v for k, v in layer.state_dict().items()
                           if k not in ('alpha', 'beta')})
    still = GraphBatch.from_video([DynamicSceneGraph((pair(.2), pair(.2)), (0, 1))])
    moving = GraphBatch.from_video([DynamicSceneGraph((pair(.2), pair(.5)), (0, 1))])
    x = torch.randn(4, DIM)
    torch.testing.assert_close(layer(x, GraphContext(still)), plain(x, GraphContext(still)))
    out, reference = layer(x, GraphContext(moving)), plain(x, GraphContext(moving))
    torch.testing.assert_close(out[:2], reference[:2])
    assert ((out[2:] - reference[2:]).abs().sum(1) > 1e-3).all()
    with torch.no_grad():
        layer.alpha.zero_()
        layer.beta.zero_()
    torch.testing.assert_close(layer(x, GraphContext(moving)), reference)


def test_stream_without_stgd_keeps_its_depth():
    full, ablated = GraphStream(DIM, HEADS), GraphStream(DIM, HEADS, with_stgd=False)
    kinds = [type(s) for s in ablated.stages]
    assert kinds == [RGTrmEncoder, GTrmEncoder, RGTrmEncoder]
    assert [type(s) for s in full.stages] == [RGTrmEncoder, STGDEncoder, RGTrmEncoder]
    missing = set(full.state_dict()) - set(ablated.state_dict())
    assert missing == {f'stages.1.layers.{i}.{n}' for i in range(2) for n in ('alpha', 'beta')}


def test_holistic_batches_run_with_text_in_every_frame():
    batch = HolisticBatch.from_graphs([holistic_graph(s) for s in range(3)]).hsg
    out = encode(build('stream'), batch)
    assert out.shape == (batch.num_nodes, DIM) and out.isfinite().all()


def test_dropout_acts_in_training_only(videos):
    encoder, batch = build('gtrm', dropout=0.5), GraphBatch.from_video(videos)
    assert torch.equal(encode(encoder, batch), encode(encoder, batch))
    encoder.train()
    assert not torch.equal(encode(encoder, batch), encode(encoder, batch))


@pytest.mark.parametrize(('config', 'message'), [
    (dict(type='GTrmEncoder', dim=10, num_heads=4), 'multiple'),
    (dict(type='GTrmEncoder', edge_mode='sum'), 'edge_mode'),
    (dict(type='GTrmEncoder', norm='batch'), 'norm'), (dict(type='GTrmEncoder', act='x'), 'act'),
    (dict(type='RGTrmEncoder', recurrence='lstm'), 'recurrence'),
    (dict(type='STGDEncoder', space='depth'), 'space'),
    (dict(type='STGDEncoder', sigma=0), 'sigma')])
def test_wrong_settings_are_named(config, message):
    with pytest.raises(ValueError, match=message):
        GRAPH_ENCODERS.build({'dim': DIM, 'num_heads': HEADS, **config})


def test_wrong_states_are_named(videos):
    with pytest.raises(ValueError, match='node states'):
        build('stream')(torch.zeros(3, DIM), GraphBatch.from_video(videos))

"""OSC and PTC against loops written from the formulas; empty cases; gradients."""

import dataclasses
import math

import pytest
import torch
import torch.nn.functional as F

from finsta.models.alignment import ObjectSpatialContrast, PredicateTemporalContrast
from finsta.models.alignment.chains import chain_ids, chain_intervals
from finsta.models.alignment.regions import region_features
from finsta.structures import NODE_KINDS, HolisticBatch
from tests.models.graph_factory import empty_graph, holistic_graph

OBJECT, PREDICATE = NODE_KINDS.index('object'), NODE_KINDS.index('predicate')


@pytest.fixture
def batch():
    return HolisticBatch.from_graphs([holistic_graph(s, 2, 4) for s in range(3)])


def _states(batch, dim=8, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(batch.tsg.num_nodes, dim, generator=generator, requires_grad=True),
            torch.randn(batch.dsg.num_nodes, dim, generator=generator, requires_grad=True))


@pytest.mark.parametrize('negatives', ['video', 'batch'])
def test_osc_equals_the_formula(batch, negatives):
    h_t, h_d = _states(batch)
    loss, stats = ObjectSpatialContrast(0.2, 2, negatives)(h_t, h_d, batch)
    r_t, r_d = (F.normalize(region_features(h, g, 2), dim=-1).detach()
                for h, g in ((h_t, batch.tsg), (h_d, batch.dsg)))
    positives: dict[int, list[int]] = {}
    for i, j in batch.cross_pairs.tolist():
        if batch.tsg.kind[i] == OBJECT:
            positives.setdefault(i, []).append(j)
    objects = [j for j in range(batch.dsg.num_nodes) if batch.dsg.kind[j] == OBJECT]
    per_anchor = []
    for i, found in positives.items():
        pool = [j for j in objects if negatives == 'batch'
                or batch.dsg.sample_ids[j] == batch.tsg.sample_ids[i]]
        total = sum(math.exp(float(r_t[i] @ r_d[j]) / 0.2) for j in pool)
        per_anchor.append(sum(-math.log(math.exp(float(r_t[i] @ r_d[j]) / 0.2) / total)
                              for j in found) / len(found))
    assert loss.item() == pytest.approx(sum(per_anchor) / len(per_anchor), abs=1e-5)
    assert stats['osc_positives'] == sum(map(len, positives.values()))
    loss.backward()
    assert h_t.grad.abs().sum() > 0 and h_d.grad.abs().sum() > 0


@pytest.mark.parametrize('kind', [ObjectSpatialContrast, PredicateTemporalContrast])
def test_samples_of_one_video_are_no_negatives_of_each_other(batch, kind):
    """Samples 0 and 1 show one video: an anchor's loss is that of a batch without the other."""
    h_t, h_d = _states(batch)
    module = kind(0.2, 1)
    plain, _ = module(h_t, h_d, batch)
    apart, _ = module(h_t, h_d, batch, torch.tensor([5, 6, 7]))
    assert torch.equal(plain, apart)
    grouped, _ = module(h_t, h_d, batch, torch.tensor([5, 5, 7]))
    assert grouped < plain
    # two videos of which the same is said are no negatives, either
    said, _ = module(h_t, h_d, batch, torch.tensor([[5, 1], [6, 1], [7, 2]]))
    assert torch.equal(said, grouped)
    graphs = [holistic_graph(s, 2, 4) for s in range(3)]
    total, anchors = 0.0, 0
    for kept, own in (((0, 2), 0), ((1, 2), 0), ((0, 1, 2), 2)):
        part = HolisticBatch.from_graphs([graphs[s] for s in kept])
        rows = [torch.isin(g.sample_ids, torch.tensor(kept)) for g in (batch.tsg, batch.dsg)]
        # anchors of the sample itself only
        pairs = part.cross_pairs[part.tsg.sample_ids[part.cross_pairs[:, 0]] == own]
        value, _ = module(h_t[rows[0]], h_d[rows[1]],
                          dataclasses.replace(part, cross_pairs=pairs))
        label = OBJECT if kind is ObjectSpatialContrast else PREDICATE
        count = len({int(i) for i in pairs[:, 0] if part.tsg.kind[i] == label})
        total, anchors = total + value * count, anchors + count
    torch.testing.assert_close(grouped, total / anchors, atol=1e-5, rtol=1e-5)


def test_chains_follow_predecessors_and_never_branch(batch):
    chain, position = chain_ids(batch.dsg)
    for i, p in enumerate(batch.dsg.predecessor.tolist()):
        if p >= 0:
            assert chain[i] == chain[p] and position[i] == position[p] + 1
        else:
            assert position[i] == 0
    assert len({(c, p) for c, p in zip(chain.tolist(), position.tolist(), strict=True)}) == len(
        chain)


def test_interval_features_are_means_of_the_chain(batch):
    r = torch.randn(batch.dsg.num_nodes, 6)
    found = chain_intervals(r, batch.dsg, (PREDICATE,))
    for k in range(len(found.chain)):
        inside = [n for n in range(batch.dsg.num_nodes) if found.node_chain[n] == found.chain[k]
                  and 0 <= found.node_position[n] - found.start[k] < found.length[k]]
        assert len(inside) == found.length[k]
        torch.testing.assert_close(found.features[k], r[inside].mean(0), atol=1e-5, rtol=1e-5)
    lengths = torch.bincount(found.node_chain[found.node_chain >= 0])
    assert len(found.chain) == int((lengths * (lengths + 1) // 2).sum())


def test_ptc_positives_are_the_matched_spans(batch):
    module = PredicateTemporalContrast(positive_iou=1.0)
    r = torch.randn(batch.dsg.num_nodes, 6)
    intervals = chain_intervals(r, batch.dsg, (PREDICATE,))
    text = torch.nonzero(batch.tsg.kind == PREDICATE).squeeze(1)
    positive = module.positives(batch, text, intervals)
    for a, i in enumerate(text.tolist()):
        spans: dict[int, list[int]] = {}
        for p, j in batch.cross_pairs.tolist():
            if p == i:
                spans.setdefault(int(intervals.node_chain[j]), []).append(
                    int(intervals.node_position[j]))
        for k in range(len(intervals.chain)):
            where = spans.get(int(intervals.chain[k]))
            exact = where is not None and (
                min(where) == intervals.start[k]
                and max(where) == intervals.start[k] + intervals.length[k] - 1)
            assert bool(positive[a, k]) == exact


def test_ptc_falls_when_predicates_agree(batch):
    h_t, h_d = _states(batch)
    module = PredicateTemporalContrast(hops=0)
    before, _ = module(h_t, h_d, batch)
    aligned = h_d.detach().clone()
    for i, j in batch.cross_pairs.tolist():
        aligned[j] = h_t[i].detach()
    after, _ = module(h_t, aligned, batch)
    assert after < before


@pytest.mark.parametrize('loss', [ObjectSpatialContrast(), PredicateTemporalContrast()])
def test_nothing_to_align_is_an_attached_zero(loss):
    for graphs in ([empty_graph()], [empty_graph(1), empty_graph(2)]):
        batch = HolisticBatch.from_graphs(graphs)
        h_t, h_d = _states(batch)
        value, _ = loss(h_t, h_d, batch)
        assert value.item() == 0.0 and value.requires_grad
        value.backward()
    single = HolisticBatch.from_graphs([holistic_graph(1, 1, 1)])
    h_t, h_d = _states(single)
    value, _ = loss(h_t, h_d, single)
    assert torch.isfinite(value)


def test_negatives_name_is_checked(batch):
    h_t, h_d = _states(batch)
    with pytest.raises(ValueError, match="'video' or 'batch'"):
        ObjectSpatialContrast(negatives='all')(h_t, h_d, batch)
    with pytest.raises(ValueError, match='chain_kinds'):
        PredicateTemporalContrast(chain_kinds=('verb',))


def test_rho_only_adds_positives(batch):
    h_t, h_d = _states(batch)
    _, base = ObjectSpatialContrast()(h_t, h_d, batch)
    _, wide = ObjectSpatialContrast(rho=-1.1)(h_t, h_d, batch)
    assert wide['osc_positives'] > base['osc_positives']

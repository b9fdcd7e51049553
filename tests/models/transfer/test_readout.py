"""GraphReadout against a plain loop over nodes, and what counts as a fact."""

import pytest
import torch
import torch.nn.functional as F

from finsta.models.transfer import GraphReadout, TransferInputs
from finsta.models.transfer.readout import node_facts
from finsta.structures import (
    ATTENTION_EDGE_TYPES,
    DynamicSceneGraph,
    Edge,
    HolisticBatch,
    HolisticSceneGraph,
    Node,
    SceneGraph,
)

BOX = (0.5, 0.5, 0.2, 0.2)


def _frame(verb: str = 'push', adverb: str = 'slowly') -> SceneGraph:
    return SceneGraph(
        (Node('object', 'dog', box=BOX), Node('object', 'ball', box=BOX), Node('attribute', 'red'),
         Node('predicate', verb), Node('predicate_attribute', adverb)),
        (Edge(1, 2, 'attribute'), Edge(0, 3, 'subject'), Edge(3, 1, 'object'),
         Edge(3, 4, 'predicate_attribute')))


def _batch(*verbs: str) -> HolisticBatch:
    return HolisticBatch.from_graphs([
        HolisticSceneGraph(SceneGraph(), DynamicSceneGraph((_frame(v), _frame(v)), (0., 1.)))
        for v in verbs])


def _spelt(graphs) -> set[tuple[int, str, str]]:
    return {(int(n), ATTENTION_EDGE_TYPES[t], graphs.labels[k])
            for n, t, k in zip(*node_facts(graphs), strict=True)}


def test_facts_are_the_label_the_attributes_the_roles_and_the_manner():
    facts = _spelt(_batch('push').dsg)
    assert {f for f in facts if f[0] == 0} == {
        (0, 'self', 'dog'), (0, 'subject_reverse', 'push'),
        (0, 'predicate_attribute_reverse', 'slowly')}
    assert {f for f in facts if f[0] == 1} == {
        (1, 'self', 'ball'), (1, 'attribute_reverse', 'red'), (1, 'object', 'push'),
        (1, 'predicate_attribute_reverse', 'slowly')}
    assert {f[0] for f in facts} == {0, 1, 5, 6}      # the objects of both frames, nothing else


def _inputs(graphs: HolisticBatch, width: int = 6) -> TransferInputs:
    torch.manual_seed(1)
    return TransferInputs(graphs, student_dsg=torch.randn(graphs.dsg.num_nodes, width),
                          student_dsg_mask=graphs.dsg.box_mask,
                          dsg_labels=torch.randn(len(graphs.dsg.labels), 5))


def _readout() -> GraphReadout:
    torch.manual_seed(0)
    return GraphReadout({}, dict(video=6), 7, label_dim=5, dim=4, streams=('video',))


def test_equals_a_loop_over_nodes():
    graphs, readout = _batch('push', 'follow'), _readout()
    inputs = _inputs(graphs)
    facts: dict[int, set] = {}
    for n, t, k in zip(*(x.tolist() for x in node_facts(graphs.dsg)), strict=True):
        facts.setdefault(n, set()).add((t, k))
    every = sorted(set().union(*facts.values()))

    def embed(fact):
        return readout.fact['video'](F.gelu(
            readout.role['video'].weight[fact[0]]
            + readout.label['video'](inputs.dsg_labels[fact[1]])))
    losses = []
    for node, true in facts.items():
        x = readout.student['video'](inputs.student_dsg[node])
        wrong = torch.stack([x @ embed(f) for f in every if f not in true])
        losses.append(torch.stack([
            F.cross_entropy(torch.cat([(x @ embed(f))[None], wrong])[None], torch.tensor([0]))
            for f in sorted(true)]).mean())
    expected = torch.stack(losses).mean()
    assert torch.allclose(readout(inputs)['loss_readout_video'], expected, atol=1e-6)


def test_it_teaches_the_host_what_tells_nodes_apart():
    graphs, readout = _batch('push', 'follow'), _readout()
    inputs = _inputs(graphs)
    inputs.student_dsg.requires_grad_(True)
    gradient, = torch.autograd.grad(readout(inputs)['loss_readout_video'], inputs.student_dsg)
    objects = graphs.dsg.box_mask
    assert (gradient[objects].abs().sum(1) > 0).all()
    assert (gradient[~objects] == 0).all()


@pytest.mark.parametrize('boxes', [True, False])
def test_nothing_to_read_is_zero_and_attached(boxes):
    graphs = _batch('push') if not boxes else HolisticBatch.from_graphs(
        [HolisticSceneGraph(SceneGraph(), DynamicSceneGraph((SceneGraph(),), (0.,)))])
    inputs = _inputs(graphs)
    inputs.student_dsg_mask = torch.zeros_like(inputs.student_dsg_mask)
    inputs.student_dsg.requires_grad_(True)
    loss = _readout()(inputs)['loss_readout_video']
    assert loss == 0
    loss.backward()


def test_a_batch_in_which_every_fact_is_true_of_a_node_has_a_finite_gradient():
    graphs = HolisticBatch.from_graphs([HolisticSceneGraph(SceneGraph(), DynamicSceneGraph(
        (SceneGraph((Node('object', 'dog', box=BOX),)),), (0.,)))])
    inputs = _inputs(graphs)
    inputs.student_dsg.requires_grad_(True)
    loss = _readout()(inputs)['loss_readout_video']
    gradient, = torch.autograd.grad(loss, inputs.student_dsg)
    assert loss == 0 and torch.isfinite(gradient).all()

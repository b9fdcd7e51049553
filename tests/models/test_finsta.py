"""FinstaModel: gradients by stage, losses, ablations. That inference costs nothing is in the
backbones' contract."""

import copy

import pytest
import torch

from finsta.models import FinstaModel
from finsta.structures import HolisticBatch
from tests.models.backbones.hosts import HOSTS
from tests.models.graph_factory import empty_graph, holistic_graph
from tests.models.tiny import BACKBONE, TEACHER, TRANSFER, batch


def _model(**overrides) -> FinstaModel:
    torch.manual_seed(0)
    return FinstaModel(**{**dict(backbone=BACKBONE, teacher=TEACHER, transfer=TRANSFER),
                          **overrides})


def _total(losses: dict) -> torch.Tensor:
    return sum(v for k, v in losses.items() if k.startswith('loss'))


def _touched(module: torch.nn.Module) -> bool:
    return any(p.grad is not None and p.grad.abs().sum() > 0 for p in module.parameters())


def test_joint_stage_trains_host_and_teacher_but_not_the_frozen_copy():
    model = _model().train()
    losses = model(**batch(), mode='loss')
    expected = {'loss_osc', 'loss_ptc', 'loss_graph', 'loss_itc', 'loss_pooled_text',
                'loss_pooled_video', 'loss_node_text', 'loss_node_video', 'loss_node_frame',
                'loss_relational', 'loss_token_osc', 'loss_token_ptc'}
    assert expected <= set(losses)
    assert all(torch.isfinite(v) for v in losses.values())
    _total(losses).backward()
    for name, parameters in model.backbone.param_groups().items():
        assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in parameters), name
    assert _touched(model.teacher.encoder)
    assert not _touched(model.teacher.node_encoder)
    assert 0 <= model.last_stats['teacher_r1'] <= 1


def test_nodes_edges_and_empty_graphs_are_counted_per_sample():
    """As the graphs say them, not as attention reads them: no reverse edges, no self loops."""
    graphs = [holistic_graph(0, 2, 4), empty_graph(4), holistic_graph(1, 2, 3)]
    data = batch()
    data['inputs']['graphs'] = HolisticBatch.from_graphs(graphs)
    model = _model().train()
    model(**data, mode='loss')
    parts = {'tsg': [[g.tsg] for g in graphs], 'dsg': [g.dsg.frames for g in graphs]}
    for name, of_sample in parts.items():
        nodes = [sum(len(f.nodes) for f in frames) for frames in of_sample]
        edges = [sum(len(f.edges) for f in frames) for frames in of_sample]
        assert model.last_stats[f'{name}_nodes'] == pytest.approx(sum(nodes) / 3)
        assert model.last_stats[f'{name}_edges'] == pytest.approx(sum(edges) / 3) and sum(edges)
        assert model.last_stats[f'{name}_empty'] == pytest.approx(1 / 3)
    assert model.last_stats['cross_pairs'] == pytest.approx(sum(len(g.cross) for g in graphs) / 3)
    assert model.last_stats['cross_empty'] == pytest.approx(
        sum(not g.cross for g in graphs) / 3)
    model(**batch(empty=True), mode='loss')
    assert all(model.last_stats[f'{name}_empty'] == 1 for name in (*parts, 'cross'))


def test_transfer_sends_no_gradient_into_the_teacher():
    weights = dict(osc=0, ptc=0, graph=0)
    model = _model(teacher={**TEACHER, 'weights': weights}, transfer=TRANSFER[:3]).train()
    _total(model(**batch(), mode='loss')).backward()
    assert not _touched(model.teacher) and _touched(model.backbone)


@pytest.mark.parametrize('transfer', [TRANSFER[:3], [*TRANSFER, dict(type='GraphReadout')]])
def test_a_step_without_teacher_is_the_controls_and_what_graphs_alone_say(transfer):
    data = batch()
    model = _model(transfer=transfer,
                   neighbours=dict(type='NeighbourChoice', group_size=3)).train()
    model.set_stage('host')
    losses = model(**data, mode='loss')
    control = _model(teacher=None, transfer=None,
                     neighbours=dict(type='NeighbourChoice', group_size=3)).train()
    expected = control(**data, mode='loss')
    graphs = {'loss_token_osc', 'loss_token_ptc', 'loss_readout_text', 'loss_readout_video'}
    assert set(losses) - set(expected) == (set() if transfer == TRANSFER[:3] else graphs)
    assert all(torch.allclose(losses[k], expected[k], atol=1e-5) for k in expected)
    _total(losses).backward()
    assert _touched(model.backbone) and not _touched(model.teacher)
    assert all(_touched(m) != m.needs_teacher for m in model.transfer)


def test_warmup_leaves_the_host_alone():
    model = _model().train()
    model.set_stage('warmup')
    losses = model(**batch(), mode='loss')
    assert set(losses) == {'loss_osc', 'loss_ptc', 'loss_graph'}
    _total(losses).backward()
    assert not _touched(model.backbone) and _touched(model.teacher.encoder)
    with pytest.raises(ValueError, match='stage must be one of'):
        model.set_stage('cold')
    with pytest.raises(ValueError, match='needs a teacher'):
        FinstaModel(BACKBONE).set_stage('warmup')


def test_empty_graphs_give_finite_losses():
    model = _model().train()
    losses = model(**batch(empty=True), mode='loss')
    assert losses['loss_osc'] == 0 and losses['loss_ptc'] == 0
    assert all(torch.isfinite(v) for v in losses.values())
    _total(losses).backward()


@pytest.mark.parametrize('change', [
    dict(with_stgd=False), dict(temporal_coref=False), dict(cross_coref=False),
    dict(predicate_attributes=False), dict(node_drop=0.5, edge_drop=0.3)])
def test_ablation_flags_run_and_train(change):
    teacher = copy.deepcopy(TEACHER)
    teacher['encoder'].update(change)
    model = _model(teacher=teacher).train()
    losses = model(**batch(), mode='loss')
    assert all(torch.isfinite(v) for v in losses.values())
    _total(losses).backward()
    assert _touched(model.teacher.encoder)


@pytest.mark.parametrize('name', ['osc', 'ptc'])
def test_a_loss_can_be_left_out(name):
    teacher = {**TEACHER, name: None}
    assert f'loss_{name}' not in _model(teacher=teacher).train()(**batch(), mode='loss')


def test_extra_negatives_raise_the_contrastive_loss():
    model = _model().train()
    data = batch()
    plain = model(**data, mode='loss')['loss_itc']
    data['inputs']['negative_texts'] = [['a false caption', 'another one']] * 3
    harder = model(**data, mode='loss')['loss_itc']
    assert harder > plain


def test_false_captions_compete_inside_their_own_video():
    model = _model(choice=dict(type='CaptionChoice')).train()
    data = batch()
    plain = model(**data, mode='loss')
    data['inputs']['negative_texts'] = [['a false caption', 'another one']] * 3
    losses = model(**data, mode='loss')
    assert 'loss_choice_itc' not in plain and losses['loss_choice_itc'] > 0
    # the host's own objective is that of the control: it does not see them
    assert torch.allclose(losses['loss_itc'], plain['loss_itc'], atol=1e-5)


def test_neighbours_compete_beside_the_hosts_own_objective():
    data = batch()
    plain = _model().train()(**data, mode='loss')
    losses = _model(neighbours=dict(type='NeighbourChoice', group_size=3)).train()(
        **data, mode='loss')
    # one group of three, all in the batch: the same contrast as the host's own
    assert torch.allclose(losses['loss_neighbours_itc'], plain['loss_itc'], atol=1e-5)
    assert torch.allclose(losses['loss_itc'], plain['loss_itc'], atol=1e-5)


@pytest.mark.parametrize('parts', [{}, dict(teacher=None, transfer=None,
                                            head=dict(type='RetrievalHead'))])
def test_two_videos_of_which_the_same_is_said_are_no_negatives(parts):
    model, data = _model(**parts).eval(), batch(4)
    given = [sample.text for sample in data['data_samples']]
    assert len(set(given)) == 4
    apart = model(**data, mode='loss')
    data['data_samples'][1].video_id = 'v0'
    one_video = model(**data, mode='loss')
    data['data_samples'][1].video_id, data['data_samples'][1].text = 'v1', f' {given[0].upper()}'
    one_text = model(**data, mode='loss')
    assert 'loss_itc' in one_text and one_text['loss_itc'] != apart['loss_itc']
    assert all(torch.equal(value, one_text[key]) for key, value in one_video.items())


@pytest.mark.parametrize('name', ['ALPRO', 'STGT', 'STGT-stage2'])
@pytest.mark.parametrize('head', [None, dict(type='RetrievalHead')])
def test_no_caption_of_the_own_video_is_mined_as_a_false_one(name, head):
    """Rows 0, 1 and 3 show one video; the negatives of each of them are rows 2, and no other."""
    torch.manual_seed(0)
    model = FinstaModel(HOSTS[name], head=head).eval()
    host, data, seen = model.backbone, batch(4), []
    data['inputs']['texts'] = ['a red circle', 'the first one moves', 'zebra', 'it turns left']
    for i in (1, 3):
        data['inputs']['frames'][i] = data['inputs']['frames'][0]
        data['data_samples'][i].video_id = 'v0'
    matching = 'match_logits' if name == 'ALPRO' else 'match'
    match = getattr(host, matching)

    def watched(*args):
        if name == 'ALPRO':
            words, videos = args[0].text_pooled, args[1].video_pooled
        else:
            words, videos = (args[0] * args[1]).float(), args[2].flatten(1)
        seen.append((words.detach(), videos.detach()))
        return match(*args)

    setattr(host, matching, watched)
    with torch.no_grad():
        text, video = model.encode(data['inputs'])
        for _ in range(20):
            model(**data, mode='loss')
    if name == 'ALPRO':
        words, videos = text.text_pooled, video.video_pooled
    else:
        words, videos = (text.text_ids * text.text_mask).float(), video.video_extra.flatten(1)
    for row in seen:
        place, clip = (torch.cdist(a, b, compute_mode='donot_use_mm_for_euclid_dist').argmin(1)
                       for a, b in zip(row, (words, videos), strict=True))
        pairs = list(zip(place.tolist(), clip.tolist(), strict=True))
        own = {0: 0, 1: 0, 2: 2, 3: 0}   # the first of the videos that are equal
        assert [(t, v) for t, v in pairs[:4]] == list(own.items())
        assert all(own[t] != v for t, v in pairs[4:]) and len(pairs) == 12


def test_mistakes_are_named():
    with pytest.raises(ValueError, match='need a teacher'):
        FinstaModel(BACKBONE, transfer=TRANSFER)
    data = batch()
    data['inputs']['graphs'] = None
    with pytest.raises(ValueError, match='LoadGraphs'):
        _model().train()(**data, mode='loss')
    with pytest.raises(ValueError, match='no head'):
        FinstaModel(BACKBONE).eval()(**batch(), mode='predict')


@pytest.mark.parametrize(('change', 'message'), [
    (dict(teacher={**TEACHER, 'weights': {'ptcc': 1.0}}), r"teacher\.weights has no 'ptcc'.*ptc"),
    (dict(teacher={**TEACHER, 'weights': {'ptc': -1.0}}), r'teacher\.weights\.ptc=-1\.0'),
    (dict(teacher={**TEACHER, 'weights': {'ptc': float('nan')}}), r'teacher\.weights\.ptc=nan'),
    (dict(transfer=[{**TRANSFER[0], 'weight': -0.5}]), r'model\.transfer\.0\.weight=-0\.5'),
    (dict(host_weight=-1.0), r'model\.host_weight=-1\.0')])
def test_factors_that_no_loss_has_or_that_train_backwards_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        _model(**change)

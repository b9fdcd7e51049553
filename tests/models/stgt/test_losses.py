"""VTC, CSAL, VTM, VTG against closed forms; two processes = the big batch."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from finsta.registry import LOSSES
from tests.utils.dist import run_processes

Q, E, C = 3, 8, 5


def unit(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(*shape, generator=generator), dim=-1)


def smoothed(target: torch.Tensor, smoothing: float) -> torch.Tensor:
    return target * (1 - smoothing) + smoothing / target.shape[1]


def entropy(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return -(target * logits.log_softmax(1)).sum(1).mean()


@pytest.mark.parametrize('extra', [0, 2])
def test_vtc_is_its_formula(extra):
    text, video, scale = unit(4 + extra, E), unit(4, Q, E, seed=1), torch.tensor(9.0)
    scores = torch.stack([(video @ t).max(1).values for t in text])
    found = LOSSES.build(dict(type='VTC'))(text, video, scale)['loss_vtc']
    v2t = entropy(scale * scores.T, smoothed(torch.eye(4, 4 + extra), 0.1))
    t2v = entropy(scale * scores[:4], smoothed(torch.eye(4), 0.1))
    torch.testing.assert_close(found, (v2t + t2v) / 2)
    with pytest.raises(ValueError, match='at least 4 texts'):
        LOSSES.build(dict(type='VTC'))(text[:2], video, scale)


@pytest.mark.parametrize('extra', [0, 2])
def test_rows_of_one_video_share_the_target_of_vtc(extra):
    text, video, scale = unit(4 + extra, E), unit(4, Q, E, seed=1), torch.tensor(9.0)
    groups = torch.tensor([3, 1, 3, 0])
    share = torch.eye(4)
    share[0, [0, 2]] = share[2, [0, 2]] = 0.5
    scores = torch.stack([(video @ t).max(1).values for t in text])
    v2t = entropy(scale * scores.T, smoothed(F.pad(share, (0, extra)), 0.1))
    t2v = entropy(scale * scores[:4], smoothed(share, 0.1))
    found = LOSSES.build(dict(type='VTC'))(text, video, scale, groups)['loss_vtc']
    torch.testing.assert_close(found, (v2t + t2v) / 2)
    csal = LOSSES.build(dict(type='CSAL'))
    assert torch.equal(*(csal(text, video, scale, g)['loss_csal'] for g in (None, groups)))


def csal_targets(text: torch.Tensor, video: torch.Tensor) -> torch.Tensor:
    mean = F.normalize(video.mean(1), dim=-1)
    common = (mean @ mean.T).clamp(min=0) * (text @ text.T).clamp(min=0)
    return torch.where(common < 0.05, -100.0, common).mul(5).softmax(1)


@pytest.mark.parametrize('detach', [False, True])
def test_csal_is_its_formula(detach):
    # a direction in common, so that pairs have something to share
    text, video = (F.normalize(x + 0.2, dim=-1).requires_grad_()
                   for x in (unit(5, E), unit(5, Q, E, seed=1)))
    scale = torch.tensor(4.0)
    scores = torch.einsum('bqe,me->bmq', video, text).amax(-1)
    target = csal_targets(text, video)
    assert ((target > 1e-6).sum(1) > 1).any(), 'no pair shares its target with another'
    target = smoothed(target.detach() if detach else target, 0.01)
    expected = (entropy(scale * scores, target) + entropy(scale * scores.T, target)) / 2
    loss = LOSSES.build(dict(type='CSAL', detach_targets=detach))
    found = loss(text, video, scale)['loss_csal']
    torch.testing.assert_close(found, expected)
    for mine, reference in zip(torch.autograd.grad(found, [text, video]),
                               torch.autograd.grad(expected, [text, video]), strict=True):
        torch.testing.assert_close(mine, reference, rtol=1e-4, atol=1e-6)


def test_csal_targets_are_fp32_under_autocast():
    text, video = (F.normalize(x + 0.2, dim=-1) for x in (unit(5, E), unit(5, Q, E, seed=1)))
    loss, given = LOSSES.build(dict(type='CSAL')), (text, video, torch.tensor(4.0))
    expected = loss(*given)['loss_csal']
    with torch.autocast('cpu', torch.bfloat16):
        target = loss.targets((text, video), (text, video), 0)
        found = loss(*given)['loss_csal']
    assert target.dtype == torch.float32
    torch.testing.assert_close(target, csal_targets(text, video), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


def test_extra_texts_get_no_share_of_csal_targets():
    text, video = (F.normalize(x + 0.2, dim=-1) for x in (unit(6, E), unit(4, Q, E, seed=1)))
    scale = torch.tensor(4.0)
    loss = LOSSES.build(dict(type='CSAL', label_smoothing=0.0))
    scores = torch.einsum('bqe,me->bmq', video, text).amax(-1)
    target = csal_targets(text[:4], video)
    v2t = entropy(scale * scores, torch.cat([target, torch.zeros(4, 2)], 1))
    t2v = entropy(scale * scores[:, :4].T, target)
    torch.testing.assert_close(loss(text, video, scale)['loss_csal'], (v2t + t2v) / 2)


def test_candidates_without_gradient():
    text, video = unit(3, E).requires_grad_(), unit(3, Q, E, seed=1).requires_grad_()
    scale = torch.tensor(5.0)
    loss = LOSSES.build(dict(type='VTC', gather_grad=False))(text, video, scale)['loss_vtc']
    v2t = torch.einsum('bqe,me->bmq', video, text.detach()).amax(-1)
    t2v = torch.einsum('bqe,me->mbq', video.detach(), text).amax(-1)
    expected = sum(F.cross_entropy(scale * s, torch.arange(3), label_smoothing=0.1)
                   for s in (v2t, t2v)) / 2
    torch.testing.assert_close(loss, expected)
    for mine, reference in zip(torch.autograd.grad(loss, [text, video]),
                               torch.autograd.grad(expected, [text, video]), strict=True):
        torch.testing.assert_close(mine, reference)


def match(ids, mask, video, video_mask):
    """Any function of the four inputs that tells pairs apart."""
    words = (ids * mask).float().sum(1) * 0.1
    seen = (video * video_mask.unsqueeze(-1)).sum((1, 2))
    return torch.stack([words * seen, seen - words], 1)


def vtm_inputs(b: int = 4, x: int = 0):
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(1, 9, (b + x, 6), generator=generator)
    mask = torch.arange(6) < torch.randint(3, 7, (b + x, 1), generator=generator)
    video = torch.randn(b, 4, C, generator=generator)
    video_mask = torch.arange(4) < torch.randint(2, 5, (b, 1), generator=generator)
    similarity = torch.randn(b, b + x, generator=generator)
    return ids, mask, video, video_mask, similarity


def test_vtm_is_its_formula_with_the_hardest_negatives():
    ids, mask, video, video_mask, v2t = vtm_inputs(4, 2)
    t2v = v2t[:, :4].T
    own = torch.arange(4)
    hard_video = t2v.masked_fill(torch.eye(4).bool(), -torch.inf).argmax(1)
    hard_text = v2t.masked_fill(torch.eye(4, 6).bool(), -torch.inf).argmax(1)
    total = 0
    for t, v, label in ((own, own, 1), (own, hard_video, 0), (hard_text, own, 0)):
        logits = match(ids[t], mask[t], video[v], video_mask[v])
        total = total - logits.log_softmax(1)[:, label].sum()
    loss = LOSSES.build(dict(type='VTM', mining='hardest'))
    found = loss(match, t2v, v2t, ids, mask, video, video_mask)['loss_vtm']
    torch.testing.assert_close(found, total / 12)
    with pytest.raises(ValueError, match='mining must be'):
        LOSSES.build(dict(type='VTM', mining='easy'))


def test_vtm_draws_negatives_by_similarity_and_never_the_truth():
    loss = LOSSES.build(dict(type='VTM'))
    torch.manual_seed(0)
    similarity = torch.tensor([[9.0, 1.0, 0.0]]).repeat(4000, 1)
    first = torch.tensor([[True, False, False]])
    drawn = loss._mine(torch.cat([similarity, torch.zeros(4000, 3997)], 1)[:1].repeat(1, 1), first)
    assert int(drawn) != 0
    rows = torch.stack([loss._mine(similarity[:1], first) for _ in range(2000)]).flatten()
    share = float((rows == 1).float().mean())
    assert share == pytest.approx(np.e / (np.e + 1), abs=0.04) and not (rows == 0).any()


def test_one_pair_alone_has_no_negatives():
    ids, mask, video, video_mask, v2t = vtm_inputs(1)
    found = LOSSES.build(dict(type='VTM'))(match, v2t.T, v2t, ids, mask, video, video_mask)
    expected = -match(ids, mask, video, video_mask).log_softmax(1)[:, 1].mean()
    torch.testing.assert_close(found['loss_vtm'], expected)


@pytest.mark.parametrize('extra', [0, 1])
def test_pairs_of_one_video_alone_have_no_negatives_but_extra_texts(extra):
    ids, mask, video, video_mask, v2t = vtm_inputs(3, extra)
    own, groups = torch.arange(3), torch.tensor([6, 6, 6])
    rows = [(own, own, 1)] + [(torch.full((3,), 3), own, 0)] * extra
    total = sum(-match(ids[t], mask[t], video[v], video_mask[v]).log_softmax(1)[:, label].sum()
                for t, v, label in rows)
    found = LOSSES.build(dict(type='VTM'))(match, v2t[:, :3].T, v2t, ids, mask, video, video_mask,
                                           groups)
    torch.testing.assert_close(found['loss_vtm'], total / (3 * len(rows)))


def test_a_pair_that_is_like_all_others_takes_no_negatives_from_the_rest():
    """Row 0 shares its video with row 1 and its text with row 2, which are strangers."""
    ids, mask, video, video_mask, v2t = vtm_inputs(3)
    groups = torch.tensor([[1, 1], [1, 2], [2, 1]])
    rows = [(0, 0, 1), (1, 1, 1), (2, 2, 1), (1, 2, 0), (2, 1, 0), (2, 1, 0), (1, 2, 0)]
    total = sum(-match(*(x[i:i + 1] for x, i in ((ids, t), (mask, t), (video, v), (video_mask, v)))
                       ).log_softmax(1)[0, label] for t, v, label in rows)
    found = LOSSES.build(dict(type='VTM'))(match, v2t.T, v2t, ids, mask, video, video_mask, groups)
    torch.testing.assert_close(found['loss_vtm'], total / len(rows))


def test_vtg_is_its_formula():
    torch.manual_seed(0)
    logits, ids = torch.randn(2, 4, 7), torch.randint(0, 7, (2, 4))
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]]).bool()
    target = smoothed(torch.eye(7), 0.1)
    losses = [-(target[ids[b, i + 1]] * logits[b, i].log_softmax(0)).sum()
              for b, i in ((0, 0), (0, 1), (0, 2), (1, 0))]
    found = LOSSES.build(dict(type='VTG'))(logits, ids, mask)['loss_vtg']
    torch.testing.assert_close(found, sum(losses) / 4)


SPLIT = (3, 2)
# two videos with a caption on each process, which without this are mined for each other
GROUPS = torch.tensor([1, 2, 3, 3, 2])
# row 1 is like all others, by its video or its text: it has no negative, they have
CHAIN = torch.tensor([[1, 1], [1, 2], [1, 3], [4, 2], [5, 2]])


def all_losses(rows: slice, extra: slice, own: bool):
    """Losses and gradients of the pairs ``rows``; ``own``: similarities to all processes."""
    text, video, further = (F.normalize(x + 0.2, dim=-1) for x in (
        unit(5, E), unit(5, Q, E, seed=1), unit(3, E, seed=2)))
    weight = torch.eye(E, requires_grad=True)
    ids, mask, tokens, token_mask, _ = vtm_inputs(5, 3)
    project = torch.eye(C, requires_grad=True)

    def both(x):
        return F.normalize(x @ weight, dim=-1)

    with torch.no_grad():
        scores = torch.einsum('bqe,me->bmq', both(video), both(torch.cat([text, further])))
        scores = scores.amax(-1)
    pairs = torch.cat([both(text[rows]), both(further[extra])])
    chosen = torch.cat([torch.arange(5)[rows], 5 + torch.arange(3)[extra]])
    videos = both(video[rows])
    scale = torch.tensor(7.0)
    if own:
        cut = int(mask[chosen].any(0).nonzero().max()) + 1  # processes pad to different lengths
    else:
        cut = 6
    losses = {}
    for options in (dict(type='VTC'), dict(type='CSAL', detach_targets=False),
                    dict(type='CSAL', detach_targets=True)):
        for gather_grad in (True, False):
            found = LOSSES.build({**options, 'gather_grad': gather_grad})(pairs, videos, scale)
            losses |= {f'{k}{options.get("detach_targets", "")}{"" if gather_grad else " cut"}': v
                       for k, v in found.items()}
    losses['loss_vtc groups'] = LOSSES.build(dict(type='VTC'))(
        pairs, videos, scale, GROUPS[rows])['loss_vtc']
    for key, gather_grad, groups in (('loss_vtm', True, None), ('loss_vtm cut', False, None),
                                     ('loss_vtm groups', True, GROUPS[rows]),
                                     ('loss_vtm chain', True, CHAIN[rows])):
        losses[key] = LOSSES.build(dict(type='VTM', mining='hardest', gather_grad=gather_grad))(
            match, scores[:, :5].T[rows], scores[rows], ids[chosen][:, :cut],
            mask[chosen][:, :cut], tokens[rows] @ project, token_mask[rows], groups)['loss_vtm']
    words = (tokens[rows].mean(1) @ project)[:, None].expand(-1, 6, -1)[:, :cut]
    text_rows = torch.arange(5)[rows]
    losses |= LOSSES.build(dict(type='VTG'))(words, (ids % C)[text_rows][:, :cut],
                                             mask[text_rows][:, :cut])
    out = {}
    for name, loss in losses.items():
        grads = torch.autograd.grad(loss, [weight, project], retain_graph=True,
                                    allow_unused=True)
        out[name] = [float(loss.detach())] + [None if g is None else g.numpy() for g in grads]
    return out


def vtm_grad_of_own_rows(rank: int) -> np.ndarray:
    """Gradient of one process's VTM with the hardest negatives, other processes' videos fixed."""
    rows = torch.arange(5)[SPLIT[0] * rank:][:SPLIT[rank]]
    text, video, further = (F.normalize(x + 0.2, dim=-1) for x in (
        unit(5, E), unit(5, Q, E, seed=1), unit(3, E, seed=2)))
    scores = torch.einsum('bqe,me->bmq', video, torch.cat([text, further])).amax(-1)
    wrong = scores.masked_fill(torch.eye(5, 8).bool(), -torch.inf)
    hard_text, hard_video = wrong.argmax(1)[rows], wrong[:, :5].argmax(0)[rows]
    ids, mask, tokens, token_mask, _ = vtm_inputs(5, 3)
    project = torch.eye(C, requires_grad=True)
    mine = torch.zeros(5, 1, 1).index_fill(0, rows, 1).bool()
    videos = torch.where(mine, tokens @ project, tokens)
    total = 0
    for t, v, label in ((rows, rows, 1), (rows, hard_video, 0), (hard_text, rows, 0)):
        logits = match(ids[t], mask[t], videos[v], token_mask[v])
        total = total - logits.log_softmax(1)[:, label].sum()
    return torch.autograd.grad(total * 2 / 15, project)[0].numpy()


def _process(rank: int):
    start = SPLIT[0] * rank
    return all_losses(slice(start, start + SPLIT[rank]), slice(2 * rank, 2 + rank), True)


def test_two_processes_are_the_big_batch():
    parts = run_processes(_process, 2)
    whole = all_losses(slice(0, 5), slice(0, 3), False)
    both = {'loss_vtc', 'loss_csalFalse', 'loss_csalTrue', 'loss_vtm'}
    assert set(whole) == {*both, *(f'{k} cut' for k in both), 'loss_vtg', 'loss_vtc groups',
                          'loss_vtm groups', 'loss_vtm chain'}
    for name in ('loss_vtc', 'loss_vtm'):
        assert whole[f'{name} groups'][0] != pytest.approx(whole[name][0], rel=1e-3), name
    # of VTM without gather_grad only the value is the big batch's: its own rows keep a gradient
    cut = [p.pop('loss_vtm cut') for p in parts]
    whole.pop('loss_vtm cut')
    assert np.mean([c[0] for c in cut]) == pytest.approx(whole['loss_vtm'][0], rel=1e-5)
    for rank, (_, _, grad) in enumerate(cut):
        np.testing.assert_allclose(grad, vtm_grad_of_own_rows(rank), rtol=1e-3, atol=1e-5)
    for name, (value, *grads) in whole.items():
        assert np.mean([p[name][0] for p in parts]) == pytest.approx(value, rel=1e-5), name
        for i, grad in enumerate(grads, start=1):
            if grad is not None:
                mean = sum(p[name][i] for p in parts) / 2
                np.testing.assert_allclose(mean, grad, rtol=1e-3, atol=1e-5, err_msg=name)

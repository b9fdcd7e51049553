"""The choices against torch's cross entropy, one sample or one group at a time."""

import pytest
import torch
import torch.nn.functional as F

from finsta.models.alignment.caption_choice import CaptionChoice, NeighbourChoice, owners


def test_equals_cross_entropy_over_each_samples_own_captions():
    torch.manual_seed(0)
    negatives = [['a', 'b'], [], ['c', 'd', 'e']]
    owner = owners(negatives)
    assert owner.tolist() == [0, 1, 2, 0, 0, 2, 2, 2]
    score = torch.randn(8, requires_grad=True)
    out = CaptionChoice()({'itc': score}, owner, 3)
    rows = [score[owner == i] for i in (0, 2)]  # the caption stands first in each
    expected = sum(F.cross_entropy(row[None], torch.zeros(1, dtype=torch.long))
                   for row in rows) / 2
    assert torch.allclose(out['loss_choice_itc'], expected)
    accuracy = sum(float(row[0] == row.max()) for row in rows) / 2
    assert float(out['choice_itc_acc']) == accuracy
    gradient, = torch.autograd.grad(out['loss_choice_itc'], score)
    reference, = torch.autograd.grad(expected, score)
    assert torch.allclose(gradient, reference, atol=1e-6)
    assert gradient[1] == 0  # a caption without false versions


def test_large_scores_stay_finite():
    score = torch.tensor([1e4, -1e4, 3e4], requires_grad=True)
    loss = CaptionChoice()({'itm': score}, torch.tensor([0, 1, 0]), 2)['loss_choice_itm']
    loss.backward()
    assert loss == 2e4 and torch.isfinite(score.grad).all()


def test_without_false_captions_the_loss_is_zero_and_attached():
    score = torch.randn(2, requires_grad=True)
    loss = CaptionChoice()({'itc': score}, torch.tensor([0, 1]), 2)['loss_choice_itc']
    assert loss == 0
    loss.backward()
    assert torch.equal(score.grad, torch.zeros(2))


def test_weights():
    scores = {'itc': torch.randn(2), 'itm': torch.randn(2)}
    out = CaptionChoice({'itm': 0.0, 'itc': 2.0})(scores, torch.tensor([0, 0]), 1)
    assert set(out) == {'loss_choice_itc', 'choice_itc_acc'}
    once = CaptionChoice()(scores, torch.tensor([0, 0]), 1)['loss_choice_itc']
    assert torch.allclose(out['loss_choice_itc'], 2 * once)
    with pytest.raises(ValueError, match='itx'):
        CaptionChoice({'itx': 1.0})


def test_neighbours_equal_the_contrast_within_each_group():
    torch.manual_seed(0)
    choice = NeighbourChoice(group_size=3)
    caption, video = choice.pairs([f'text {i}' for i in range(6)])
    table = torch.randn(6, 6)
    out = choice({'itm': table[caption, video]}, caption, video, 6)
    rows = torch.arange(3)
    blocks = [table[k:k + 3, k:k + 3] for k in (0, 3)]
    expected = sum(F.cross_entropy(b, rows) + F.cross_entropy(b.T, rows) for b in blocks) / 4
    assert torch.allclose(out['loss_neighbours_itm'], expected)
    right = sum((b.argmax(d) == rows).float().mean() for b in blocks for d in (0, 1)) / 4
    assert torch.isclose(out['neighbours_itm_acc'], right)


def test_equal_captions_do_not_compete():
    choice = NeighbourChoice()
    caption, video = choice.pairs(['A dog runs', 'a  dog runs', 'it stops', 'it goes'])
    assert list(zip(caption.tolist(), video.tolist(), strict=True)) == [
        (0, 0), (1, 1), (2, 2), (3, 3), (2, 3), (3, 2)]
    with pytest.raises(ValueError, match=r'batch of 3 .*batch_size'):
        choice.pairs(['a', 'b', 'c'])
    with pytest.raises(ValueError, match='needs two'):
        NeighbourChoice(group_size=1)


def test_neighbours_of_one_video_do_not_compete():
    choice = NeighbourChoice(group_size=2)
    texts = [f'text {i}' for i in range(4)]
    caption, video = choice.pairs(texts, groups=torch.tensor([7, 7, 8, 9]))
    assert sorted(zip(caption.tolist(), video.tolist(), strict=True)) == [
        (0, 0), (1, 1), (2, 2), (2, 3), (3, 2), (3, 3)]
    both = choice.pairs(texts, groups=torch.tensor([[7, 1], [7, 2], [8, 3], [9, 4]]))
    assert torch.equal(both[0], caption) and torch.equal(both[1], video)
    assert torch.equal(choice.pairs(texts, groups=torch.arange(4))[0], choice.pairs(texts)[0])

"""Scores of minimal pairs against plain loops, chance, and ties."""

import pytest
import torch

from finsta.evaluation.functional import pair_scores


def brute_force(table):
    """Winoground's definition, s(c, v) = table[v][c], as counts."""
    text = video = group = single = match = 0
    for (a, b), (c, d) in table:  # a = v0 c0, b = v0 c1, c = v1 c0, d = v1 c1
        text_right, video_right = a > b and d > c, a > c and d > b
        text, video = text + text_right, video + video_right
        match = match + (a + d - b - c > 1e-9)
        group, single = group + (text_right and video_right), single + ((a > b) + (d > c)) / 2
    n = len(table)
    return {k: pytest.approx(100 * v / n) for k, v in
            dict(text=text, video=video, group=group, single=single, match=match).items()}


def test_against_brute_force_by_factor():
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(60, 2, 2, generator=generator).mul(8).round() / 8  # with ties
    factors = ['order' if i % 3 else 'adverb' for i in range(60)]
    out = pair_scores(scores, factors)
    assert {k: out[k] for k in ('text', 'video', 'group', 'single', 'match')} == brute_force(
        scores.tolist())
    for factor in ('order', 'adverb'):
        rows = [scores[i].tolist() for i in range(60) if factors[i] == factor]
        expected = brute_force(rows)
        assert {k: out[f'{factor}_{k}'] for k in expected} == expected
    assert out['mean_group'] == pytest.approx((out['order_group'] + out['adverb_group']) / 2)


def test_chance_of_independent_scores():
    out = pair_scores(torch.rand(40_000, 2, 2, generator=torch.Generator().manual_seed(0)))
    assert out['text'] == pytest.approx(25, abs=1) and out['video'] == pytest.approx(25, abs=1)
    assert out['group'] == pytest.approx(100 / 6, abs=1) and out['single'] == pytest.approx(50,
                                                                                         abs=1)


def test_a_liking_for_one_caption_hides_all_but_the_match():
    """Caption 0 is liked by 10 everywhere; the right assignment is still the better one."""
    out = pair_scores(torch.tensor([[[11., 0.], [10., 1.]]]))
    assert out['text'] == out['group'] == 0 and out['single'] == 50 and out['match'] == 100


def test_a_tie_is_wrong():
    """A model that cannot tell the videos, or the captions, apart scores nothing."""
    out = pair_scores(torch.tensor([[[.7, .3], [.7, .3]], [[.5, .5], [.2, .2]]]))
    assert out['group'] == out['video'] == out['text'] == 0
    assert pair_scores(torch.full((1, 2, 2), 0.5))['match'] == 0


@pytest.mark.parametrize('scores,factors', [
    (torch.zeros(0, 2, 2), None), (torch.zeros(3, 2), None), (torch.zeros(2, 2, 2), ['a']),
    (torch.full((1, 2, 2), float('nan')), None)])
def test_bad_input_raises(scores, factors):
    with pytest.raises(ValueError):
        pair_scores(scores, factors)

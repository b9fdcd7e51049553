"""Boxes to patches and spans to tokens."""

import pytest
import torch

from finsta.models.grounding import box_features, box_weights, cell_of_frames, span_features


def test_weights_are_area_shares():
    weights = box_weights(torch.tensor([[0.5, 0.5, 0.5, 0.5]]), 2, 2)
    torch.testing.assert_close(weights, torch.full((1, 4), 0.25))
    weights = box_weights(torch.tensor([[0.5, 0.25, 1.0, 0.25]]), 4, 2)
    expected = torch.zeros(1, 8)
    expected[0, 0:4] = 0.25
    torch.testing.assert_close(weights, expected)


@pytest.mark.parametrize('box', [(0.9, 0.1, 0.0, 0.0), (5.0, -3.0, 0.1, 0.1)])
def test_empty_or_outside_boxes_take_the_nearest_cell(box):
    weights = box_weights(torch.tensor([box]), 3, 3)
    assert weights[0, 2] == 1 and weights.sum() == 1


def test_crop_moves_the_box():
    crop = torch.tensor([[0.5, 0.0, 1.0, 1.0]])
    weights = box_weights(torch.tensor([[0.75, 0.5, 0.5, 1.0]]), 1, 2, crop)
    torch.testing.assert_close(weights, torch.full((1, 2), 0.5))
    weights = box_weights(torch.tensor([[0.6, 0.5, 0.1, 1.0]]), 1, 2, crop)
    torch.testing.assert_close(weights, torch.tensor([[1.0, 0.0]]))


def test_box_features_pick_sample_and_time():
    video = torch.zeros(2, 3, 4, 1)
    video[1, 2, 3] = 7.0
    found = box_features(video, torch.tensor([[0.75, 0.75, 0.1, 0.1]]), torch.tensor([1]),
                         torch.tensor([2]), 2, 2)
    assert found.item() == 7.0


def test_cell_of_frames():
    assert cell_of_frames(((0, 1), (2, 3)), torch.device('cpu')).tolist() == [0, 0, 1, 1]
    assert cell_of_frames(((0,), (2,)), torch.device('cpu')).tolist() == [0, -1, 1]


def test_span_features_average_overlapping_tokens():
    text = torch.arange(4.0).reshape(1, 4, 1)
    offsets = torch.tensor([[[0, 0], [0, 3], [4, 7], [7, 9]]])
    mask = torch.ones(1, 4, dtype=torch.bool)
    spans = torch.tensor([[4, 9], [0, 3], [-1, -1], [20, 25]])
    features, found = span_features(text, offsets, mask, spans, torch.zeros(4, dtype=torch.long))
    assert features[0].item() == 2.5 and features[1].item() == 1.0
    assert found.tolist() == [True, True, False, False]
    assert torch.isfinite(features).all()

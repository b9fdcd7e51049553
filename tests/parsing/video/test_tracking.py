"""IoUHungarianTracker on boxes whose identity is known."""

import numpy as np
import pytest

from finsta.parsing.video.builder import box_iou
from finsta.parsing.video.tracking import Detections
from finsta.registry import TRACKERS


def tracker(**kwargs):
    return TRACKERS.build(dict(type='IoUHungarianTracker', **kwargs))


def square(x, y=0.0, size=10.0):
    return [x, y, x + size, y + size]


def test_iou_against_counted_pixels():
    rng = np.random.default_rng(0)
    for _ in range(20):
        a, b = (np.sort(rng.integers(0, 12, (2, 2)), 0).reshape(-1) for _ in range(2))
        grid = np.zeros((2, 12, 12), bool)
        for mask, (x1, y1, x2, y2) in zip(grid, (a, b), strict=True):
            mask[y1:y2, x1:x2] = True
        union = (grid[0] | grid[1]).sum()
        expected = (grid[0] & grid[1]).sum() / union if union else 0
        assert box_iou(a, b)[0, 0] == pytest.approx(expected)


def test_crossing_objects_keep_identity_by_motion_and_order_of_detections_does_not_matter():
    rng = np.random.default_rng(1)
    frames, truth = [], []
    for t in range(20):
        boxes = np.array([square(5 * t), square(95 - 5 * t, 3)])
        order = rng.permutation(2)
        frames.append(Detections(boxes[order]))
        truth.append(order)
    tracks = tracker().track(frames)
    assert len(tracks) == 2
    for track in tracks:
        assert len(track) == 20 and len({truth[t][j] for t, j in track}) == 1


def test_appearance_decides_when_boxes_swap():
    red, blue = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    frames = [Detections(np.array([square(0), square(12)]), np.stack([red, blue])),
              Detections(np.array([square(0), square(12)]), np.stack([blue, red]))]
    tracks = tracker(appearance_weight=4.0, max_cost=4.0).track(frames)
    assert sorted(tracks) == [[(0, 0), (1, 1)], [(0, 1), (1, 0)]]


def test_gap_is_bridged_up_to_the_tolerance_only():
    frames = [Detections(np.array([square(4.0 * t)]) if t not in (5, 6, 7)
                         else np.zeros((0, 4))) for t in range(12)]
    assert [len(k) for k in tracker(max_gap=3).track(frames)] == [9]
    assert [len(k) for k in tracker(max_gap=2).track(frames)] == [5, 4]


def test_labels_are_never_mixed_single_frames_and_nothing_at_all():
    frames = [Detections(np.array([square(0)]), labels=[name]) for name in 'aabb']
    assert [len(k) for k in tracker().track(frames)] == [2, 2]
    assert tracker().track([Detections(np.array([square(0)]))]) == [[(0, 0)]]
    assert tracker().track([]) == []
    blip = [Detections(np.zeros((0, 4)))] * 3 + [Detections(np.array([square(0)]))]
    assert tracker(min_hits=2).track(blip) == []

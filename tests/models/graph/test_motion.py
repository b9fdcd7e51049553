"""Gaussian differences: still scenes, camera pans, movers, inheritance."""

import math

import pytest
import torch

from finsta.models.graph import GraphContext
from finsta.models.graph.motion import box_motion, feature_motion
from finsta.structures import (
    DynamicSceneGraph,
    GraphBatch,
    HolisticBatch,
    HolisticSceneGraph,
    Node,
    SceneGraph,
)

SIGMA = 0.2


def video(*frames):
    """Frames given as lists of object centres; the same object keeps its place in the list."""
    graphs = [SceneGraph(tuple(Node('object', f'o{i}', box=(x, y, .1, .1), entity=i)
                               for i, (x, y) in enumerate(frame))) for frame in frames]
    return DynamicSceneGraph(tuple(graphs), tuple(range(len(graphs))))


def motion(*videos):
    batch = GraphBatch.from_video(list(videos))
    context = GraphContext(batch)
    return batch, context, box_motion(context, SIGMA)


SCENE = [(.1, .2), (.35, .61), (.77, .4), (.5, .9)]


def test_still_scene_is_exactly_zero():
    _, _, found = motion(video(SCENE, SCENE, SCENE))
    assert (found.m == 0).all() and (found.d == 0).all()


def test_camera_pan_is_nearly_zero():
    panned = [(x + .13, y - .07) for x, y in SCENE]
    _, _, found = motion(video(SCENE, panned))
    assert found.m.max() < 1e-6


@pytest.mark.parametrize('mover', range(4))
def test_one_mover_has_the_largest_m(mover):
    moved = list(SCENE)
    moved[mover] = (SCENE[mover][0] + .15, SCENE[mover][1] + .02)
    batch, _, found = motion(video(SCENE, moved))
    assert found.m[batch.frame_ids == 1].argmax() == mover
    assert (found.m[batch.frame_ids == 0] == 0).all()


def test_values_by_hand():
    moved = [SCENE[0], (.45, .61), *SCENE[2:]]
    batch, _, found = motion(video(SCENE, moved))

    def kernel(a, b):
        return math.exp(-((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2) / (2 * SIGMA ** 2))

    expected = [sum(abs(kernel(moved[i], moved[j]) - kernel(SCENE[i], SCENE[j]))
                    for j in range(4) if j != i) / 3 for i in range(4)]
    torch.testing.assert_close(found.m[batch.frame_ids == 1], torch.tensor(expected))


def test_new_objects_and_lost_ones_have_no_difference():
    batch, _, found = motion(video(SCENE[:2], SCENE))
    now = found.m[batch.frame_ids == 1]
    assert (now == 0).all()


def test_samples_do_not_disturb_each_other():
    moved = [(.3, .2), *SCENE[1:]]
    _, _, alone = motion(video(SCENE, moved))
    batch, _, both = motion(video(SCENE[:1], SCENE[:1], SCENE[:1]), video(SCENE, moved))
    torch.testing.assert_close(both.m[batch.sample_ids == 1], alone.m)
    assert (both.m[batch.sample_ids == 0] == 0).all()


def scene(x):
    nodes = (Node('object', 'man', box=(x, .5, .1, .1), entity=0),
             Node('object', 'tree', box=(.8, .5, .1, .1), entity=1),
             Node('attribute', 'tall'), Node('predicate', 'approach', entity=0),
             Node('predicate_attribute', 'slowly'), Node('attribute', 'old'))
    return SceneGraph(nodes, ((0, 3, 'subject'), (3, 1, 'object'), (0, 2, 'attribute'),
                              (3, 4, 'predicate_attribute'), (1, 5, 'attribute')))


def test_other_nodes_inherit_from_what_they_hang_on():
    dsg = DynamicSceneGraph((scene(.2), scene(.4)), (0, 1))
    batch, context, found = motion(dsg)
    man, tree, tall, approach, slowly, old = found.m[batch.frame_ids == 1].tolist()
    assert man > 0 and tall == man and old == tree
    assert approach == pytest.approx((man + tree) / 2) and slowly == approach
    offset = batch.frame_ptr[1]
    d = {(int(s) - offset, int(t) - offset): float(v) for s, t, v in
         zip(context.topology.src, context.topology.dst, found.d, strict=True) if s >= offset}
    # subject -> predicate carries how the man moved relative to the tree, and so does tree -> it
    assert d[0, 3] == pytest.approx(d[1, 3]) and d[0, 3] > 0
    assert d[2, 0] == d[0, 2] == 0 and d[0, 0] == 0


def test_text_nodes_inherit_through_coreference():
    tsg = SceneGraph((Node('object', 'man'), Node('attribute', 'tall'), Node('predicate', 'walk'),
                      Node('object', 'cloud')),
                     ((0, 1, 'attribute'), (0, 2, 'subject')))
    dsg = DynamicSceneGraph((scene(.2), scene(.4)), (0, 1))
    hsg = HolisticBatch.from_graphs([HolisticSceneGraph(tsg, dsg, ((0, 0, 0), (0, 1, 0)))]).hsg
    found = box_motion(GraphContext(hsg), SIGMA)
    now = found.m[hsg.frame_ids == 1].tolist()
    assert now[0] == now[1] == now[2] == now[4] > 0
    assert now[3] == 0


def test_batches_without_boxes():
    tsg = GraphBatch.from_text([SceneGraph((Node('object', 'man'),)), SceneGraph()])
    found = box_motion(GraphContext(tsg), SIGMA)
    assert found.m.tolist() == [0.] and found.d.tolist() == [0.]


def test_feature_space_sees_change_along_edges_only():
    batch = GraphBatch.from_video([DynamicSceneGraph((scene(.2), scene(.2)), (0, 1))])
    context = GraphContext(batch)
    h = torch.randn(6, 8).repeat(2, 1).requires_grad_()
    known = batch.predecessor >= 0
    before = torch.where(known[:, None], h[batch.predecessor.clamp(min=0)], h)
    still = feature_motion(context, h, before, known, 1.0)
    assert (still.m == 0).all()
    changed = h + torch.zeros_like(h).index_fill(0, torch.tensor([6]), 1.)
    found = feature_motion(context, changed, before, known, 1.0)
    assert found.m[6] > 0 and found.m[9] > 0 and found.m[11] == 0
    assert torch.autograd.grad(found.m.sum(), h)[0].isfinite().all()

"""Batches: padding, packing, and what may not be mixed."""

import numpy as np
import pytest
import torch

from finsta.datasets import video_text_collate
from finsta.registry import FUNCTIONS
from finsta.structures import (
    DynamicSceneGraph,
    HolisticSceneGraph,
    Node,
    SceneGraph,
    VideoTextSample,
)


def row(num_frames=3, size=(4, 6), graphs=0, **extra):
    frames = np.random.RandomState(num_frames).randint(0, 255, (num_frames, *size, 3), np.uint8)
    hsg = None
    if graphs:
        tsg = SceneGraph((Node('object', 'cat', span=(2, 5)),), (), 'a cat')
        frame = SceneGraph((Node('object', 'cat', box=(.5, .5, .1, .1), entity=0),))
        hsg = HolisticSceneGraph(tsg, DynamicSceneGraph((frame,) * graphs, tuple(range(graphs))))
        extra['graph_frames'] = np.arange(graphs)
    return dict(sample=VideoTextSample('v', 'p', 'a cat', sample_id=f's{num_frames}', hsg=hsg),
                frames=frames, frame_mask=np.ones(num_frames, bool),
                crop=np.array([0, .1, .9, 1.]), **extra)


def test_pads_frames_with_a_mask():
    rows = [row(3), row(5)]
    out = video_text_collate(rows)
    frames, mask = out['inputs']['frames'], out['inputs']['frame_mask']
    assert frames.shape == (2, 5, 3, 4, 6) and frames.dtype == torch.uint8
    assert frames.is_contiguous() and mask.dtype == torch.bool
    assert mask.tolist() == [[True] * 3 + [False] * 2, [True] * 5]
    for b, item in enumerate(rows):
        n = len(item['frames'])
        assert np.array_equal(frames[b, :n].permute(0, 2, 3, 1).numpy(), item['frames'])
        assert not frames[b, n:].any()
    assert torch.allclose(out['inputs']['crop'], torch.tensor([[0, .1, .9, 1.]] * 2))
    assert out['inputs']['texts'] == ['a cat', 'a cat']
    assert out['inputs']['graphs'] is out['inputs']['graph_frames'] is None
    assert out['inputs']['negative_texts'] is None
    assert [s.sample_id for s in out['data_samples']] == ['s3', 's5']


def test_packs_graphs_and_negatives():
    rows = [row(3, graphs=2, negative_texts=['a dog']), row(3, graphs=3, negative_texts=[])]
    out = video_text_collate(rows)
    graphs = out['inputs']['graphs']
    assert graphs.dsg.num_nodes == 5 and graphs.tsg.num_nodes == 2
    assert out['inputs']['graph_frames'].tolist() == [[0, 1, -1], [0, 1, 2]]
    assert out['inputs']['negative_texts'] == [['a dog'], []]
    assert all(s.hsg is None for s in out['data_samples'])
    kept = video_text_collate(rows, keep_graphs=True)['data_samples']
    assert kept[0].hsg is rows[0]['sample'].hsg and rows[0]['sample'].hsg is not None


def test_what_cannot_be_mixed():
    with pytest.raises(ValueError, match='different sizes'):
        video_text_collate([row(), row(size=(5, 6))])
    with pytest.raises(ValueError, match='1 of 2 samples have no graphs'):
        video_text_collate([row(graphs=2), row()])


def test_is_found_by_name():
    assert FUNCTIONS.get('video_text_collate') is video_text_collate

"""Key frames meet input frames; missing graphs are empty, counted, or an error."""

import numpy as np
import pytest

from finsta.datasets.transforms.graphs import LoadGraphs, align_key_frames
from finsta.datasets.transforms.text import ChooseCaption
from finsta.registry import GRAPH_STORES, MATCHERS
from finsta.structures import (
    CrossEdge,
    DynamicSceneGraph,
    Edge,
    HolisticSceneGraph,
    Node,
    SceneGraph,
    VideoTextSample,
)

TEXT = SceneGraph((Node('object', 'man', span=(2, 5)),), (), 'a man walks')


def video_graph(num=11):
    """A man in every key frame, walking from frame 5 on; a key frame every 0.2 s."""
    frames = []
    for t in range(num):
        man = Node('object', 'man', box=(.5, .5, .2, .2), entity=1)
        walk = Node('predicate', 'walk', entity=2)
        frames.append(SceneGraph((man, walk), (Edge(0, 1, 'subject'),)) if t >= 5
                      else SceneGraph((man,)))
    return DynamicSceneGraph(tuple(frames), tuple(.2 * t for t in range(num)))


class MemoryStore:
    """Graphs of one video in memory."""

    def get_text(self, text, video_id=None):
        return TEXT if text == TEXT.text else None

    def get_video(self, video_id):
        return video_graph() if video_id == 'v' else None


class FirstToFirst:
    """Joins node 0 of the text with node 0 of every frame."""

    def match(self, tsg, dsg, video_id=None):
        cross = [CrossEdge(0, t, 0, 1.) for t, g in enumerate(dsg.frames) if g.nodes and tsg.nodes]
        return HolisticSceneGraph(tsg, dsg, tuple(cross))


@pytest.fixture(autouse=True)
def registered():
    GRAPH_STORES.register_module('_MemoryStore', force=True, module=MemoryStore)
    MATCHERS.register_module('_FirstToFirst', force=True, module=FirstToFirst)
    yield
    del GRAPH_STORES._module_dict['_MemoryStore'], MATCHERS._module_dict['_FirstToFirst']


def load(text='a man walks', video='v', times=(0., .5, 1.0, 1.5, 2.0), mask=None, **kwargs):
    transform = LoadGraphs(dict(type='_MemoryStore'),
                           kwargs.pop('matcher', dict(type='_FirstToFirst')), **kwargs)
    results = {'sample': VideoTextSample(video, 'x.mp4', text),
               'frame_times': np.array(times),
               'frame_mask': np.ones(len(times), bool) if mask is None else np.array(mask)}
    return transform(results), transform


def brute_force(frame_times, graph_times):
    keys = sorted({min(range(len(graph_times)), key=lambda k: (abs(graph_times[k] - t), k))
                   for t in frame_times})
    return keys, [min(range(len(frame_times)),
                      key=lambda f: (abs(frame_times[f] - graph_times[k]), f)) for k in keys]


def test_alignment_against_brute_force():
    rng = np.random.RandomState(0)
    for _ in range(50):
        frames, graphs = np.sort(rng.rand(rng.randint(1, 9))), np.sort(rng.rand(rng.randint(1, 9)))
        keys, of = align_key_frames(frames, graphs)
        assert (keys, of) == brute_force(frames.tolist(), graphs.tolist())
        assert keys == sorted(set(keys)) and of == sorted(of)


def test_graphs_follow_the_input_frames():
    results, _ = load()
    sample = results['sample']
    assert sample.tsg is TEXT
    assert np.allclose(sample.dsg.times, [0., .4, 1., 1.4, 2.], atol=.21)
    assert results['graph_frames'].tolist() == [0, 1, 2, 3, 4]
    assert [len(g.nodes) for g in sample.dsg.frames] == [1, 1, 2, 2, 2]
    assert all(row[0] == 0 for row in sample.dsg.predecessors[1:])  # coreference over the gaps
    assert len(sample.hsg.cross) == 5 and sample.hsg.dsg is sample.dsg


def test_more_frames_than_key_frames_use_each_once():
    results, _ = load(times=np.linspace(0, 2, 41))
    assert len(results['sample'].dsg.frames) == 11
    assert len(set(results['graph_frames'].tolist())) == 11


def test_bounds_and_padding():
    results, _ = load(num_key_frames=2)
    assert len(results['sample'].dsg.frames) == 2 and results['graph_frames'].shape == (2,)
    results, _ = load(times=[0., 1., 1., 1.], mask=[True, True, False, False])
    assert results['graph_frames'].tolist() == [0, 1]


def test_missing_graphs_are_empty_and_counted_or_raise():
    results, transform = load(text='something else', video='w')
    sample = results['sample']
    assert not sample.tsg.nodes and sample.tsg.text == 'something else'
    assert len(sample.dsg.frames) == 1 and not sample.dsg.frames[0].nodes and not sample.hsg.cross
    assert transform.tally.summary() == {'missing_text': 1, 'missing_video': 1}
    with pytest.raises(KeyError, match='something else'):
        load(text='something else', missing='raise')
    assert not load(matcher=None)[0]['sample'].hsg.cross


def test_choose_caption_random_in_training_first_in_test():
    def choose(test_mode, captions=('a', 'b', 'c')):
        sample = VideoTextSample('v', 'x', 'old', captions)
        return ChooseCaption()({'sample': sample, 'test_mode': test_mode})['sample'].text
    assert {choose(False) for _ in range(60)} == {'a', 'b', 'c'}
    assert choose(True) == 'a' and choose(False, ()) == 'old'

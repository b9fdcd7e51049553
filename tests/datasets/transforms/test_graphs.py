"""Key frames meet input frames; missing graphs are empty, counted, or an error."""

import numpy as np
import pytest

from finsta.datasets.transforms.graphs import LoadGraphs, MissingGraphsError, align_key_frames
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


class Stranger:
    """Joins nothing but the captions that end in a word."""

    ending = 'never'

    def match(self, tsg, dsg, video_id=None):
        if tsg.text.endswith(self.ending):
            return FirstToFirst().match(tsg, dsg)
        return HolisticSceneGraph(tsg, dsg)


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


class CountedStore(MemoryStore):
    """Keys can be asked for; no graph may be decoded to count them."""

    root, texts, videos = 'some/graphs', {('v', 'a man walks')}, {'v'}

    def has_text(self, text, video_id=None):
        return (video_id, text) in self.texts

    def has_video(self, video_id):
        return video_id in self.videos

    def get_text(self, text, video_id=None):
        raise AssertionError('decoded')

    get_video = get_text


class Rows(list):
    """Rows of a data set, as (video, its captions)."""

    data_root, data_prefix, recursive = 'd', {'video': 'd/clips'}, False

    def get_sample(self, i):
        video, *captions = self[i]
        return VideoTextSample(video, 'x.mp4', captions[0], tuple(captions[1:] and captions))


@pytest.fixture
def counted(monkeypatch):
    def build(rows, texts=CountedStore.texts, videos=CountedStore.videos, **kwargs):
        monkeypatch.setattr(CountedStore, 'texts', set(texts))
        monkeypatch.setattr(CountedStore, 'videos', set(videos))
        transform = LoadGraphs(dict(type=CountedStore), **kwargs)
        return transform.before_training(Rows(rows), 'work_dirs/x/x.py')
    said = []
    monkeypatch.setattr('finsta.datasets.transforms.graphs.print_log',
                        lambda text, logger, level: said.append((level, text)))
    return build, said


def test_graphs_are_counted_before_training(counted):
    count, said = counted
    # one row a video, with one caption twice; one row a caption; another video's caption
    count([('v', 'a man walks', 'a man sits', 'a man walks'), ('w', 'a man walks')])
    count([('v', 'a man walks'), ('v', 'a man walks')])
    assert said == [(30, 'graphs of 1 of 2 videos, of 1 of 3 captions in some/graphs; '
                         'empty graphs stand for the others'),
                    (20, 'graphs of 1 of 1 videos, of 1 of 1 captions in some/graphs')]


def test_a_store_without_any_of_the_graphs_stops_the_training(counted):
    count, said = counted
    rows = [('v', 'a man walks'), ('w', 'a dog')]
    videos = r'parse_video\.py --videos d/clips --out some/graphs'
    texts = (r'parse_text\.py --dataset-config work_dirs/x/x\.py --splits train '
             r'--out some/graphs')
    with pytest.raises(MissingGraphsError,
                       match=rf'of 0 of 2 videos, of 1 of 2 captions in some/graphs: .*'
                             rf'LoadGraphs\.store.*: python tools/scene_graphs/{videos}$'):
        count(rows, videos=())
    with pytest.raises(MissingGraphsError, match=rf': python tools/scene_graphs/{texts}$'):
        count(rows, texts=())
    with pytest.raises(MissingGraphsError, match=rf'{texts}; python .*{videos}$'):
        count(rows, (), ())
    with pytest.raises(MissingGraphsError, match=r'parse_video\.py --gold d --out some/graphs$'):
        count(rows, videos=(), matcher=dict(type='GoldMatcher'))
    assert not said
    count(rows, videos=(), needed=('text',))
    assert said[0][1].startswith('graphs of 0 of 2 videos, of 1 of 2 captions')
    with pytest.raises(ValueError, match='texts'):
        count(rows, needed=('texts',))


def test_a_matcher_that_joins_nothing_is_told_before_training(monkeypatch):
    """As on real clips, whose moving regions have no names: the losses on pairs would be 0."""
    class Store(MemoryStore):
        root = 'some/graphs'

        def has_text(self, text, video_id=None):
            return True
        has_video = has_text

    said = []
    monkeypatch.setattr('finsta.datasets.transforms.graphs.print_log',
                        lambda text, logger, level: said.append(text))
    for matcher, joined in ((FirstToFirst, True), (Stranger, False)):
        said.clear()
        LoadGraphs(dict(type=Store), dict(type=matcher)).before_training(
            Rows([('v', TEXT.text), ('w', TEXT.text)]))
        assert len(said) == 2 - joined
    assert said[0].startswith('Stranger joined none of 1 captions of 1 videos with their '
                              'video: OSC')
    assert 'are called man; ' in said[0] and 'DetectorVideoParser' in said[0]


@pytest.mark.parametrize('joined', [0, 1, 3, 4, 40])
@pytest.mark.parametrize('a_row_each', [False, True])
def test_the_share_of_captions_joined_decides_over_the_warning(monkeypatch, joined, a_row_each):
    """One join among many is no comfort, and the first caption is not the only one."""
    class Store(MemoryStore):
        root = 'some/graphs'

        def has_text(self, text, video_id=None):
            return True
        has_video = has_text

        def get_text(self, text, video_id=None):
            return None if 'unknown' in text else SceneGraph(TEXT.nodes, (), text)

    said = []
    monkeypatch.setattr('finsta.datasets.transforms.graphs.print_log',
                        lambda text, logger, level: said.append(text))
    monkeypatch.setattr('finsta.datasets.transforms.graphs._LOOKED_AT', 100)
    monkeypatch.setattr(Stranger, 'ending', 'meets')
    captions = [f'{k} {"meets" if k >= 80 - joined else "passes"}' for k in range(80)]
    rows = ([('v', text) for text in captions] if a_row_each else
            [('v', *captions[:40]), ('v', *captions[40:], 'unknown')])
    LoadGraphs(dict(type=Store), dict(type=Stranger)).before_training(Rows(rows))
    told = [text for text in said if text.startswith('Stranger joined')]
    if joined >= 4:
        assert not told
    else:
        few = f'only {joined} of 80 captions ({joined / .8:.1f}%)' if joined else 'none of 80'
        assert len(told) == 1 and few in told[0] and 'are called man; ' in told[0]


def test_a_store_that_cannot_be_asked_is_not(counted):
    _, said = counted
    LoadGraphs(dict(type='_MemoryStore')).before_training(Rows([('w', 'a dog')]))
    assert not said


def test_choose_caption_random_in_training_first_in_test():
    def choose(test_mode, captions=('a', 'b', 'c')):
        sample = VideoTextSample('v', 'x', 'old', captions)
        return ChooseCaption()({'sample': sample, 'test_mode': test_mode})['sample'].text
    assert {choose(False) for _ in range(60)} == {'a', 'b', 'c'}
    assert choose(True) == 'a' and choose(False, ()) == 'old'

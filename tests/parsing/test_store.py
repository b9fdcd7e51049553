"""Graph store: what is written is read back; kills, damage and bad rows get their answer."""

import json
import multiprocessing
import os
import pickle
import signal

import pytest

pytest.importorskip('pyarrow')

from finsta.parsing.makers import maker_of
from finsta.parsing.store import STORE_VERSION, DamagedShard, GraphStore
from finsta.parsing.store.shards import TABLES, write_shard
from finsta.registry import GRAPH_STORES
from finsta.structures import DynamicSceneGraph, GraphError, Node, SceneGraph


def text_graph(text: str, label: str = 'circle') -> SceneGraph:
    return SceneGraph((Node('object', label, span=(0, min(3, len(text)))),
                       Node('attribute', 'red'), Node('predicate', 'move')),
                      ((0, 1, 'attribute'), (0, 2, 'subject')), text, 'TestParser/1')


def video_graph(video: str, frames: int = 3) -> DynamicSceneGraph:
    graphs = tuple(SceneGraph((Node('object', 'circle', box=(0.125 * (t + 1), 0.5, 0.2, 0.2),
                                    entity=0),)) for t in range(frames))
    return DynamicSceneGraph(graphs, tuple(t / 2 for t in range(frames)), video=video,
                             size=(96, 64), parser='TestParser/1')


def filled(root, texts=10, videos=3) -> GraphStore:
    with GraphStore(root, readonly=False) as store:
        for i in range(texts):
            store.put_text(f'caption {i}', text_graph(f'caption {i}'))
        for i in range(videos):
            store.put_video(f'vid{i}', video_graph(f'vid{i}', i + 1))
    return GraphStore(root)


def test_round_trip(tmp_path):
    store = filled(tmp_path / 's')
    assert store.get_text('caption 7') == text_graph('caption 7')
    assert store.get_video('vid2') == video_graph('vid2', 3)
    assert store.get_video('vid9') is None and store.get_text('caption') is None
    assert store.has_video('vid0') and not store.has_video('vid9')
    assert (store.num_texts, store.num_videos) == (10, 3)
    assert store.verify() == {}


def test_built_from_config(tmp_path):
    filled(tmp_path)
    assert GRAPH_STORES.build(dict(type='GraphStore', root=str(tmp_path))).has_text('caption 1')


def test_graph_of_the_video_comes_before_the_text_alone(tmp_path):
    with GraphStore(tmp_path, readonly=False) as store:
        store.put_text('x y z', text_graph('x y z', 'any'))
        store.put_text('x y z', text_graph('x y z', 'mine'), video_id='v1')
    for look in (store, GraphStore(tmp_path)):
        assert look.get_text('x y z', 'v1').nodes[0].label == 'mine'
        assert look.get_text('x y z', 'v2').nodes[0].label == 'any'
        assert look.get_text('x y z').nodes[0].label == 'any'
        assert list(look.text_keys()) == [(None, 'x y z'), ('v1', 'x y z')]


@pytest.mark.parametrize('text', ['', '😀 émoji', 'word ' * 10_000, 'lone \udc80 surrogate',
                                  'new\nline\x00null'])
def test_odd_texts_are_keys(tmp_path, text):
    with GraphStore(tmp_path, readonly=False) as store:
        store.put_text(text, text_graph(text))
    assert GraphStore(tmp_path).get_text(text).nodes == text_graph(text).nodes


def test_later_row_hides_earlier_one(tmp_path):
    for label in ('old', 'new'):
        with GraphStore(tmp_path, readonly=False) as store:
            store.put_text('t', text_graph('t', label))
    assert GraphStore(tmp_path).get_text('t').nodes[0].label == 'new'


def test_rows_are_seen_before_and_after_flush(tmp_path):
    store = GraphStore(tmp_path, readonly=False, flush_rows=4)
    for i in range(6):
        store.put_text(f't{i}', text_graph(f't{i}'))
    assert store.num_pending == 2
    assert all(store.get_text(f't{i}') == text_graph(f't{i}') for i in range(6))
    other = GraphStore(tmp_path)
    assert [other.has_text(f't{i}') for i in range(6)] == [True] * 4 + [False] * 2
    store.flush()
    assert not other.has_text('t5')
    assert GraphStore(tmp_path).has_text('t5')


def test_annotation_files_of_one_layout_fill_one_store(tmp_path):
    """Which file is read is no way of making graphs; which layout it has is."""
    def maker(**kwargs):
        return maker_of(dict(type='AnnotationVideoParser', **kwargs))
    assert maker(ann_file='a.json', layout='pvsg') == maker(ann_file='b.json', layout='pvsg')
    assert maker(ann_file='a.json', layout='pvsg') != maker(ann_file='a.json', layout='vidor')


def test_small_caches_change_nothing(tmp_path):
    filled(tmp_path)
    store = GraphStore(tmp_path, cache_nodes=0, cache_bytes=0)
    assert [store.get_text(f'caption {i}') for i in range(10)] == [
        text_graph(f'caption {i}') for i in range(10)]
    tiny = GraphStore(tmp_path, cache_nodes=8)
    for _ in range(2):
        for i in range(10):
            assert tiny.get_text(f'caption {i}').text == f'caption {i}'
    assert tiny._graphs.total <= 8


def test_missing_folder_and_readonly(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'parse_text\.py'):
        GraphStore(tmp_path / 'none')
    with pytest.raises(PermissionError, match='readonly=False'):
        GraphStore(tmp_path).put_video('v', video_graph('v'))


def test_failures_vanish_when_parsed(tmp_path):
    with GraphStore(tmp_path, readonly=False) as store:
        store.put_failure('video', 'a', 'no frames')
        store.put_failure('video', 'b', 'not found')
    store = GraphStore(tmp_path, readonly=False)
    assert [(f.key, f.reason) for f in store.failures] == [('a', 'no frames'), ('b', 'not found')]
    store.put_video('a', video_graph('a'))
    assert [f.key for f in store.failures] == ['b']
    with pytest.raises(ValueError, match='kind'):
        store.put_failure('audio', 'a', '?')


# ---- damage ------------------------------------------------------------------------------


def two_shards(root):
    for names in (('a', 'b'), ('c', 'd')):
        with GraphStore(root, readonly=False) as store:
            for name in names:
                store.put_video(name, video_graph(name))
    return sorted((root / 'videos').glob('*.parquet'))


@pytest.mark.parametrize('how', ['truncated', 'empty', 'garbage'])
def test_damaged_shard_is_named_and_skipped(tmp_path, how, caplog):
    first, _ = two_shards(tmp_path)
    data = first.read_bytes()
    first.write_bytes({'truncated': data[:len(data) // 2], 'empty': b'',
                       'garbage': b'\x07' * len(data)}[how])
    store = GraphStore(tmp_path)
    assert sorted(store.video_keys()) == ['c', 'd']
    assert store.get_video('a') is None and store.get_video('d') == video_graph('d')
    assert list(store.damaged) == [str(first)]


def test_flipped_byte_of_a_graph_is_found_and_the_shard_dropped(tmp_path):
    first, _ = two_shards(tmp_path)
    import pyarrow.parquet as pq
    column = pq.ParquetFile(first).metadata.row_group(0).column(
        list(TABLES['videos']).index('graph'))
    data = bytearray(first.read_bytes())
    start = column.data_page_offset
    for offset in range(start + column.total_compressed_size // 2, start
                        + column.total_compressed_size - 4):
        data[offset] ^= 0xff
    first.write_bytes(bytes(data))
    store = GraphStore(tmp_path)
    assert store.get_video('b') is None
    assert str(first) in store.damaged
    # nothing of that shard counts any more, the other one is whole
    assert sorted(store.video_keys()) == ['c', 'd'] and store.get_video('c') is not None
    assert list(GraphStore(tmp_path).verify()) == [str(first)]


def test_row_that_points_outside_its_nodes_names_shard_and_key(tmp_path):
    graph = text_graph('bad').to_dict()
    graph['edges'].append([0, 99, 'attribute'])
    path = write_shard(tmp_path / 'texts', 'texts', 0, [
        {'text': 'bad', 'video_id': None, 'num_nodes': 3, 'parser': '',
         'graph': json.dumps(graph)},
        {'text': 'good', 'video_id': None, 'num_nodes': 3, 'parser': '',
         'graph': json.dumps(text_graph('good').to_dict())},
        {'text': 'cut', 'video_id': None, 'num_nodes': 0, 'parser': '', 'graph': '{"nodes": ['}])
    store = GraphStore(tmp_path)
    with pytest.raises(GraphError) as caught:
        store.get_text('bad')
    assert path.name in str(caught.value) and "'bad'" in str(caught.value)
    assert '99' in str(caught.value)
    with pytest.raises(GraphError, match=r"'cut'.*no JSON"):
        store.get_text('cut')
    assert store.get_text('good') == text_graph('good')
    assert len(store.verify()) == 2


def test_other_version_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr('finsta.parsing.store.shards.STORE_VERSION', STORE_VERSION + 1)
    with GraphStore(tmp_path, readonly=False) as store:
        store.put_video('v', video_graph('v'))
    monkeypatch.undo()
    with pytest.raises(GraphError, match=f'version {STORE_VERSION + 1}'):
        GraphStore(tmp_path).has_video('v')


# ---- processes ---------------------------------------------------------------------------


def _write_until_killed(root, ready):
    store = GraphStore(root, readonly=False, flush_rows=5)
    for i in range(10_000):
        if i == 23:
            ready.set()
            signal.pause()
        store.put_text(f't{i}', text_graph(f't{i}'))


def test_killed_writer_loses_only_the_unflushed_tail(tmp_path):
    context = multiprocessing.get_context('fork')
    ready = context.Event()
    writer = context.Process(target=_write_until_killed, args=(tmp_path, ready))
    writer.start()
    assert ready.wait(30)
    os.kill(writer.pid, signal.SIGKILL)
    writer.join()
    # what a kill in the middle of a write leaves beside the shards is no shard
    (tmp_path / 'texts' / '.texts-000009-deadbeef.parquet.tmp').write_bytes(b'PAR1 half')
    store = GraphStore(tmp_path, readonly=False)
    assert [store.has_text(f't{i}') for i in range(23)] == [True] * 20 + [False] * 3
    for i in range(20, 23):
        store.put_text(f't{i}', text_graph(f't{i}'))
    store.flush()
    again = GraphStore(tmp_path)
    assert all(again.get_text(f't{i}') == text_graph(f't{i}') for i in range(23))
    assert not again.damaged


def _count(args):
    store, names = args
    return sum(store.get_text(name) is not None for name in names)


@pytest.mark.parametrize('method', ['fork', 'spawn'])
def test_readers_in_other_processes(tmp_path, method):
    store = filled(tmp_path)
    assert store.get_text('caption 0') is not None      # opened in the parent before the fork
    names = [f'caption {i}' for i in range(10)]
    with multiprocessing.get_context(method).Pool(2) as pool:
        assert pool.map(_count, [(store, names)] * 4) == [10] * 4


def test_data_loader_workers(tmp_path):
    from torch.utils.data import DataLoader, Dataset

    class Graphs(Dataset):
        def __init__(self, store):
            self.store = store

        def __len__(self):
            return 10

        def __getitem__(self, i):
            return len(self.store.get_text(f'caption {i}').nodes)

    store = filled(tmp_path)
    store.get_text('caption 3')
    loader = DataLoader(Graphs(store), batch_size=2, num_workers=2)
    assert sum(int(b.sum()) for b in loader) == 30


def test_pickle_opens_again_and_refuses_unwritten_rows(tmp_path):
    store = filled(tmp_path)
    store.get_text('caption 0')
    assert pickle.loads(pickle.dumps(store)).get_text('caption 0') == text_graph('caption 0')
    writer = GraphStore(tmp_path, readonly=False)
    writer.put_text('new', text_graph('new'))
    with pytest.raises(ValueError, match='flush'):
        pickle.dumps(writer)


def test_damage_of_a_video_s_own_text_graph_leaves_the_general_one(tmp_path):
    """The look-up that finds the damage already falls back, not only the next one."""
    own, general = SceneGraph((Node('object', 'own'),)), SceneGraph((Node('object', 'general'),))
    for video, graph in (('v', own), (None, general)):
        with GraphStore(tmp_path, readonly=False) as store:
            store.put_text('a dog', graph, video)
    store = GraphStore(tmp_path)
    assert store.has_text('a dog', 'v')
    first = sorted((tmp_path / 'texts').glob('*.parquet'))[0]
    store._shards['texts'][0].read_graphs = _damaged(first)
    assert store.get_text('a dog', 'v') == general
    assert list(store.damaged) == [str(first)]


def _damaged(path):
    def read(group):
        raise DamagedShard(f'{path}: a page is damaged')
    return read


def test_rows_say_what_made_them(tmp_path):
    store = GraphStore(tmp_path, readonly=False)
    store.begin('text', 'A')
    store.put_text('one', SceneGraph())
    store.put_text('two', SceneGraph())
    store.begin('video', 'V')                    # writes what waits as the work of A
    store.put_video('clip', DynamicSceneGraph((SceneGraph(),), (0.0,)))
    store.flush()
    again = GraphStore(tmp_path, readonly=False)
    assert again.makers('text') == ['A'] and again.makers('video') == ['V']
    with pytest.raises(ValueError, match=r'holds text graphs of A, not of B alone; .*--overwrite'):
        again.begin('text', 'B')
    again.begin('text', 'A')
    again.begin('text', 'B', replace=True)
    again.put_text('one', SceneGraph())
    again.flush()
    assert again.makers('text') == ['A', 'B']
    with pytest.raises(ValueError, match='of A and B, not of B alone'):
        again.begin('text', 'B')
    again.begin('text', 'B', replace=True)
    again.put_text('two', SceneGraph())
    again.flush()
    assert GraphStore(tmp_path).makers('text') == ['B']
    with pytest.raises(PermissionError, match='opened for reading'):
        GraphStore(tmp_path).begin('text', 'B')


def test_rows_of_an_unknown_maker_are_taken_as_they_are(tmp_path):
    """Stores from before makers were noted."""
    with GraphStore(tmp_path, readonly=False) as store:
        store.put_text('old', SceneGraph())
    store = GraphStore(tmp_path, readonly=False)
    assert store.makers('text') == [] and store.get_text('old') == SceneGraph()
    store.begin('text', 'A')
    store.put_text('new', SceneGraph())
    store.flush()
    assert GraphStore(tmp_path).makers('text') == ['A'] and GraphStore(tmp_path).num_texts == 2


def test_a_file_is_no_store(tmp_path):
    (tmp_path / 'store').write_text('')
    for readonly in (True, False):
        with pytest.raises(NotADirectoryError, match='store is a file, where a graph store'):
            GraphStore(tmp_path / 'store', readonly=readonly)


def overwriting(root, maker, keys, done=(), failed=()):
    """A writer that dies within an overwrite of texts, after some of them."""
    store = GraphStore(root, readonly=False)
    store.begin('text', maker, replace=True, keys=keys)
    todo = [key for key in keys if not store.made('text', key) and key not in store.tried('text')]
    for key in done:
        store.put_text(key, text_graph(key, maker))
    for key in failed:
        store.put_failure('text', key, 'why')
    store.flush()
    return todo


def test_an_unfinished_overwrite_goes_on(tmp_path):
    keys = ['a', 'b', 'c', 'd']
    with GraphStore(tmp_path, readonly=False) as store:
        store.begin('text', 'A')
        store.put_failure('text', 'd', 'old')
        for key in 'abc':
            store.put_text(key, text_graph(key))
    assert overwriting(tmp_path, 'A', keys) == keys
    # nothing was written, so nothing is unfinished
    assert GraphStore(tmp_path).unfinished('text') is None
    assert overwriting(tmp_path, 'A', keys, done='b', failed='c') == keys
    assert overwriting(tmp_path, 'A', keys[::-1]) == ['d', 'a']
    writer = GraphStore(tmp_path, readonly=False)
    with pytest.raises(ValueError, match=r'old text graphs among new ones: the overwrite of 4 '
                       r'texts by A, begun .*--overwrite.* delete .*overwrite-text\.json'):
        writer.begin('text', 'A')
    writer.begin('video', 'A')                   # videos are another matter
    assert overwriting(tmp_path, 'A', keys, 'ad') == ['a', 'd']
    writer = GraphStore(tmp_path, readonly=False)
    writer.begin('text', 'A', replace=True, keys=keys)
    assert all(writer.made('text', key) != (key == 'c') for key in keys)
    assert writer.tried('text') == {'c': 'why'}
    writer.finish()
    writer.begin('text', 'A')
    assert all(writer.made('text', key) for key in keys)
    assert overwriting(tmp_path, 'A', keys) == keys


def test_an_overwrite_of_other_inputs_or_by_another_maker_starts_anew(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr('finsta.parsing.store.overwrite.print_log',
                        lambda text, logger, level=20: said.append((level, text)))
    assert overwriting(tmp_path, 'A', ['a', 'b'], 'a') == ['a', 'b']
    assert overwriting(tmp_path, 'B', ['a', 'b'], 'a') == ['a', 'b'] and not said
    assert overwriting(tmp_path, 'B', ['a', 'c'], 'c') == ['a', 'c']
    assert said[-1][0] == 30 and 'unfinished one: overwrite of 2 texts by B' in said[-1][1]
    assert overwriting(tmp_path, 'B', ['a', 'c']) == ['a']
    assert said[-1][0] == 20 and 'going on' in said[-1][1]


def test_an_import_does_not_end_an_unfinished_overwrite(tmp_path):
    """It replaces other rows, or breaks off: old graphs would pass for new ones."""
    overwriting(tmp_path, 'A', ['a', 'b'])
    overwriting(tmp_path, 'A', ['a', 'b'], 'a')
    with GraphStore(tmp_path, readonly=False) as store:
        store.begin('text', 'gold', replace=True)
        store.finish()
    assert GraphStore(tmp_path).unfinished('text') is not None
    with pytest.raises(ValueError, match='was not finished'):
        GraphStore(tmp_path, readonly=False).begin('text', 'A')


def test_a_damaged_note_of_an_overwrite_is_named(tmp_path):
    overwriting(tmp_path, 'A', ['a', 'b'], 'a')
    for text in ('{"maker"', '[]', '{}'):
        (tmp_path / 'overwrite-text.json').write_text(text)
        with pytest.raises(GraphError, match=r'overwrite-text\.json: .*delete it'):
            overwriting(tmp_path, 'A', ['a', 'b'])

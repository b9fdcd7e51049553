"""Bad input through the whole chain, not part by part: files -> parsers -> store -> data set ->
batch -> loss. docs/en/user_guides/bad_input.md is the table of answers; its rows are held here."""

import ast
import json
import re
from dataclasses import replace

import pytest
import torch
from mmengine.registry import DefaultScope

from finsta.datasets import MSVD, MSVDQA, video_text_collate
from finsta.datasets.transforms.graphs import MissingGraphsError
from finsta.models import FinstaModel
from finsta.parsing.runner import RunOptions, parse_texts, parse_videos
from finsta.parsing.store import GraphStore
from finsta.parsing.store.shards import write_shard
from finsta.registry import METRICS, TRANSFORMS
from finsta.structures import DynamicSceneGraph, Edge, GraphError, Node, SceneGraph
from tests.datasets.conftest import write_sound, write_video
from tests.models.tiny import BACKBONE, TEACHER, TRANSFER
from tests.small_msvd import ON_DISK, make_msvd

pytest.importorskip('av')
HERE = RunOptions(workers=0, progress=False)
MOTION = dict(type='MotionVideoParser', max_frames=4, max_size=64, max_objects=3)
ODD = {'emoji': '😀 👍🏽', 'long': ' and '.join(['a dog chases a red ball'] * 1667),
       'chinese': '一个男人骑着一匹马', 'arabic': 'رجل يركب حصانا', 'german': 'ein Mann reitet',
       'control': 'a man\x00 \u202erides\ta horse', 'punctuation': '?!...'}


def pipeline(store: str) -> list[dict]:
    return [dict(type='LoadVideoFrames', num_frames=4), dict(type='ResizeFrames', size=36),
            dict(type='CenterCropFrames', size=32), dict(type='ChooseCaption'),
            dict(type='LoadGraphs', store=dict(type='GraphStore', root=store),
                 matcher=dict(type='LexicalMatcher')),
            dict(type='GraphHardNegatives', store=dict(type='GraphStore', root=store)),
            dict(type='PadFrames', num_frames=4)]


def data_set(root, **kwargs) -> MSVD:
    with DefaultScope.overwrite_default_scope('finsta'):
        return MSVD(data_root=str(root), pipeline=pipeline(str(root / 'graphs')), **kwargs)


def post_train(rows: list[dict]) -> dict[str, torch.Tensor]:
    """Losses of one joint step on the rows; every one, and every gradient, must be finite."""
    torch.manual_seed(0)
    model = FinstaModel(BACKBONE, teacher=TEACHER, transfer=TRANSFER).train()
    losses = model(**video_text_collate(rows), mode='loss')
    assert all(torch.isfinite(v).all() for v in losses.values()), losses
    sum(v for k, v in losses.items() if k.startswith('loss')).backward()
    grads = [p.grad for p in model.parameters() if p.grad is not None]
    assert grads and all(torch.isfinite(g).all() for g in grads)
    return losses


@pytest.fixture(scope='module')
def odd_tree(tmp_path_factory):
    """Three training videos with every odd caption, an empty one among them; parsed."""
    assert len(ODD['long'].split()) >= 10_000
    root = make_msvd(tmp_path_factory.mktemp('odd') / 'msvd', {
        'aa_0_1': ['', *list(ODD.values())[:3]], 'bb_0_2': ['   ', *list(ODD.values())[3:]]})
    texts = [t for row in json.loads((root / 'training_label.json').read_text())
             for t in row['caption']]
    with GraphStore(root / 'graphs', readonly=False) as store:
        report = parse_texts(texts, dict(type='RuleTextParser'), store, HERE)
        parse_videos([str(p) for p in sorted((root / 'YouTubeClips').iterdir())], MOTION, store,
                     HERE)
    assert report.failed == 0, report.failures
    return root


def test_odd_captions_reach_the_loss(odd_tree):
    """Parser -> store -> data set -> hard negatives -> batch -> every loss finite."""
    data = data_set(odd_tree, rows='caption')
    assert data.tally['empty_caption'] == 2  # an empty caption is no row
    texts = [data.get_sample(i).text for i in range(len(data))]
    assert set(ODD.values()) <= set(texts)
    rows = [data[i] for i in range(len(data))]
    graphs = {row['sample'].text: row['sample'].tsg for row in rows}
    assert [n.label for n in graphs[ODD['emoji']].nodes] == []
    assert 'chase' in {n.label for n in graphs[ODD['long']].nodes}
    assert all(row['graph_frames'].size for row in rows)
    post_train(rows)


def test_odd_questions_reach_the_loss_and_the_score(tmp_path):
    """Emoji, 10,000 words, other languages as questions: loss, gradient, answer, accuracy."""
    root = make_msvd(tmp_path / 'msvd')
    rows = json.loads((root / 'train_qa.json').read_text())
    rows += [dict(rows[k % 6], id=100 + k, question=q) for k, q in enumerate(ODD.values())]
    (root / 'train_qa.json').write_text(json.dumps(rows))
    with DefaultScope.overwrite_default_scope('finsta'):
        data = MSVDQA(data_root=str(root), pipeline=pipeline('')[:3] + pipeline('')[-1:])
        metric = METRICS.build(dict(type='QAAccuracy'))
    texts = [data.get_sample(i).text for i in range(len(data))]
    assert set(ODD.values()) <= set(texts) and not data.tally.summary()
    torch.manual_seed(0)
    model = FinstaModel(BACKBONE, head=dict(
        type='OpenEndedQAHead', answers=dict(ann_file=str(root / 'train_qa.json')), width=32,
        num_heads=2, num_classes=10))
    batch = video_text_collate([data[i] for i in range(len(data))])
    loss = model.train()(**batch, mode='loss')['loss_qa']
    loss.backward()
    grads = [p.grad for p in model.parameters() if p.grad is not None]
    assert torch.isfinite(loss) and grads and all(torch.isfinite(g).all() for g in grads)
    metric.process(None, model.eval()(**batch, mode='predict'))
    scores = metric.evaluate(len(data))
    assert all(0 <= v <= 100 for v in scores.values()) and 'qa/acc' in scores


def test_a_batch_of_nothing_but_empty_text_has_finite_losses(odd_tree):
    """The user's own rows may hold what the MSVD reader skips."""
    rows = [data_set(odd_tree, rows='video')[i] for i in range(3)]
    empty = SceneGraph(text='')
    for row in rows:
        sample = row['sample']
        row['sample'] = replace(sample, text='', tsg=empty,
                                hsg=replace(sample.hsg, tsg=empty, cross=()))
        row['negative_texts'] = []
    post_train(rows)


def bad_video(kind: str, path) -> None:
    """Replace the clip by a file of that kind; its name stays."""
    whole = path.read_bytes()
    path.unlink()
    if kind == 'audio_only':
        write_sound(path.with_suffix('.m4a')).rename(path)
    elif kind == 'zero_frames':
        write_video(path, 0)
    elif kind == 'wrong_extension':
        write_video(path.with_suffix('.ts'), 12, 'libx264', container='mpegts').rename(path)
    elif kind != 'missing':
        path.write_bytes({'empty': b'', 'truncated': whole[:60],
                          'page': b'<html>404 not found</html>'}[kind])


@pytest.mark.parametrize('kind', ['missing', 'empty', 'truncated', 'audio_only', 'zero_frames',
                                  'page', 'wrong_extension'])
def test_bad_video_costs_itself_only(tmp_path, kind):
    """Parsed around, listed with its reason, counted and replaced in training."""
    root = make_msvd(tmp_path / 'msvd')
    bad = root / 'YouTubeClips' / 'aa_0_1.avi'
    bad_video(kind, bad)
    paths = [str(root / 'YouTubeClips' / f'{name}.avi') for name in ON_DISK]
    with GraphStore(root / 'graphs', readonly=False) as store:
        report = parse_videos(paths, MOTION, store, HERE)
    data = data_set(root, rows='video')
    if kind == 'wrong_extension':  # the content decides: it is read
        assert (report.parsed, report.failed) == (5, 0)
        assert data[0]['sample'].video_id == 'aa_0_1' and not data.tally.summary()
        return
    assert (report.parsed, report.failed) == (4, 1)
    ((key, reason),) = report.failures
    assert 'aa_0_1' in key and len(reason) > 10, reason
    assert GraphStore(root / 'graphs').get_video('bb_0_2') is not None
    if kind == 'missing':
        assert data.coverage == (2, 5)
        return
    assert data.coverage == (3, 5)
    assert data[0]['sample'].video_id in ('bb_0_2', 'cc-d_3_4')
    assert data.tally['unreadable_video'] >= 1


def test_graph_row_that_points_outside_its_nodes_never_reaches_a_model(tmp_path):
    """At the borders in front of the store: in memory, and from JSON."""
    nodes = (Node('object', 'dog'), Node('predicate', 'run'))
    with pytest.raises(GraphError, match='points to node 5, but the graph has'):
        SceneGraph(nodes, (Edge(5, 1, 'subject'),))
    row = SceneGraph(nodes, (Edge(0, 1, 'subject'),), text='dog run').to_dict()
    row['edges'] = [[7, 1, 'subject']]
    with pytest.raises(GraphError, match=r'row 3\b.*edge 0: points to node 7'):
        SceneGraph.from_dict(row, 'row 3')


@pytest.mark.parametrize('where', ['edge', 'predecessor', 'missing predecessors'])
def test_video_row_that_points_outside_its_nodes_stops_at_the_store(tmp_path, where):
    """A shard as another program could have written it, read through the store and a sample."""
    root = make_msvd(tmp_path / 'msvd')
    nodes = (Node('object', 'dog', box=(.5, .5, .2, .2), entity=0), Node('predicate', 'run'))
    frame = SceneGraph(nodes, (Edge(0, 1, 'subject'),))
    whole = DynamicSceneGraph((frame, frame), (0., 1.), ((-1, -1), (0, 1)))
    wrong = whole.to_dict()
    if where == 'edge':
        wrong['frames'][1]['edges'].append([0, 98765, 'attribute'])
    elif where == 'predecessor':
        wrong['predecessors'][1][0] = 98765
    else:
        wrong['predecessors'] = [[-1, -1], [0]]
    rows = [{'video_id': name, 'num_frames': 2, 'num_nodes': 4, 'parser': 'theirs',
             'graph': json.dumps(wrong if name == 'aa_0_1' else whole.to_dict())}
            for name in ON_DISK]
    shard = write_shard(root / 'graphs' / 'videos', 'videos', 0, rows)
    store = GraphStore(root / 'graphs')
    data = data_set(root, rows='video')
    at = [data.get_sample(i).video_id for i in range(len(data))].index('aa_0_1')
    for read in (lambda: store.get_video('aa_0_1'), lambda: data[at]):
        with pytest.raises(GraphError) as caught:
            read()
        message = str(caught.value)
        assert shard.name in message and "'aa_0_1'" in message, message
        assert ('98765' in message) == (where != 'missing predecessors'), message
    assert store.get_video('bb_0_2') == whole       # the other rows of the shard are whole
    assert data[1 - at]['sample'].dsg is not None


def test_missing_graphs_are_counted_and_the_loss_is_finite(tmp_path):
    """A store that has none of them: empty graphs, a count for each, and no NaN."""
    root = make_msvd(tmp_path / 'msvd')
    with GraphStore(root / 'graphs', readonly=False) as store:
        store.put_text('another text', SceneGraph(text='another text'))
    data = data_set(root, rows='video')
    rows = [data[i] for i in range(3)]
    load = next(t for t in data.pipeline.transforms
                if isinstance(t, TRANSFORMS.get('LoadGraphs')))
    assert load.tally.summary() == {'missing_text': 3, 'missing_video': 3}
    post_train(rows)


def test_a_store_without_any_graph_stops_and_its_command_fills_it(tmp_path, tool):
    """Forgetting to parse: the commands that the error names are those that were forgotten."""
    root = make_msvd(tmp_path / 'data' / 'msvd')
    data = data_set(root, rows='video')
    config = tmp_path / 'mine.py'
    config.write_text(f'train_dataloader = dict(dataset=dict(type="MSVD", data_root={str(root)!r},'
                      ' rows="video"))\n')
    with pytest.raises(MissingGraphsError, match=rf'no graph store at {root}/graphs\.') as absent:
        data.before_training(str(config))
    (root / 'graphs').mkdir()
    with pytest.raises(MissingGraphsError) as caught:
        data.before_training(str(config))
    said = str(caught.value)
    assert said.partition(' Fill ')[2] == str(absent.value).partition(' Fill ')[2]
    assert said.startswith(f'graphs of 0 of 3 videos, of 0 of 6 captions in {root / "graphs"}')
    commands = re.findall(r'python tools/(\S+) ([^;]+)', said)
    assert [name for name, _ in commands] == ['scene_graphs/parse_text.py',
                                              'scene_graphs/parse_video.py']
    for name, options in commands:
        done = tool(name, *options.split(), '--workers', 0, '--quiet')
        assert done.returncode == 0, done.stderr
    data_set(root, rows='video').before_training(str(config))
    store = GraphStore(root / 'graphs')
    assert (store.num_texts, store.num_videos) == (6, len(ON_DISK))


def test_every_row_of_the_guide_names_a_test_that_exists(repo_root):
    page = (repo_root / 'docs/en/user_guides/bad_input.md').read_text(encoding='utf-8')
    rows = [line for line in page.splitlines()
            if line.startswith('| ') and not line.startswith('| Input')]
    assert len(rows) >= 25
    for row in rows:
        named = re.findall(r'`(tests/[\w/]+\.py)::(\w+)`', row)
        assert named, row
        for file, test in named:
            tree = ast.parse((repo_root / file).read_text(encoding='utf-8'))
            functions = {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)}
            assert test in functions, f'{file} has no {test}'

"""The scene-graph tools as a user calls them: other processes, kills, bad inputs."""

import gzip
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from finsta.parsing.store import GraphStore
from finsta.registry import DATASETS, SG_PARSERS
from finsta.structures import DynamicSceneGraph, Node, SceneGraph

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / 'tools' / 'scene_graphs'
PARSERS = '''
import os, time
from finsta.registry import SG_PARSERS
from finsta.structures import DynamicSceneGraph, Node, SceneGraph

@SG_PARSERS.register_module()
class FirstWordParser:
    """First word is the object; some words misbehave; it stands still when it has had enough."""
    def __init__(self, ending=''):
        self.delay = float(os.environ.get('TEST_DELAY', 0))
        self.left, self.ending = int(os.environ.get('TEST_MOST', 1000000)), ending
    def parse(self, texts):
        out = []
        for text in texts:
            self.left -= 1
            time.sleep(self.delay if self.left >= 0 else 3600)
            if 'die' in text:
                os._exit(3)
            if 'refuse' in text:
                raise ValueError('not my language')
            word = (text.split() or [''])[0] + self.ending
            nodes = (Node('object', word),) if word else ()
            out.append(SceneGraph(nodes, (), text, 'FirstWordParser/1' + self.ending))
        return out

@SG_PARSERS.register_module()
class FileSizeParser:
    kind = 'video'
    def __init__(self, ending=''):
        self.delay = float(os.environ.get('TEST_DELAY', 0))
        self.left, self.ending = int(os.environ.get('TEST_MOST', 1000000)), ending
    def read(self, path):
        self.left -= 1
        time.sleep(self.delay if self.left >= 0 else 3600)
        data = open(path, 'rb').read()
        if not data:
            raise OSError(f'{path}: file is empty')
        return [data], [0.0]
    def parse_frames(self, frames, times, video):
        graph = SceneGraph((Node('object', 'file', box=(0.5, 0.5, 1, 1), entity=0),))
        return DynamicSceneGraph((graph,), times, video=video, parser='FileSizeParser/1'
                                 + self.ending)
    def parse(self, videos):
        return [self.parse_frames(*self.read(v), v) for v in videos]

@SG_PARSERS.register_module()
class BrokenParser:
    def __init__(self):
        raise ValueError('weights are missing')
'''


@pytest.fixture
def folder(tmp_path):
    (tmp_path / 'parsers_of_test.py').write_text(PARSERS)
    return tmp_path


def command(folder, tool, *args):
    env = dict(os.environ, PYTHONPATH=os.pathsep.join([str(ROOT), str(folder)]),
               OMP_NUM_THREADS='1')
    return dict(args=[sys.executable, str(TOOLS / f'{tool}.py'), *map(str, args)], cwd=folder,
                env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.fixture
def call(folder, monkeypatch, capsys):
    """``call(tool, *args)`` runs a tool's main() in this process; what it printed."""
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))

    def run(tool, *args, status=0):
        spec = importlib.util.spec_from_file_location(f'{tool}_tool', TOOLS / f'{tool}.py')
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        try:
            got = module.main([str(a) for a in args])
        except SystemExit as error:
            got = error.code
        out = capsys.readouterr()
        assert got == status, out.out + out.err
        return out.out + out.err

    yield run
    for name in ('parsers_of_test', 'config_data'):
        sys.modules.pop(name, None)
    for node, name in ((SG_PARSERS, 'FirstWordParser'), (SG_PARSERS, 'FileSizeParser'),
                       (SG_PARSERS, 'BrokenParser'), (DATASETS, 'TwoRows')):
        node.module_dict.pop(name, None)


# they start processes that import torch, which takes long on a busy machine
SLOW = pytest.mark.slow
PATIENCE = 240
TEXT = ('--import', 'parsers_of_test', '--parser', 'FirstWordParser', '--quiet')


def test_texts_of_several_layouts(folder, call):
    (folder / 'captions.json').write_text(json.dumps(
        [{'id': 'a.avi', 'caption': ['dogs run', 'dogs run', 'a cat']}]))
    (folder / 'qa.csv').write_text('question,answer\n"what, is it?",dog\nwho runs?,man\n')
    (folder / 'mine.txt').write_text('bird sings\n\ndogs run\n')
    out = call('parse_text', '--ann', 'captions.json', 'qa.csv', '--texts', 'mine.txt',
               '--out', 'store', '--workers', 0, '--batch-size', 2, '--json', 'sum.json', *TEXT)
    summary = json.loads((folder / 'sum.json').read_text())
    assert (summary['total'], summary['parsed'], summary['failed']) == (5, 5, 0), out
    assert summary['per_second'] > 0 and summary['workers'] == 0
    store = GraphStore(folder / 'store')
    assert store.get_text('what, is it?').nodes[0].label == 'what,'
    again = call('parse_text', '--texts', 'mine.txt', '--out', 'store', '--workers', 0, *TEXT)
    assert '0 parsed, 2 already there' in again


@SLOW
def test_one_bad_text_or_a_dying_worker_costs_nothing_else(folder, call):
    lines = [f'word{i} runs' for i in range(6)]
    lines[1], lines[4] = 'please refuse', 'please die'
    (folder / 'mine.txt').write_text('\n'.join(lines))
    out = call('parse_text', '--texts', 'mine.txt', '--out', 'store', '--workers', 2,
               '--batch-size', 2, '--json', 'sum.json', *TEXT)
    failures = dict(json.loads((folder / 'sum.json').read_text())['failures'])
    assert set(failures) == {'please refuse', 'please die'}
    assert 'not my language' in failures['please refuse'] and 'died' in failures['please die']
    store = GraphStore(folder / 'store')
    assert store.num_texts == 4 and {f.key for f in store.failures} == set(failures)
    assert 'not my language' in out
    # a later run does not fall over them again unless asked to
    assert '0 parsed, 4 already there, 2 not parsed' in call(
        'parse_text', '--texts', 'mine.txt', '--out', 'store', '--workers', 0, *TEXT)
    listed = call('inspect', 'store', '--failures')
    assert 'please die' in listed and '2 not parsed' in listed


def slow_run(folder, *args, tool='parse_text', delay=0.1, most=1000000):
    """A tool in a process of its own that flushes often, so that shards appear soon; its parsers
    wait ``delay`` seconds each time and stand still after ``most`` times."""
    script = folder / 'often.py'
    script.write_text(
        f'import runpy, sys\nsys.path.insert(0, {str(TOOLS)!r})\n'
        'if __name__ == "__main__":\n'
        '    from finsta.parsing.runner import RunOptions\n'
        '    RunOptions.__init__.__defaults__ = tuple(\n'
        '        0.3 if v == 10.0 else v for v in RunOptions.__init__.__defaults__)\n'
        f'    runpy.run_path({str(TOOLS / f"{tool}.py")!r}, run_name="__main__")\n')
    return subprocess.Popen([sys.executable, str(script), *map(str, args)], cwd=folder,
                            env=command(folder, 'parse_text')['env'] | {
                                'TEST_DELAY': str(delay), 'TEST_MOST': str(most)},
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@SLOW
def test_killed_run_resumes(folder, call):
    lines = [f'word{i} runs' for i in range(60)]
    (folder / 'mine.txt').write_text('\n'.join(lines))
    args = ('--texts', 'mine.txt', '--out', 'store', '--batch-size', '1', *TEXT)
    run = slow_run(folder, *args, '--workers', '0', delay=0.1, most=20)
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and len(list((folder / 'store').glob('texts/*.parquet'))) < 2:
        time.sleep(0.05)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    kept = GraphStore(folder / 'store').num_texts
    assert 2 <= kept <= 20
    out = call('parse_text', *args, '--workers', 0)
    assert f'{60 - kept} parsed, {kept} already there' in out
    store = GraphStore(folder / 'store')
    assert all(store.get_text(line) for line in lines) and not store.damaged


@SLOW
def test_videos_killed_with_two_workers_and_resumed_equal_the_uninterrupted_run(folder, call):
    (folder / 'clips').mkdir()
    names = [f'clip{i:02d}' for i in range(40)]
    for i, name in enumerate(names):
        (folder / 'clips' / f'{name}.mp4').write_bytes(b'x' * (i + 1) if i % 7 else b'')
    args = ('--videos', 'clips', '--import', 'parsers_of_test', '--parser', 'FileSizeParser',
            '--quiet', '--workers', '2')
    run = slow_run(folder, *args, '--out', 'store', tool='parse_video', delay=0.2, most=10)
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and len(list((folder / 'store').glob('videos/*.parquet'))) < 2:
        time.sleep(0.05)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    kept = len(list(GraphStore(folder / 'store').video_keys()))
    assert 1 <= kept <= 20
    out = call('parse_video', *args, '--out', 'store')
    assert f'{34 - kept} parsed, {kept} already there, 6 not parsed' in out
    call('parse_video', *args, '--out', 'whole')
    killed, whole = GraphStore(folder / 'store'), GraphStore(folder / 'whole')
    assert set(killed.video_keys()) == set(whole.video_keys()) and not killed.damaged
    assert all(killed.get_video(name) == whole.get_video(name) for name in names)
    assert sorted(killed.failures) == sorted(whole.failures)
    assert [f.key for f in sorted(whole.failures)] == names[::7]


@SLOW
@pytest.mark.parametrize('tool', ['parse_text', 'parse_video'])
def test_a_killed_overwrite_goes_on_and_a_finished_one_starts_anew(folder, call, tool):
    """Killed after 20 of 40 inputs, of which one fails; rows of the old parser are told apart."""
    kind, names = tool.removeprefix('parse_'), [f'word{i:02d}' for i in range(40)]
    names[0] = 'refuse'
    (folder / 'clips').mkdir()
    for name in names:
        (folder / 'clips' / f'{name}.mp4').write_bytes(b'x' * (name != 'refuse'))
    (folder / 'mine.txt').write_text('\n'.join(names))
    source = {'text': ('--texts', 'mine.txt'), 'video': ('--videos', 'clips')}[kind]
    parser = {'text': 'FirstWordParser', 'video': 'FileSizeParser'}[kind]
    args = (*source, '--import', 'parsers_of_test', '--parser', parser, '--quiet', '--out',
            'store', '--batch-size', 1, '--workers', 0)
    new = (*args, '--parser-args', 'ending=x')
    call(tool, *args)
    run = slow_run(folder, *new, '--overwrite', tool=tool, delay=0.1, most=20)
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and any(
            len(list((folder / 'store').glob(f'{table}/*.parquet'))) < shards
            for table, shards in ((f'{kind}s', 3), ('failures', 2))):
        time.sleep(0.05)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()

    def replaced():
        store = GraphStore(folder / 'store')
        graphs = [store.get_text(n) if kind == 'text' else store.get_video(n) for n in names]
        return sum('x' in g.parser for g in graphs if g is not None)

    kept = replaced()
    assert 2 <= kept < 20
    # neither parser may take the mixture for its own
    for plain in (args, new):
        out = call(tool, *plain, status=2)
        assert f'store holds old {kind} graphs among new ones' in out and '--overwrite' in out
    assert f'"unfinished": "overwrite of 40 {kind}s by {parser}(ending=' in call(
        'inspect', 'store').replace('\\', '')
    out = call(tool, *new, '--overwrite')
    assert f'{39 - kept} parsed, {kept} already there, 1 not parsed' in out
    assert '(in an earlier run)' in out
    assert replaced() == 39 and GraphStore(folder / 'store').makers(kind) == [
        f'{parser}(ending="x")']
    assert '"unfinished"' not in call('inspect', 'store')
    assert '39 parsed, 0 already there, 1 not parsed' in call(tool, *new, '--overwrite')
    assert '0 parsed, 39 already there, 1 not parsed' in call(tool, *new)


@SLOW
def test_workers_end_when_the_parent_is_killed(folder):
    (folder / 'mine.txt').write_text('\n'.join(f'word{i}' for i in range(400)))
    run = slow_run(folder, '--texts', 'mine.txt', '--out', 'store', '--workers', 1,
                   '--batch-size', 1, *TEXT, delay=0.2)
    if not Path(f'/proc/{run.pid}/task/{run.pid}/children').exists():
        run.kill()
        pytest.skip('needs /proc')
    end = time.monotonic() + PATIENCE
    pids = []
    # a shard says that a worker is at work; beside it, Python's resource tracker and fork server
    while time.monotonic() < end and not list((folder / 'store').glob('texts/*.parquet')):
        pids = _descendants(run.pid)
        time.sleep(0.1)
    assert len(pids) >= 2
    run.kill()
    run.wait()
    end = time.monotonic() + PATIENCE
    alive = pids
    while alive and time.monotonic() < end:
        alive = [p for p in alive if _running(p)]
        time.sleep(0.05)
    assert not alive


def _descendants(pid):
    try:
        mine = Path(f'/proc/{pid}/task/{pid}/children').read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return mine + [p for child in mine for p in _descendants(child)]


def _running(pid):
    try:
        return Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()[0] != 'Z'
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_videos_by_stem_with_unreadable_ones_listed(folder, call):
    (folder / 'clips').mkdir()
    for name, data in (('a.mp4', b'x'), ('b.avi', b''), ('notes.md', b'x'), ('d.MKV', b'yy')):
        (folder / 'clips' / name).write_bytes(data)
    (folder / 'more.txt').write_text(f'{folder}/clips/gone.mp4\n')
    args = ('--import', 'parsers_of_test', '--parser', 'FileSizeParser', '--quiet', '--out',
            'store', '--workers', 0)
    out = call('parse_video', '--videos', 'clips', 'more.txt', *args)
    assert '4 videos: 2 parsed' in out and 'file is empty' in out and 'gone' in out
    store = GraphStore(folder / 'store')
    assert sorted(store.video_keys()) == ['a', 'd']
    (folder / 'clips' / 'b.avi').write_bytes(b'now whole')
    assert '1 parsed, 2 already there, 1 not parsed' in call(
        'parse_video', '--videos', 'clips', 'more.txt', '--retry-failed', *args)
    (folder / 'clips' / 'a.avi').write_bytes(b'x')
    assert 'same id' in call('parse_video', '--videos', 'clips', *args, status=2)


def test_gold_graphs(folder, call):
    gold = folder / 'world' / 'gold'
    gold.mkdir(parents=True)
    tsg = SceneGraph((Node('object', 'circle', entity=1),), (), 'a circle', 'gold')
    dsg = DynamicSceneGraph((SceneGraph((Node('object', 'circle', entity=1),)),), (0.0,))
    with gzip.open(gold / 'texts.jsonl.gz', 'wt') as file:
        for row in ({'video_id': 'v', 'text': 'a circle', 'tsg': tsg.to_dict()},
                    {'video_id': 'v', 'text': 'bad', 'tsg': {'nodes': [], 'edges': [[0, 1, 'x']]}},
                    {'video_id': 'v', 'text': 'no graph'}):
            file.write(json.dumps(row) + '\n')
    with gzip.open(gold / 'videos.jsonl.gz', 'wt') as file:
        file.write(json.dumps({'video_id': 'v', 'dsg': dsg.to_dict()}) + '\n')
    assert '1 gold graphs imported, 2 bad rows' in call(
        'parse_text', '--gold', 'world', '--out', 'store')
    assert '1 gold graphs imported' in call('parse_video', '--gold', 'world', '--out',
                                            'store')
    (folder / 'mine.txt').write_text('dogs run\n')
    assert 'holds text graphs of gold graphs, not of FirstWordParser' in call(
        'parse_text', '--texts', 'mine.txt', '--out', 'store', '--workers', 0, *TEXT, status=2)
    store = GraphStore(folder / 'store')
    assert store.get_text('a circle', 'v') == tsg and store.get_text('a circle') is None
    assert store.get_video('v') == dsg
    assert [f.key for f in store.failures] == ['texts.jsonl.gz, line 2', 'texts.jsonl.gz, line 3']
    shown = call('inspect', 'store', '--stats', '--html', 'page.html', '--json', 'i.json')
    assert '"graphs": 1' in shown
    assert 'circle' in (folder / 'page.html').read_text()
    assert json.loads((folder / 'i.json').read_text())['stats']['videos']['key_frames'] == 1
    assert '--video-id' in call('inspect', 'store', '--key', 'a circle', status=2)
    assert 'circle: -' in call('inspect', 'store', '--key', 'a circle', '--video-id', 'v')
    assert '0 things wrong' in call('inspect', 'store', '--verify')
    shard = next((folder / 'store' / 'texts').glob('*.parquet'))
    shard.write_bytes(shard.read_bytes()[:-20])
    assert shard.name in call('inspect', 'store', '--verify', status=1)


def test_texts_of_a_config(folder, call):
    (folder / 'config_data.py').write_text(
        'from finsta.registry import DATASETS\n'
        'from finsta.structures import VideoTextSample\n'
        '@DATASETS.register_module()\n'
        'class TwoRows:\n'
        '    def __init__(self, pipeline):\n'
        '        assert pipeline == []\n'
        '    def __len__(self):\n'
        '        return 2\n'
        '    def __getitem__(self, i):\n'
        "        return {'sample': VideoTextSample('v', 'v.mp4', text=f'question {i}',\n"
        "                                          captions=('cap one', 'cap two'))}\n")
    (folder / 'config.py').write_text(
        "custom_imports = dict(imports=['config_data'])\n"
        "train_dataloader = dict(dataset=dict(type='TwoRows', pipeline=['decode']))\n")
    assert '4 texts: 4 parsed' in call('parse_text', '--dataset-config', 'config.py',
                                       '--out', 'store', '--workers', 0, *TEXT)


@pytest.mark.parametrize(('args', 'message'), [
    ((), 'nothing to parse'),
    (('--ann', 'none.json'), 'none.json'),
    (('--ann', 'folder'), 'folder is a folder; name the file in it'),
    (('--texts', 'none.txt'), 'none.txt'),
    (('--texts', 'latin.txt'), 'latin.txt: is not UTF-8'),
    (('--texts', 'empty.txt'), 'empty.txt: holds no text; write one a line'),
    (('--texts', 'mine.txt', '--gold', '.'), '--gold imports graphs instead of parsing'),
    (('--dataset-config', 'none.py'), 'there is no config none.py'),
    (('--texts', 'mine.txt', '--parser', 'MotionVideoParser'),
     'MotionVideoParser is a video parser; text parsers are BrokenParser, FirstWordParser, '
     'RuleTextParser, Seq2SeqTextParser'),
    (('--texts', 'mine.txt', '--parser', 'Seq2SeqTextParser'),
     'Seq2SeqTextParser needs model: give --parser-args model=...'),
    (('--texts', 'mine.txt', '--parser-args', 'pipeline'), "'pipeline' is no KEY=VALUE"),
    (('--texts', 'mine.txt', '--parser-args', 'pipeline=a,[b'), 'Imbalanced brackets'),
    (('--texts', 'mine.txt', '--parser-args', 'max_words=many'),
     "--parser-args: max_words='many' of RuleTextParser must be a number"),
    (('--texts', 'mine.txt', '--workers', '-1'), '--workers -1 must be at least 0'),
    (('--ann', 'broken.json'), 'broken.json: is not valid JSON'),
    (('--ann', 'other.json'), 'Name the right ones with --fields'),
    (('--texts', 'mine.txt', '--parser', 'NoSuchParser'), 'NoSuchParser'),
    (('--texts', 'mine.txt', '--parser', 'BrokenParser'), 'weights are missing'),
    (('--gold', '.'), 'no texts.jsonl.gz'),
])
def test_mistakes_end_in_a_sentence(folder, call, args, message):
    (folder / 'folder').mkdir()
    (folder / 'latin.txt').write_bytes('ein Mädchen'.encode('latin-1'))
    (folder / 'empty.txt').write_text(' \n\n')
    (folder / 'broken.json').write_text('[{"caption":')
    (folder / 'other.json').write_text('[{"title": "x"}]')
    (folder / 'mine.txt').write_text('one line\n')
    workers = () if '--workers' in args else ('--workers', '0')
    assert message in call('parse_text', *args, '--out', 'store', *workers, '--quiet',
                           '--import', 'parsers_of_test', status=2)
    assert not (folder / 'store').exists()


@pytest.mark.parametrize(('args', 'message'), [
    ((), 'nothing to parse'),
    (('--videos', 'none'), 'no such folder, list or video: none'),
    (('--videos', 'empty.txt'), 'empty.txt: a list without a path'),
    (('--videos', 'blob.bin'), 'blob.bin: no video by its name'),
    (('--videos', 'list.txt', '--gold', '.'), '--gold imports graphs instead of parsing'),
    (('--videos', 'list.txt', '--root', 'none'), 'does not lie under the root none'),
    (('--videos', 'list.txt', '--parser', 'RuleTextParser'),
     'RuleTextParser is a text parser; video parsers are AnnotationVideoParser, '),
    (('--videos', 'list.txt', '--parser', 'DetectorVideoParser'),
     'DetectorVideoParser needs detector: give --parser-args detector=...'),
    (('--parser', 'AnnotationVideoParser', '--parser-args', 'ann_file=none.json'), 'none.json'),
    (('--videos', 'list.txt', '--parser', 'DetectorVideoParser', '--parser-args',
      'detector=none'), 'detector=none'),
    (('--gold', '.'), 'no videos.jsonl.gz'),
])
def test_mistakes_with_videos_end_in_a_sentence(folder, call, args, message):
    (folder / 'list.txt').write_text('clip.mp4\n')
    (folder / 'empty.txt').write_text('\n')
    (folder / 'blob.bin').write_bytes(b'\xff\xfe\x00')
    assert message in call('parse_video', *args, '--out', 'store', '--workers', '0', '--quiet',
                           status=2)
    assert not (folder / 'store').exists()


@pytest.mark.parametrize('tool', ['parse_text', 'parse_video', 'inspect'])
def test_a_file_in_the_place_of_the_store(folder, call, tool):
    (folder / 'store').write_text('mine')
    (folder / 'list.txt').write_text('clip.mp4\n')
    args = {'parse_text': ('--texts', 'list.txt', '--out'), 'inspect': (),
            'parse_video': ('--videos', 'list.txt', '--out')}[tool]
    assert 'store is a file, where a graph store is a folder' in call(tool, *args, 'store',
                                                                      status=2)
    assert (folder / 'store').read_text() == 'mine'


def test_a_store_of_another_parser_is_refused(folder, call):
    (folder / 'mine.txt').write_text('dogs run\n')
    (folder / 'more.txt').write_text('dogs run\ncats sit\n')
    args = ('--out', 'store', '--workers', 0, *TEXT)
    call('parse_text', '--texts', 'mine.txt', *args)
    out = call('parse_text', '--texts', 'more.txt', *args, '--parser-args', 'ending=x', status=2)
    assert ('store holds text graphs of FirstWordParser, not of FirstWordParser(ending="x") '
            'alone; give another --out, or --overwrite') in out
    out = call('parse_text', '--texts', 'more.txt', '--out', 'store', '--workers', 0, status=2)
    assert 'of FirstWordParser, not of RuleTextParser' in out
    # a default said aloud is the same parser, and videos do not mind the parser of texts
    assert '1 parsed, 1 already there' in call('parse_text', '--texts', 'more.txt', *args,
                                               '--parser-args', 'ending=')
    (folder / 'a.mp4').write_bytes(b'x')
    call('parse_video', '--videos', 'a.mp4', '--import', 'parsers_of_test', '--parser',
         'FileSizeParser', '--quiet', '--out', 'store', '--workers', 0)
    shown = call('inspect', 'store')
    assert '"FirstWordParser"' in shown and '"FileSizeParser"' in shown


def test_overwriting_a_store_in_part_and_whole(folder, call):
    (folder / 'mine.txt').write_text('dogs run\n')
    (folder / 'all.txt').write_text('dogs run\ncats sit\n')
    args = ('--out', 'store', '--workers', 0, *TEXT)
    call('parse_text', '--texts', 'all.txt', *args)
    other = (*args, '--parser-args', 'ending=x')
    call('parse_text', '--texts', 'mine.txt', *other, '--overwrite')
    # one text of each: neither parser may go on as if the other had not been there
    for again in (args, other):
        assert 'FirstWordParser and FirstWordParser(ending="x")' in call(
            'parse_text', '--texts', 'all.txt', *again, status=2)
    call('parse_text', '--texts', 'all.txt', *other, '--overwrite')
    assert GraphStore(folder / 'store').makers('text') == ['FirstWordParser(ending="x")']
    assert '0 parsed, 2 already there' in call('parse_text', '--texts', 'all.txt', *other)


@pytest.mark.parametrize(('tool', 'source', 'parser', 'args', 'message'), [
    ('parse_video', '--videos', 'DetectorVideoParser', 'clip=models/clip',
     'DetectorVideoParser takes no clip; it takes detector, scorer, '),
    ('parse_video', '--videos', 'FileSizeParser', 'size=1', 'takes no size; it takes ending'),
    ('parse_text', '--texts', 'FirstWordParser', 'endign=1', 'takes no endign; it takes ending')])
def test_an_argument_that_the_parser_lacks_is_named(folder, call, tool, source, parser, args,
                                                    message):
    (folder / 'list.txt').write_text('clip.mp4\n')
    out = call(tool, source, 'list.txt', '--out', 'store', '--import', 'parsers_of_test',
               '--parser', parser, '--parser-args', args, '--workers', 2, status=2)
    assert message in out and 'TypeError' not in out
    assert not (folder / 'store').exists()


def test_examples_of_the_help_give_arguments_that_exist():
    """The parser arguments of the built-in parsers in the tools' own examples."""
    import inspect
    shown = 0
    for tool in ('parse_video', 'parse_text'):
        page = (TOOLS / f'{tool}.py').read_text().split('"""')[1].replace('\\\\\n', ' ')
        for line in page.splitlines():
            words = line.split()
            if '--parser-args' not in words or SG_PARSERS.get(
                    words[words.index('--parser') + 1]) is None:
                continue
            taken = inspect.signature(SG_PARSERS.get(words[words.index('--parser') + 1]))
            given = [w.split('=')[0] for w in words[words.index('--parser-args') + 1:] if '=' in w]
            assert given and set(given) <= set(taken.parameters), line
            shown += 1
    assert shown == 2


def test_inspect_does_not_hide_the_standard_library(folder):
    done = subprocess.run(**command(folder, 'inspect', '--help'), timeout=120)
    assert done.returncode == 0 and '--verify' in done.stdout
    done = subprocess.run([sys.executable, '-c', 'import inspect, dataclasses; '
                           'print(inspect.signature(len))'], cwd=TOOLS, text=True,
                          capture_output=True, timeout=60)
    assert done.stdout.strip() == '(obj, /)', done.stderr

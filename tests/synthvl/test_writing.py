"""The generator: complete, deterministic, resumable after kill -9."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from finsta.structures import DynamicSceneGraph, SceneGraph
from finsta.synthvl.world import make_scene
from finsta.synthvl.writing import Plan, generate

TINY = dict(size='tiny', counts=(5, 2, 2), pairs=1, chunk=4)
ROOT = Path(__file__).parents[2]
PATIENCE = 240   # seconds


def _bytes(root):
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob('*'))
            if p.is_file()}


def _rows(path):
    with gzip.open(path, 'rt') as file:
        return [json.loads(line) for line in file]


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    out = tmp_path_factory.mktemp('whole') / 'msvd'
    summary = generate(Plan(**TINY), out, progress=False)
    return out, summary


def test_gold_reads_back_for_every_video(whole):
    out, summary = whole
    videos = {p.stem for p in (out / 'YouTubeClips').iterdir()}
    assert len(videos) == 9 + 2 * 9 and summary['minimal_pairs'] == 9
    rows = _rows(out / 'gold' / 'videos.jsonl.gz')
    assert {r['video_id'] for r in rows} == videos
    assert all(DynamicSceneGraph.from_dict(r['dsg']).video == r['video_id'] for r in rows)
    texts = _rows(out / 'gold' / 'texts.jsonl.gz')
    assert all(SceneGraph.from_dict(r['tsg']).text == r['text'] for r in texts)
    pairs = json.loads((out / 'minimal_pairs.json').read_text())
    known = {(r['video_id'], r['text']) for r in texts}
    for pair in pairs:
        assert set(pair['videos']) <= videos
        assert {(v, c) for v, c in zip(pair['videos'], pair['captions'], strict=True)} <= known
    listed = {line for split in ('train', 'val', 'test')
              for line in (out / f'{split}_list.txt').read_text().split()}
    assert not listed & {v for p in pairs for v in p['videos']}


def test_gold_names_the_background_of_each_video(tmp_path):
    difficulty = dict(backgrounds=('moving', 'noise'), staged=0.0)
    generate(Plan(size='tiny', counts=(6, 0, 0), pairs=0, chunk=4, difficulty=difficulty),
             tmp_path / 'msvd', progress=False)
    rows = _rows(tmp_path / 'msvd' / 'gold' / 'videos.jsonl.gz')
    found = [make_scene(0, i, **difficulty).background.kind for i in range(6)]
    assert [r['background'] for r in rows] == found and set(found) == {'moving', 'noise'}
    shots = make_scene(0, 0, backgrounds=('plain', 'gradient'), shots=(6, 6))
    assert shots.background_kind == 'gradient+plain'


def test_a_second_call_does_nothing_and_another_plan_is_refused(whole):
    out, summary = whole
    before = {p: p.stat().st_mtime_ns for p in out.rglob('*')}
    assert generate(Plan(**TINY), out, progress=False) == summary
    assert before == {p: p.stat().st_mtime_ns for p in out.rglob('*')}
    with pytest.raises(FileExistsError, match='seed=0'):
        generate(Plan(**TINY, seed=1), out, progress=False)


def test_two_workers_write_the_same_bytes(whole, tmp_path):
    generate(Plan(**TINY), tmp_path / 'two', workers=2, progress=False)
    assert _bytes(tmp_path / 'two') == _bytes(whole[0])


def _killed(out, when, workers=1, **plan):
    """Run and kill (-9) at a fixed point, however fast or slow the machine is.

    Args:
        when: 'third clip' (of one process) or 'first chunk' (known to the workers' parent).
    """
    code = f'''
import multiprocessing, os, signal
from pathlib import Path
import tqdm
from finsta.synthvl import writing

def kill(*args, **kwargs):
    print(*[p.pid for p in multiprocessing.active_children()], flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

class Bar(tqdm.tqdm):
    update = kill

def write_video(path, *args):
    if len(list(path.parent.iterdir())) == 2:
        kill()
    write(path, *args)

if {when!r} == 'first chunk':
    tqdm.tqdm = Bar
else:
    write, writing.write_video = writing.write_video, write_video
writing.generate(writing.Plan(**{TINY!r}), Path({str(out)!r}), workers={workers}, progress=False)
'''
    done = subprocess.run([sys.executable, '-c', code], cwd=ROOT, stdout=subprocess.PIPE,
                          env={**os.environ, 'PYTHONPATH': str(ROOT)}, text=True,
                          timeout=PATIENCE)
    assert done.returncode == -signal.SIGKILL
    assert not (out / 'synthvl.json').exists()
    pids = done.stdout.split()
    assert len(pids) == (workers if workers > 1 else 0)
    assert _ended(pids)


@pytest.mark.slow
def test_killed_and_resumed_equals_uninterrupted(whole, tmp_path):
    out = tmp_path / 'killed'
    _killed(out, 'third clip')
    assert len(list(out.glob('YouTubeClips/*.avi'))) == 2
    # what a killed encoder leaves
    (out / 'YouTubeClips' / '.SynthVL0009_0_3.part.avi').write_bytes(b'half')
    generate(Plan(**TINY), out, progress=False)
    assert _bytes(out) == _bytes(whole[0])


@pytest.mark.slow
def test_killed_with_two_workers_and_resumed_equals_uninterrupted(whole, tmp_path):
    out = tmp_path / 'killed'
    _killed(out, 'first chunk', workers=2)
    assert list(out.glob('.parts/0*.json'))
    generate(Plan(**TINY), out, workers=2, progress=False)
    assert _bytes(out) == _bytes(whole[0])


@pytest.mark.slow
def test_a_worker_stops_in_the_middle_of_its_chunk_when_the_run_is_killed(tmp_path):
    """So that none writes beside the resumed run; left alone, it would finish its chunk."""
    if not Path('/proc/self/task').exists():
        pytest.skip('needs /proc')
    # a chunk takes minutes: none is finished before the kill, on no machine
    plan = dict(size='tiny', counts=(40_000, 0, 0), pairs=0, chunk=20_000)
    out = tmp_path / 'killed'
    code = ('from pathlib import Path; from finsta.synthvl.writing import Plan, generate; '
            f'generate(Plan(**{plan!r}), Path({str(out)!r}), workers=2, progress=False)')
    process = subprocess.Popen([sys.executable, '-c', code], cwd=ROOT,
                               env={**os.environ, 'PYTHONPATH': str(ROOT)})
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and not list(out.glob('YouTubeClips/*.avi')):
        time.sleep(0.01)
    workers = Path(f'/proc/{process.pid}/task/{process.pid}/children').read_text().split()
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert len(workers) >= 2
    assert _ended(workers)
    assert not list(out.glob('.parts/0*'))


def _ended(pids):
    end = time.monotonic() + 60
    while time.monotonic() < end and any(map(_running, pids)):
        time.sleep(0.01)
    return not any(map(_running, pids))


def _running(pid):
    try:
        return Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()[0] != 'Z'
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_wrong_plans_are_named():
    for options, word in ((dict(layout='vhs'), 'vhs'), (dict(counts=(0, 0, 0)), 'counts'),
                          (dict(difficulty={'colour': 1}), 'colour')):
        with pytest.raises((TypeError, ValueError), match=word):
            Plan(**options)

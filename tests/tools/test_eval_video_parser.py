"""eval_video_parser.py on a small world of two backgrounds."""

import gzip
import importlib.util
import json

import numpy as np
import pytest

from finsta.synthvl.writing import Plan, generate
from tests.conftest import REPO

pytest.importorskip('motmetrics')
pytest.importorskip('cv2')
GOLD = ['--parser', 'AnnotationVideoParser', '--cfg-options', 'layout=synthvl']


@pytest.fixture(scope='module')
def world(tmp_path_factory):
    """Five clips, two of them staged; backgrounds as they were drawn."""
    root = tmp_path_factory.mktemp('world') / 'msvd'
    generate(Plan(size='tiny', counts=(5, 0, 0), pairs=0, difficulty=dict(
        backgrounds=('plain', 'moving'), staged=0.0)), root, progress=False)
    return root


def rows(world):
    with gzip.open(world / 'gold' / 'videos.jsonl.gz', 'rt') as file:
        return [json.loads(line) for line in file]


@pytest.fixture()
def run(world, tmp_path, capsys):
    spec = importlib.util.spec_from_file_location(
        'eval_video_parser', REPO / 'tools' / 'analysis' / 'eval_video_parser.py')
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)

    def call(*args, data=world, status=0):
        out = tmp_path / 'out.json'
        try:
            got = tool.main(['--data', str(data), '--json', str(out), *map(str, args)])
        except SystemExit as end:
            got = end.code
        printed = capsys.readouterr()
        assert got == status, printed.err
        return (json.loads(out.read_text()), printed.out) if status == 0 else printed.err
    call.tool = tool
    return call


def gold_parser(world):
    return [*GOLD, f'ann_file={world}/gold/videos.jsonl.gz']


def test_gold_scores_one_on_every_background(run, world):
    data, printed = run(*gold_parser(world))
    kinds = {r['background'] for r in rows(world)}
    assert kinds == {'plain', 'moving'} and set(data['scores']) == {'all', *kinds}
    for scores in data['scores'].values():
        assert {scores[k] for k in ('object recall', 'IDF1', 'predicate F1')} == {1.0}
    assert sum(data['backgrounds'].values()) == data['videos'] == 5
    assert 'moving' in printed and 'predicate' in printed


def test_each_clip_counts_for_its_own_background(run, world, tmp_path):
    """One graph of a moving clip is emptied: the others stay at 1."""
    wrong = rows(world)
    target = next(r for r in wrong if r['background'] == 'moving')
    for frame in target['dsg']['frames']:
        frame['nodes'], frame['edges'] = [], []
    target['dsg'].pop('coreference', None), target['dsg'].pop('predecessors', None)
    with open(tmp_path / 'wrong.jsonl', 'w') as file:
        file.writelines(json.dumps(r) + '\n' for r in wrong)
    scores = run(*GOLD, f'ann_file={tmp_path}/wrong.jsonl')[0]['scores']
    assert scores['plain']['object recall'] == 1.0
    assert scores['moving']['object recall'] < scores['all']['object recall'] < 1.0


def test_limit_is_of_each_background(run, world):
    data, _ = run('--limit', 1, *gold_parser(world))
    assert data['backgrounds'] == {'plain': 1, 'moving': 1}


def test_gold_that_names_no_background_is_scored_as_a_whole(run, world, tmp_path):
    old = tmp_path / 'old'
    (old / 'gold').mkdir(parents=True)
    (old / 'YouTubeClips').symlink_to(world / 'YouTubeClips')
    with gzip.open(old / 'gold' / 'videos.jsonl.gz', 'wt') as file:
        for row in rows(world):
            del row['background']
            file.write(json.dumps(row) + '\n')
    data, _ = run(*gold_parser(world), data=old)
    assert list(data['scores']) == ['all'] and data['videos'] == 5


def test_noise_reaches_the_pixels_that_the_parser_sees(run):
    seen = []
    args = ('--limit', 1, '--parser', 'MotionVideoParser', '--cfg-options', 'max_frames=12',
            '--pixel-noise')
    for sd, seed in ((12, 0), (12, 0), (12, 1)):
        seen.append(run(*args, sd, '--seed', seed)[0]['scores'])
    first, again, other = seen
    assert set(first) == {k + s for k in ('all', 'plain', 'moving')
                          for s in ('', ', pixel noise 12')}
    assert first == again                                   # seeded
    assert first['all'] == other['all'] and first != other  # and the clean run has no noise
    assert first['all, pixel noise 12'] != first['all']


def test_noise_has_the_strength_asked_for(run):
    grey = np.full((4, 64, 64, 3), 128, np.uint8)
    noisy = run.tool.add_pixel_noise(grey, 10.0, np.random.default_rng(0))
    assert noisy.dtype == np.uint8 and noisy.std() == pytest.approx(10, rel=0.05)
    assert noisy.mean() == pytest.approx(128, abs=0.5)
    white = run.tool.add_pixel_noise(np.full_like(grey, 255), 10.0, np.random.default_rng(0))
    assert white.min() > 150                                # cut off, not wrapped around


def test_a_parser_without_pixels_and_a_folder_without_videos_are_named(run, world, tmp_path):
    assert 'looks at no frames' in run(*gold_parser(world), '--pixel-noise', 5, status=2)
    (tmp_path / 'gold').mkdir()
    (tmp_path / 'gold' / 'videos.jsonl.gz').write_bytes(
        (world / 'gold' / 'videos.jsonl.gz').read_bytes())
    assert 'make_synthvl.py' in run(*gold_parser(world), data=tmp_path, status=2)


def test_corrupted_gold_is_scored_per_knob(run):
    data, _ = run('--only-noise', '--noise', 0.5)
    noise = data['noise']
    assert noise['drop 0.5']['object precision'] == 1.0 > noise['drop 0.5']['object recall']
    assert noise['relabel 0.5']['object recall'] == 1.0 > noise['relabel 0.5']['label accuracy']
    assert 'scores' not in data


def test_the_file_says_how_it_was_made(run, world):
    data, _ = run(*gold_parser(world), '--seed', 3, '--workers', 1)
    for part in ('tools/analysis/eval_video_parser.py', '--parser AnnotationVideoParser',
                 'layout=synthvl', '--seed 3', '--workers 1', '--json'):
        assert part in data['command']
    assert {'commit', 'machine', 'threads', 'versions'} <= set(data)

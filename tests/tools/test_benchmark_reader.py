"""benchmark_reader.py on one small clip."""

import importlib.util
import json

import pytest

from tests.conftest import REPO

pytest.importorskip('decord')
pytest.importorskip('av')


def test_a_clip_of_one_s_own_is_measured_and_named(tmp_path, capsys):
    spec = importlib.util.spec_from_file_location(
        'benchmark_reader', REPO / 'tools' / 'analysis' / 'benchmark_reader.py')
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    clip = tool.make_clip(tmp_path / 'mine.mp4', 64, 48, seconds=1)
    out = tmp_path / 'out.json'
    assert tool.main(['--videos', str(clip), '--num-frames', '2', '--rounds', '1', '--out',
                      str(out)]) == 0
    data = json.loads(out.read_text())
    assert f'--videos {clip} --num-frames 2' in data['command']
    assert {'commit', 'machine', 'threads', 'versions'} <= set(data)
    (row,) = data['files']
    assert row['file'] == 'mine.mp4' and row['frames'] == 30
    assert row['ratio_to_bare_decord']['bare_decord'] == 1.0
    assert set(row['frames_per_second']) == set(row['ratio_to_bare_decord'])

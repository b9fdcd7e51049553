import importlib.util
import json

import pytest

from finsta.engine.launch import UsageError


@pytest.fixture()
def tool_module(repo_root):
    spec = importlib.util.spec_from_file_location(
        'analyze_logs', repo_root / 'tools' / 'analysis' / 'analyze_logs.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _write(path, rows, tail=''):
    path.parent.mkdir(parents=True)
    path.write_text(''.join(json.dumps(row) + '\n' for row in rows) + tail)


@pytest.fixture()
def run(tmp_path):
    """A run that was killed in the middle of a line after step 3 and resumed at step 2."""
    rows = [{'loss': 10.0 - s, 'time': 0.5, 'data_time': 0.1, 'step': s} for s in (1, 2, 3)]
    _write(tmp_path / 'run' / '20260101_000000' / 'vis_data' / 'scalars.json', rows, '{"loss": 4')
    rows = [{'loss': 5.0 - s, 'time': 0.5, 'data_time': 0.1, 'step': s} for s in (3, 4)]
    _write(tmp_path / 'run' / '20260101_010000' / 'vis_data' / 'scalars.json', rows)
    return str(tmp_path / 'run')


def test_starts_are_joined_and_the_later_counts(tool_module, run):
    assert tool_module.read_run(run)['loss'] == {1: 9.0, 2: 8.0, 3: 2.0, 4: 1.0}


def test_table_and_speed(tool_module, run):
    line = tool_module.table([run], ['loss'], last=2)[1].split()
    assert line == ['run', 'loss', '4', '9', '1', '9', '1.5']
    assert tool_module.speed([run])[0].startswith('run: 0.5000 s per iteration')


def test_plot(tool_module, run, tmp_path):
    pytest.importorskip('matplotlib')
    tool_module.plot([run, run], ['loss', 'time'], str(tmp_path / 'c.png'))
    assert (tmp_path / 'c.png').read_bytes().startswith(b'\x89PNG')


def test_what_is_not_there(tool_module, run, tmp_path):
    with pytest.raises(FileNotFoundError, match=r'no scalars\.json'):
        tool_module.read_run(str(tmp_path / 'none'))
    with pytest.raises(UsageError, match='has no nope; it has data_time, loss, time'):
        tool_module.table([run], ['nope'], 5)


def test_broken_line_in_the_middle_is_named(tool_module, tmp_path):
    _write(tmp_path / 'bad' / 'scalars.json', [], 'not json\n{"loss": 1, "step": 1}\n')
    with pytest.raises(UsageError, match=r'scalars\.json, line 1'):
        tool_module.read_run(str(tmp_path / 'bad'))

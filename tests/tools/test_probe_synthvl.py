"""The leak probe on a generated folder: its own questions, and what it refuses."""

import json

import pytest

from finsta.synthvl.writing import Plan, generate


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp('world') / 'msvd'
    generate(Plan(size='tiny', counts=(12, 1, 6), pairs=1), out, progress=False)
    return out


def test_figures_of_a_folder(tool, folder, tmp_path):
    done = tool('analysis/probe_synthvl.py', '--data', folder, '--pairs', 12, '--out', 'p.json')
    assert done.returncode == 0, done.stderr
    data = json.loads((tmp_path / 'p.json').read_text())
    assert data['command'].startswith('python tools/analysis/probe_synthvl.py --data')
    asked = json.loads((folder / 'test_qa.json').read_text())
    kinds = {k: v for k, v in data['questions'].items() if k != 'all'}
    assert data['questions']['all']['count'] == len(asked) == sum(
        v['count'] for v in kinds.values())
    assert len(data['pairs']) == 9
    assert all(row['same_words'] == row['pairs'] == 1 for row in data['pairs'].values())
    assert data['planted']['one_frame'] > data['pairs']['order']['one_frame']
    assert f'{kinds["yes_no"]["words"]:.3f}' in done.stdout and 'planted' in done.stdout


def test_a_folder_of_other_questions_is_refused(tool, folder, tmp_path):
    for name in ('synthvl.json', 'train_qa.json', 'test_qa.json', 'minimal_pairs.json'):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    rows = json.loads((tmp_path / 'test_qa.json').read_text())
    rows[0]['answer'] = 'another'
    (tmp_path / 'test_qa.json').write_text(json.dumps(rows))
    done = tool('analysis/probe_synthvl.py', '--data', tmp_path)
    assert done.returncode == 2 and 'test_qa.json holds other questions' in done.stderr
    summary = json.loads((tmp_path / 'synthvl.json').read_text())
    summary['plan']['version'] += 1
    (tmp_path / 'synthvl.json').write_text(json.dumps(summary))
    done = tool('analysis/probe_synthvl.py', '--data', tmp_path)
    assert done.returncode == 2 and 'make it anew' in done.stderr


def test_no_folder_is_named(tool, tmp_path):
    done = tool('analysis/probe_synthvl.py', '--data', tmp_path / 'none')
    assert done.returncode == 2 and 'make_synthvl.py' in done.stderr

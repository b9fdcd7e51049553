"""The capacity probe on four pairs: runs, learns what it is shown, writes what it prints."""

import json


def test_probe_runs_and_reports(tool, tmp_path):
    done = tool('analysis/probe_pairs.py', '--factors', 'counting', '--pairs', 4, '--test-pairs',
                3, '--steps', 2, '--batch-size', 2, '--threads', 1, '--out', 'probe.json')
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / 'probe.json').read_text())
    assert result['command'].startswith('python tools/analysis/probe_pairs.py --factors counting')
    assert set(result['after']) == set(result['before']) == {'itc', 'itm'}
    assert result['after'] != result['before']
    for kind, found in result['after'].items():
        assert found['group'] == found['counting_group'] == found['mean_group']
        assert f'-> {found["mean_group"]:.1f} %' in done.stdout and kind in done.stdout

"""study.py as a command, with no step run: what it writes beside the figures."""

import json
import runpy
import sys

from finsta.apis.study import Study
from tests.conftest import REPO


def test_the_commits_are_those_of_the_steps(tmp_path, monkeypatch, capsys):
    """Not that of the checkout at the time: it may have moved on since, or before --collect."""
    monkeypatch.setattr('finsta.utils.provenance.commit', lambda folder: 'head')
    monkeypatch.setattr(Study, 'run', lambda self: {
        'plain': {'pairs': {'pairs/mean_group': {'mean': 1.0, 'values': [1.0]}}}})
    monkeypatch.setattr(Study, 'minutes', lambda self: {})
    monkeypatch.setattr(Study, 'commits', lambda self: ['abc', 'unknown'])
    monkeypatch.chdir(tmp_path)
    out = tmp_path / 'out.json'
    monkeypatch.setattr(sys, 'argv', ['study.py', '--arms', 'plain', '--tasks', 'pairs', '--seeds',
                                      '4', '--threads', '3', '--out', str(out)])
    runpy.run_path(str(REPO / 'tools' / 'analysis' / 'study.py'), run_name='__main__')
    data = json.loads(out.read_text())
    assert data['commits'] == ['abc', 'unknown'] and 'commit' not in data
    assert data['command'] == ('python tools/analysis/study.py --arms plain --tasks pairs '
                               f'--seeds 4 --threads 3 --out {out}')
    assert (data['seeds'], data['threads']) == ([4], 3) and 'SynthVL' in data['data']
    assert 'cores' in data['machine'] and data['results']

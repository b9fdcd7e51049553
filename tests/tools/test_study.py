"""study.py as a command, with no step run: what it writes beside the figures."""

import json
import runpy
import sys

from finsta.apis.study import Study
from tests.conftest import REPO


def test_the_commit_is_that_of_the_start(tmp_path, monkeypatch, capsys):
    """While a long study runs, the checkout moves on."""
    head = ['before']
    monkeypatch.setattr('finsta.utils.provenance.commit', lambda folder: head[0])

    def run(self):
        head[0] = 'after'
        return {'plain': {'pairs': {'pairs/mean_group': {'mean': 1.0, 'values': [1.0]}}}}
    monkeypatch.setattr(Study, 'run', run)
    monkeypatch.setattr(Study, 'minutes', lambda self: {})
    monkeypatch.chdir(tmp_path)
    out = tmp_path / 'out.json'
    monkeypatch.setattr(sys, 'argv', ['study.py', '--arms', 'plain', '--tasks', 'pairs', '--seeds',
                                      '4', '--threads', '3', '--out', str(out)])
    runpy.run_path(str(REPO / 'tools' / 'analysis' / 'study.py'), run_name='__main__')
    data = json.loads(out.read_text())
    assert data['commit'] == 'before'
    assert data['command'] == ('python tools/analysis/study.py --arms plain --tasks pairs '
                               f'--seeds 4 --threads 3 --out {out}')
    assert (data['seeds'], data['threads']) == ([4], 3) and 'SynthVL' in data['data']
    assert 'cores' in data['machine'] and data['results']

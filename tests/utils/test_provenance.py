"""What stands beside a figure: the command as typed, the commit and whether it was all of it."""

import json
import os
import shutil
import subprocess
import sys

import numpy
import pytest
import torch

from finsta.utils.provenance import commit, provenance


@pytest.fixture
def checkout(tmp_path):
    if shutil.which('git') is None:
        pytest.skip('needs git')
    tool = tmp_path / 'tools' / 'analysis' / 'measure.py'
    tool.parent.mkdir(parents=True)
    tool.write_text('one\n')

    def git(*args):
        # no identity and no settings of whoever runs the tests
        env = {**os.environ, 'GIT_CONFIG_GLOBAL': os.devnull, 'GIT_CONFIG_SYSTEM': os.devnull}
        return subprocess.run(['git', '-c', 'user.name=t', '-c', 'user.email=t@t', *args],
                              cwd=tmp_path, env=env, check=True, text=True,
                              capture_output=True).stdout.strip()
    git('init', '-q')
    git('add', '.')
    git('commit', '-q', '-m', 'first')
    return tool, git


def test_commit_tells_whether_the_tree_was_it(checkout):
    tool, git = checkout
    head = git('rev-parse', '--short', 'HEAD')
    git('tag', '-a', 'v1', '-m', 'a tag must not take its place')
    assert commit(tool.parent) == head
    tool.write_text('two\n')
    assert commit(tool.parent) == f'{head}-dirty'


def test_outside_of_a_checkout_there_is_no_commit(tmp_path, monkeypatch):
    assert commit(tmp_path) == ''
    monkeypatch.setenv('PATH', str(tmp_path))          # no git at all
    assert commit(tmp_path) == ''


def test_command_is_as_typed_and_the_rest_is_json(checkout, monkeypatch):
    tool, _ = checkout
    monkeypatch.setattr(sys, 'argv', [str(tool), '--options', 'a=[1, 2]', '--seed', '3'])
    facts = provenance(tool)
    assert facts['command'] == "python tools/analysis/measure.py --options 'a=[1, 2]' --seed 3"
    assert provenance(tool, ['--x'])['command'] == 'python tools/analysis/measure.py --x'
    assert json.loads(json.dumps(facts)) == facts
    assert facts['threads'] == torch.get_num_threads()
    assert facts['versions']['torch'] == torch.__version__
    assert facts['versions']['numpy'] == numpy.__version__
    assert f'{os.cpu_count()} cores' in facts['machine']


def test_a_gpu_is_named(checkout, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'get_device_name', lambda: 'Some GPU')
    machine = provenance(checkout[0])['machine']
    assert 'Some GPU' in machine and 'no GPU' not in machine

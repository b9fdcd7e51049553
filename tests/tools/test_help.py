"""Every option of every command says what it is for."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
NO_OPTIONS = {'tools/misc/import_all.py'}
COMMANDS = sorted(
    path.relative_to(REPO).as_posix() for folder in ('tools', 'demo', 'finsta')
    for path in (REPO / folder).rglob('*.py')
    if '.mim' not in path.parts and "__name__ == '__main__'" in path.read_text())
COMMANDS = [name for name in COMMANDS if name not in NO_OPTIONS]
# runs each file up to the point where its options are read, in one process
LOOK = '''
import argparse, json, pathlib, runpy, sys

class Found(BaseException):
    pass

def stop(parser, *args, **kwargs):
    raise Found(parser)

argparse.ArgumentParser.parse_args = argparse.ArgumentParser.parse_known_args = stop
told = {}
for name in sys.argv[1:]:
    sys.argv = [name]
    sys.path.insert(0, str(pathlib.Path(name).parent))
    try:
        runpy.run_path(name, run_name='__main__')
    except Found as found:
        parser = found.args[0]
        told[name] = dict(text=parser.format_help(), bare=[
            a.option_strings[-1] if a.option_strings else a.dest
            for a in parser._actions if not (a.help or '').strip()])
    sys.path.pop(0)
print('\\n' + json.dumps(told))
'''


@pytest.fixture(scope='module')
def told() -> dict[str, dict]:
    """file -> its help, and the options without one."""
    done = subprocess.run([sys.executable, '-c', LOOK, *COMMANDS], cwd=REPO, text=True,
                          capture_output=True, timeout=200,
                          env={**os.environ, 'PYTHONPATH': str(REPO), 'OMP_NUM_THREADS': '1'})
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize('name', COMMANDS)
def test_every_option_has_a_help_text(told, name):
    assert name in told, f'{name} reads no options'
    assert told[name]['bare'] == []


@pytest.mark.parametrize('name', ['tools/train.py', 'tools/test.py'])
def test_help_shows_a_key_that_configs_have(told, name):
    from mmengine.config import Config
    text = ' '.join(told[name]['text'].split())
    keys = [word.split('=')[0] for word in text.split() if '=' in word and '.' in word]
    assert keys
    config = Config.fromfile(REPO / 'configs/finsta/videoqa_msvd.py')
    for key in keys:
        node = config
        for part in key.split('.'):
            assert part in node, f'{key}: no {part!r} in {sorted(node)}'
            node = node[part]

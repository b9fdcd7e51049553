"""A forked program behaves as one that was started from the command line."""

import os
import signal
import subprocess
import sys

import pytest

from tests.utils.programs import run_program

PROGRAM = '''
import os, signal, sys, torch, helper
if __name__ == '__main__':
    print(sys.argv[1:], os.getcwd(), os.environ.get('COLOUR'), helper.__name__)
    print('aside', file=sys.stderr)
    x = torch.ones(2, requires_grad=True)
    x.sum().backward()
    kind = sys.argv[1]
    if kind == 'raise':
        raise ValueError('no such thing')
    if kind == 'kill':
        sys.stdout.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    sys.exit({'status': 3, 'sentence': 'stopped: why', 'end': None}[kind])
'''


@pytest.mark.slow
def test_a_forked_program_is_a_started_program(tmp_path):
    script = tmp_path / 'program.py'
    script.write_text(PROGRAM)
    (tmp_path / 'helper.py').write_text('')
    folder = tmp_path / 'there'
    folder.mkdir()
    env = {**os.environ, 'COLOUR': 'red'}
    for kind, status in (('end', 0), ('status', 3), ('sentence', 1), ('raise', 1),
                         ('kill', -signal.SIGKILL)):
        done = run_program(script, kind, 7, cwd=folder, env=env)
        assert done.returncode == status, done.stderr
        assert done.stdout == f"['{kind}', '7'] {folder} red helper\n"
        assert done.stderr.startswith('aside\n')
        if kind == 'end':
            real = subprocess.run([sys.executable, str(script), kind, '7'], cwd=folder, env=env,
                                  capture_output=True, text=True, timeout=200)
            assert (real.returncode, real.stdout, real.stderr) == (0, done.stdout, done.stderr)
        if kind == 'sentence':
            assert done.stderr == 'aside\nstopped: why\n'
        if kind == 'raise':
            assert 'Traceback' in done.stderr and 'ValueError: no such thing' in done.stderr
    assert 'COLOUR' not in os.environ and os.getcwd() != str(folder)


def test_a_program_that_hangs_is_killed(tmp_path):
    script = tmp_path / 'hang.py'
    script.write_text('import time\nprint("begun", flush=True)\ntime.sleep(600)\n')
    with pytest.raises(subprocess.TimeoutExpired):
        run_program(script, cwd=tmp_path, timeout=10)

"""Run files of tools/ as separate processes, without each importing torch and the rest anew.

A clean process imports the libraries once and forks for every call (Python's fork server); it has
run nothing itself. A call has its own folder, environment, arguments, output and exit status, as
on the command line.
"""

import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

# what all the programs import sooner or later
_PRELOAD = ['torch', 'transformers.models.clip.modeling_clip', 'mmengine.runner',
            'mmengine.visualization', 'finsta.engine.runner', 'finsta.models', 'finsta.datasets',
            'finsta.evaluation', 'finsta.parsing']


def clean_context() -> multiprocessing.context.ForkServerContext:
    """Processes forked from one that has imported the libraries and run nothing (autograd and
    gloo must not be forked once they have run)."""
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload(_PRELOAD)
    return context


def _become(script: str, args: Sequence[str], cwd: str, env: Mapping[str, str], out: str) -> None:
    """In the forked process: turn into ``python script args``."""
    for stream, name in ((1, 'out'), (2, 'err')):
        file = os.open(os.path.join(out, name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(file, stream)
        os.close(file)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.argv = [script, *args]
    sys.path[:0] = [os.path.dirname(script),
                    *filter(None, env.get('PYTHONPATH', '').split(os.pathsep))]
    runpy.run_path(script, run_name='__main__')


def run_program(script: str | Path, *args: object, cwd: str | Path,
                env: Mapping[str, str] | None = None, timeout: float = 200,
                ) -> subprocess.CompletedProcess:
    """``python script args`` in the folder ``cwd``; text output, negative status = a signal.

    Args:
        env: the whole environment; None = this process's.

    Raises:
        subprocess.TimeoutExpired: after ``timeout`` seconds; the process is killed.
    """
    context = clean_context()
    command = [str(script), *map(str, args)]
    with tempfile.TemporaryDirectory() as out:
        process = context.Process(target=_become, args=(
            command[0], command[1:], str(cwd), dict(os.environ if env is None else env), out))
        process.start()
        process.join(timeout)
        ended = process.exitcode is not None
        if not ended:
            process.kill()
            process.join()
        texts = [path.read_text(encoding='utf-8', errors='replace') if path.is_file() else ''
                 for path in (Path(out) / 'out', Path(out) / 'err')]
    if not ended:
        raise subprocess.TimeoutExpired(command, timeout, *texts)
    return subprocess.CompletedProcess(command, process.exitcode, *texts)

"""Settings of the whole suite: CPU, offline, one thread, seeded, and where the real data are."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

# before torch and transformers are imported
os.environ.setdefault('HF_HUB_OFFLINE', '1')
os.environ.setdefault('TOKENIZERS_PARALLELISM', 'false')
os.environ.setdefault('DGLBACKEND', 'pytorch')
os.environ.setdefault('OMP_NUM_THREADS', '1')

import pytest
import torch

REPO = Path(__file__).resolve().parents[1]
# tests share helpers: from tests.utils.dist import run_processes
sys.path.insert(0, str(REPO))


@pytest.fixture(scope='session')
def repo_root() -> Path:
    """Root of the checkout."""
    return REPO


@pytest.fixture(scope='session')
def shared_data() -> Path:
    """Folder with the real clips and annotations, or a skip that says so."""
    path = Path(os.environ.get('FINSTA_SHARED_DATA', REPO.parent / 'shared' / 'data'))
    if not path.is_dir():
        pytest.skip(f'no real data at {path} (FINSTA_SHARED_DATA names another folder)')
    return path


@pytest.fixture(autouse=True)
def fixed_seed():
    """Every test begins with the same global random numbers."""
    torch.manual_seed(0)


@pytest.fixture(autouse=True, scope='session')
def few_threads():
    """The suite shares its cores."""
    torch.set_num_threads(1)


WORLD = REPO / 'tests' / 'engine' / 'world'


@pytest.fixture()
def toy_config(tmp_path, monkeypatch) -> Path:
    """Path of a config of a toy model and data set; it inherits the real default_runtime.py."""
    monkeypatch.syspath_prepend(str(WORLD))
    text = (WORLD / 'toy.py').read_text()
    base = REPO / 'configs' / '_base_' / 'default_runtime.py'
    path = tmp_path / 'toy.py'
    path.write_text(text.replace('BASE_RUNTIME', str(base)))
    return path


@pytest.fixture(scope='session')
def tool_in():
    """``tool_in(folder)('train.py', *args)`` runs a file of tools/ in the folder; a
    CompletedProcess."""
    from tests.utils.programs import run_program

    def of(folder: Path) -> Callable[..., subprocess.CompletedProcess]:
        def run(name: str, *args: object, **env: str) -> subprocess.CompletedProcess:
            script = REPO / 'tools' / name
            env = {**os.environ, 'PYTHONPATH': os.pathsep.join([str(REPO), str(WORLD)]),
                   'OMP_NUM_THREADS': '1', 'PYTHON': sys.executable, **env}
            if script.suffix == '.py':
                return run_program(script, *args, cwd=folder, env=env)
            return subprocess.run(['bash', str(script), *map(str, args)], cwd=folder, env=env,
                                  capture_output=True, text=True, timeout=200)
        return run
    return of


@pytest.fixture()
def tool(tmp_path, tool_in):
    """``tool_in`` of the test's own folder."""
    return tool_in(tmp_path)

"""Settings of the whole suite: CPU, offline, one thread, seeded, and where the real data are."""

import os
from pathlib import Path

# before torch and transformers are imported
os.environ.setdefault('HF_HUB_OFFLINE', '1')
os.environ.setdefault('TOKENIZERS_PARALLELISM', 'false')
os.environ.setdefault('DGLBACKEND', 'pytorch')
os.environ.setdefault('OMP_NUM_THREADS', '1')

import pytest  # noqa: E402
import torch  # noqa: E402

REPO = Path(__file__).resolve().parents[1]


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

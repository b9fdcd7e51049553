"""Where a figure comes from: what a reader needs to make it again."""

import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def provenance(tool: str | os.PathLike, argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Facts for a result file; call it before the work, while the code on disk is what runs.

    Args:
        tool: ``__file__`` of a script of ``tools/<folder>/``.
        argv: its arguments; None: those of the command line.

    Returns:
        Plain JSON types:
        command: as typed. commit: short name, with ``-dirty`` where a tracked file differs from
        it, '' outside of a checkout. machine: cores, processor, GPU. threads: of torch.
        versions: of Python and the libraries that compute.
    """
    import numpy
    import torch
    path = Path(tool).resolve()
    return {'command': shlex.join(['python', '/'.join(path.parts[-3:]),
                                   *(sys.argv[1:] if argv is None else argv)]),
            'commit': commit(path.parent),
            'machine': machine(),
            'threads': torch.get_num_threads(),
            'versions': {'python': platform.python_version(), 'numpy': numpy.__version__,
                         'torch': torch.__version__}}


def machine() -> str:
    """Cores, processor, GPU."""
    import torch
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else 'no GPU'
    return f'{os.cpu_count()} cores, {platform.machine()}, {gpu}'


def commit(folder: Path) -> str:
    """Short name of the checked-out commit, with ``-dirty`` where tracked files differ from it;
    '' where there is no git or no checkout."""
    try:
        done = subprocess.run(['git', 'describe', '--always', '--dirty', '--exclude', '*'],
                              cwd=folder, text=True, capture_output=True, check=False)
    except FileNotFoundError:
        return ''
    return done.stdout.strip()

"""The wheel holds every module and data file, and the configs and tools."""

import email
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[1]
SOURCES = ('finsta', 'configs', 'tools', 'demo', 'requirements', 'setup.py', 'pyproject.toml',
           'MANIFEST.in', 'LICENSE', 'NOTICE', 'README.md', 'model-index.yml')
IGNORED = shutil.ignore_patterns('__pycache__', '*.pyc', '.mim')


@pytest.fixture(scope='module')
def wheel(tmp_path_factory) -> zipfile.ZipFile:
    """Built from a copy, so that no build folder of the checkout takes part."""
    pytest.importorskip('build', reason='pip install build')
    root = tmp_path_factory.mktemp('source')
    for name in SOURCES:
        if (REPO / name).is_dir():
            shutil.copytree(REPO / name, root / name, ignore=IGNORED)
        elif (REPO / name).is_file():
            shutil.copy2(REPO / name, root / name)
    done = subprocess.run([sys.executable, '-m', 'build', '--wheel', '--no-isolation', '.'],
                          cwd=root, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    return zipfile.ZipFile(next((root / 'dist').glob('*.whl')))


def _files(folder: Path) -> set[str]:
    return {path.relative_to(REPO).as_posix() for path in folder.rglob('*')
            if path.is_file() and '__pycache__' not in path.parts and '.mim' not in path.parts}


@pytest.mark.slow
def test_every_file_of_the_package_is_in_the_wheel(wheel):
    missing = _files(REPO / 'finsta') - set(wheel.namelist())
    assert not missing, sorted(missing)[:10]


@pytest.mark.slow
def test_configs_and_tools_are_in_the_wheel(wheel):
    inside = {name.removeprefix('finsta/.mim/') for name in wheel.namelist()}
    wanted = {name for folder in ('configs', 'tools') for name in _files(REPO / folder)}
    assert len(wanted) > 10 and not wanted - inside, sorted(wanted - inside)[:10]


@pytest.mark.slow
def test_an_unpacked_wheel_finds_its_configs_and_imports(wheel, tmp_path):
    wheel.extractall(tmp_path / 'site')
    code = (f'import sys; sys.path = [p for p in sys.path if p != {str(REPO)!r}]\n'
            f'sys.path.insert(0, {str(tmp_path / "site")!r})\n'
            'from finsta.engine.launch import find_config\n'
            'print(find_config("configs/_base_/default_runtime.py"))')
    done = subprocess.run([sys.executable, '-I', '-c', code], cwd=tmp_path, capture_output=True,
                          text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(
        tmp_path / 'site' / 'finsta' / '.mim' / 'configs' / '_base_' / 'default_runtime.py')


@pytest.mark.slow
def test_metadata(wheel):
    name = next(n for n in wheel.namelist() if n.endswith('METADATA'))
    metadata = email.message_from_bytes(wheel.read(name))
    needed = metadata.get_all('Requires-Dist')
    plain = {re.match(r'[\w-]+', line).group() for line in needed if 'extra ==' not in line}
    assert plain == {'torch', 'mmengine', 'numpy', 'setuptools'}
    assert {'runtime', 'graph', 'video', 'text', 'vis', 'tests', 'docs'} \
        <= set(metadata.get_all('Provides-Extra'))
    licences = [n for n in wheel.namelist() if n.endswith(('LICENSE', 'NOTICE'))]
    assert len(licences) == 2
    assert 'CC BY-SA 4.0' in wheel.read(next(n for n in licences if n.endswith('NOTICE'))).decode()


def _names(path: Path) -> dict[str, str]:
    """package -> the rest of its line."""
    lines = (line.split('#')[0].strip() for line in path.read_text().splitlines())
    matches = (re.match(r'([A-Za-z0-9._-]+)(.*)', line) for line in lines
               if line and not line.startswith('-r'))
    return {m.group(1).lower().replace('_', '-'): m.group(2) for m in matches}


def test_all_that_is_installed_is_pinned():
    pins = _names(REPO / 'requirements' / 'constraints.txt')
    assert all(rest.startswith('==') for rest in pins.values())
    for name in ('runtime', 'graph', 'video', 'text', 'vis', 'tests', 'docs'):
        unpinned = set(_names(REPO / 'requirements' / f'{name}.txt')) - set(pins)
        assert not unpinned, (name, unpinned)


def test_pins_lie_in_the_ranges():
    from packaging.requirements import Requirement
    pins = _names(REPO / 'requirements' / 'constraints.txt')
    for name in ('runtime', 'graph', 'video', 'text', 'vis', 'tests', 'docs'):
        for line in (REPO / 'requirements' / f'{name}.txt').read_text().splitlines():
            line = line.split('#')[0].strip()
            if line and not line.startswith('-r'):
                requirement = Requirement(line)
                version = pins[requirement.name.lower().replace('_', '-')].removeprefix('==')
                assert requirement.specifier.contains(version), (line, version)


@pytest.mark.parametrize(('file', 'wanted'), [
    ('setup.py', "python_requires='>=3.11,<3.12'"), ('pyproject.toml', 'target-version = "py311"'),
    ('README.md', 'You need Python 3.11,'), ('docs/en/get_started.md', 'You need Python 3.11:'),
    ('CONTRIBUTING.md', 'with Python 3.11:'), ('Makefile', 'PYTHON=python3.11'),
    ('requirements/constraints.txt', 'Python 3.11, CPU'),
    ('.github/workflows/ci.yml', 'python: ["3.11"]')])
def test_one_python_version_is_named_everywhere(file, wanted):
    text = (REPO / file).read_text()
    assert wanted in text
    other = re.compile(r'[Pp]ython *(?::: *)?3\.(?!11\b)\d+')
    assert not other.findall(text)


def test_make_refuses_another_python_in_a_sentence(tmp_path):
    """Before anything is installed, and without leaving a half-made environment."""
    old = tmp_path / 'old_python'
    old.write_text(f'#!/bin/sh\nexec {sys.executable} -c "import sys; '
                   'sys.version_info = (3, 10, 4); sys.argv = sys.argv[1:]; '
                   'exec(sys.argv[1])" "$@"\n')
    old.chmod(0o755)
    done = subprocess.run(['make', 'quickstart', f'PYTHON={old}', f'VENV={tmp_path / "venv"}'],
                          cwd=REPO, capture_output=True, text=True, timeout=60,
                          env={**os.environ, 'MAKEFLAGS': ''})
    assert done.returncode == 2 and 'is Python 3.10, and this project needs 3.11' in done.stderr
    assert not (tmp_path / 'venv').exists()

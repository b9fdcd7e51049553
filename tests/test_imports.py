"""The import arrows of the design hold, and every module imports without the optional packages."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / 'finsta'
SEPARATE = ('parsing', 'datasets', 'synthvl', 'models', 'evaluation', 'visualization')
# importer -> modules outside its own package that it may import; finsta/apis and finsta/engine
# stand above the separate packages and may import any
ALLOWED = {'parsing': ('finsta.datasets.transforms.video',)}   # one way to read a video
# external package -> the places that may import it
CONFINED = {
    'transformers': (
        'models/backbones/',                 # towers and tokenisers
        'parsing/text/seq2seq.py',           # the parser is a T5 of transformers
        'parsing/video/detector.py',         # detectors of transformers
        'parsing/matchers/clip_encoder.py',  # released CLIP as a label and region encoder
    ),
    'decord': ('datasets/transforms/video.py',),
    'dgl': ('models/graph/ops_dgl.py',),
    'spacy': ('parsing/text/',),
    'peft': ('models/backbones/',),
    'pyarrow': ('parsing/store/', 'utils/shards.py'),   # Parquet shards of all stores
}
OPTIONAL = ('transformers', 'decord', 'av', 'dgl', 'spacy', 'peft', 'pyarrow', 'motmetrics')


def _modules() -> list[Path]:
    return sorted(PACKAGE.rglob('*.py'))


def _absolute(node: ast.ImportFrom, path: Path) -> str:
    """Full name of what ``from ..a import b`` reads."""
    if node.level == 0:
        return node.module
    folder = path.relative_to(PACKAGE.parent).parts[:-node.level]
    return '.'.join([*folder, *([node.module] if node.module else [])])


@cache
def _imports(path: Path) -> list[tuple[str, bool]]:
    """(module, at import time) of every import in a file, ``require('x', ...)`` included."""
    found = []

    def visit(node: ast.AST, inside: bool) -> None:
        inside = inside or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        if isinstance(node, ast.Import):
            found.extend((alias.name, not inside) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = _absolute(node, path)
            found.append((module, not inside))
            found.extend((f'{module}.{alias.name}', not inside) for alias in node.names)
        elif (isinstance(node, ast.Call) and getattr(node.func, 'id', '') == 'require'
              and isinstance(node.args[0], ast.Constant)):
            found.append((node.args[0].value, not inside))
        for child in ast.iter_child_nodes(node):
            visit(child, inside)

    visit(ast.parse(path.read_text()), False)
    return found


def _name(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def _under(module: str, prefix: str) -> bool:
    return module == prefix or module.startswith(prefix + '.')


def test_the_separate_packages_meet_in_configs_only():
    wrong = []
    for path in _modules():
        own = _name(path).split('/')[0]
        if own not in SEPARATE:
            continue
        for module, _ in _imports(path):
            parts = module.split('.')
            if parts[0] == 'finsta' and len(parts) > 1 and parts[1] in SEPARATE \
                    and parts[1] != own \
                    and not any(_under(module, a) for a in ALLOWED.get(own, ())):
                wrong.append(f'{_name(path)} imports {module}')
    assert not wrong, wrong


def test_structures_and_registry_stand_at_the_bottom():
    wrong = []
    for path in _modules():
        name = _name(path)
        if name.startswith('structures/'):
            allowed = ('finsta.structures', 'finsta.utils')
        elif name.startswith('utils/'):
            allowed = ('finsta.utils',)
        elif name == 'registry.py':
            allowed = ()
        else:
            continue
        wrong += [f'{name} imports {module}' for module, _ in _imports(path)
                  if _under(module, 'finsta') and not any(_under(module, a) for a in allowed)]
    assert not wrong, wrong


def test_graph_encoders_know_no_backbone_and_backbones_no_graph():
    wrong = []
    for path in _modules():
        for own, other in (('models/graph/', 'finsta.models.backbones'),
                           ('models/backbones/', 'finsta.models.graph')):
            if _name(path).startswith(own):
                wrong += [f'{_name(path)} imports {module}' for module, _ in _imports(path)
                          if _under(module, other)]
    assert not wrong, wrong


@pytest.mark.parametrize('package', CONFINED)
def test_heavy_packages_are_imported_in_their_place_only(package):
    wrong = [_name(path) for path in _modules() for module, _ in _imports(path)
             if _under(module, package) and not _name(path).startswith(CONFINED[package])]
    assert not wrong, wrong


def test_optional_packages_are_imported_where_they_are_needed():
    wrong = [f'{_name(path)} imports {module}' for path in _modules()
             for module, at_import in _imports(path)
             if at_import and any(_under(module, o) for o in (*OPTIONAL, 'cv2', 'matplotlib',
                                                              'networkx'))]
    assert not wrong, wrong


def _python(code: str) -> str:
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True,
                          cwd=PACKAGE.parent, timeout=200)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_import_finsta_brings_torch_and_mmengine_only():
    new = _python('import sys, torch, numpy, mmengine.logging, mmengine.registry\n'
                  'before = set(sys.modules)\nimport finsta\n'
                  'print(*sorted({m.split(".")[0] for m in set(sys.modules) - before}))')
    extra = {m for m in new.split() if m not in sys.stdlib_module_names
             and m not in ('finsta', 'torch', 'mmengine', 'numpy')}
    assert not extra, extra


@pytest.mark.slow
def test_every_module_imports_without_the_optional_packages():
    done = _python(f'''
import importlib, importlib.abc, pkgutil, sys
class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in {OPTIONAL!r}:
            raise ModuleNotFoundError(f'No module named {{name!r}}', name=name)
sys.meta_path.insert(0, Absent())
import finsta
names = [m.name for m in pkgutil.walk_packages(finsta.__path__, 'finsta.')]
for name in names:
    importlib.import_module(name)
print(len(names))
''')
    assert int(done.strip().splitlines()[-1]) == len(_modules()) - 1

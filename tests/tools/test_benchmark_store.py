import importlib.util
import json
import math

from tests.conftest import REPO


def _module(name):
    spec = importlib.util.spec_from_file_location(name, REPO / 'tools' / 'analysis' / f'{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_both_tables_are_measured_and_shown(tmp_path):
    out = tmp_path / 'docs' / 'en' / 'results' / 'benchmark_store.json'
    args = ['--rows', '12', '--scenes', '2', '--frames', '3', '--rounds', '1', '--out', str(out)]
    assert _module('benchmark_store').main(args) == 0
    data = json.loads(out.read_text())
    assert list(data['tables']) == ['texts', 'videos'] and '--rows 12' in data['command']
    assert {'commit', 'machine', 'threads', 'versions'} <= set(data)
    for table in data['tables'].values():
        rates = [v for k, v in table.items() if 'wall_second' in k]
        assert len(rates) == 4 and all(math.isfinite(v) and v > 0 for v in rates)
    assert data['tables']['videos']['nodes_a_row'] > 3
    page = _module('make_tables').benchmark_store(tmp_path, '')
    assert page.count('| 12 texts |') == page.count('| 12 videos |') == 2

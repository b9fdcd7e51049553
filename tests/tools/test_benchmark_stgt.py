"""The benchmark's rows at toy size, and the density that it reads off them."""

import importlib.util
import json
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

TOOL = Path(__file__).resolve().parents[2] / 'tools' / 'analysis' / 'benchmark_stgt.py'


@pytest.mark.slow
def test_rows_and_ratios(tool, tmp_path):
    done = tool('analysis/benchmark_stgt.py', '--batch', 1, '--frames', 3, '--cells', 16, '--dim',
                32, '--heads', 2, '--clusters', 2, '--density-clusters', 1, 8, '--noise', 0.01,
                '--threads', 1, '--repeats', 1, '--steps', 1, '--out', 'b.json')
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / 'b.json').read_text())
    (row,), (one, many) = found['frames'], found['density']
    assert row['banded_speedup'] == pytest.approx(row['dense']['step_s']
                                                  / row['banded']['step_s'])
    assert all(row[form]['forward_s'] <= row[form]['step_s'] for form in
               ('banded', 'sparse', 'auto', 'dense'))
    assert row['auto_speedup'] == pytest.approx(row['dense']['step_s'] / row['auto']['step_s'])
    # two clusters: positions, left in, would join them
    assert row['density'] <= row['formed'] and 0.4 < row['density'] < 0.6
    # one cluster with little noise: every pair of neighbouring frames is an edge
    assert one['density'] == one['formed'] == 1
    assert many['density'] < 1 and many['density'] <= many['formed']
    assert 'sparse_wins_below_density' in found


def test_peak_of_memory_does_not_begin_at_the_parents(tmp_path):
    """Measurements run in children of a process that may have been far larger."""
    code = (f'import sys; sys.path.insert(0, {str(TOOL.parent)!r}); import benchmark_stgt as b;'
            'print(b.peak_mb())')
    big = np.ones(60_000_000)                          # 480 MB more than the child will hold
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert 0 < float(done.stdout) < held - big.nbytes / 2**21


def test_the_winning_density_lies_between_the_last_win_and_the_next_row():
    spec = importlib.util.spec_from_file_location('benchmark_stgt', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def rows(*times):
        return [dict(density=d, sparse_s=s, banded_s=2.0) for d, s in times]

    found = module.crossing(rows((0.8, 4.0), (0.2, 1.0), (0.1, 0.5)), 'density')
    assert found == pytest.approx(0.5)
    # a win above a loss does not count
    assert module.crossing(rows((0.8, 1.0), (0.4, 4.0), (0.2, 1.0)), 'density') < 0.4
    assert module.crossing(rows((0.8, 1.0), (0.2, 1.0)), 'density') == 0.8
    assert module.crossing(rows((0.8, 1.0), (0.2, 3.0)), 'density') is None

"""The benchmark's rows at toy size."""

import json

import pytest


@pytest.mark.slow
def test_rows_and_ratios(tool, tmp_path):
    done = tool('analysis/benchmark_stgt.py', '--batch', 1, '--frames', 3, '--cells', 16, '--dim',
                16, '--heads', 2, '--clusters', 2, '--density-clusters', 1, '--noise', 0.01,
                '--threads', 1, '--repeats', 1, '--out', 'b.json')
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / 'b.json').read_text())
    (row,), (sparse,) = found['frames'], found['density']
    assert row['banded_speedup'] == pytest.approx(row['dense']['step_s']
                                                  / row['banded']['step_s'])
    assert all(row[form]['forward_s'] <= row[form]['step_s'] for form in
               ('banded', 'sparse', 'dense'))
    # one cluster with little noise: every pair of neighbouring frames is an edge
    assert sparse['density'] == 1

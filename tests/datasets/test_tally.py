"""Counting without flooding the log."""

from finsta.datasets import tally
from finsta.datasets.tally import Tally


def test_counts_all_and_logs_some(monkeypatch):
    lines = []
    monkeypatch.setattr(tally, 'print_log', lambda text, **kwargs: lines.append(text))
    counter = Tally('reader', loud=3)
    assert [counter.add('odd', f'file {i}') for i in range(20)][-1] == 20
    counter.add('rare', 'once')
    assert counter.summary() == {'odd': 20, 'rare': 1} and counter['never'] == 0
    assert [line.split('no. ')[1].split(')')[0] for line in lines] == [
        '1', '2', '3', '4', '8', '16', '1']
    assert 'reader, odd (no. 16): file 15' in lines

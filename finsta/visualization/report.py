"""The quickstart's report: tables of results, curves, and a few videos with their graphs."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from finsta.visualization.page import HtmlPage


def write_report(path: str | os.PathLike, results: Mapping[str, Any],
                 curves: Mapping[str, Mapping[str, Sequence]],
                 samples: Sequence[Mapping[str, Any]]) -> Path:
    """Write one self-contained page.

    Args:
        path: the page.
        results: ``title``, ``subtitle``, ``text`` (paragraphs), ``facts`` (name -> value) and
            ``tables``, a list of dicts with ``columns``, ``rows`` and, where wanted, ``title``,
            ``note`` and ``best`` (column -> 'max' | 'min'). Every key may be left out.
        curves: title of a chart -> {name of a line: (x, y) points}.
        samples: dicts with ``dsg`` and, where there is one, ``frames`` (image of each key frame),
            ``tsg``, ``hsg``, ``title``, ``facts``.

    Returns:
        Path of the page.

    Raises:
        KeyError: if a sample has no ``dsg`` or a table no ``columns`` or ``rows``.
    """
    page = HtmlPage(results.get('title', 'Finsta: results'), results.get('subtitle', ''))
    if results.get('text'):
        page.add_text(results['text'])
    if results.get('facts'):
        page.add_facts(results['facts'])
    if results.get('tables'):
        page.add_heading('Results')
    for table in results.get('tables', ()):
        page.add_table(table['columns'], table['rows'], table.get('title', ''), table.get('best'))
        if table.get('note'):
            page.add_text(table['note'], muted=True)
    if curves:
        page.add_heading('Curves')
    for title, series in curves.items():
        page.add_curves(title, series)
    if samples:
        page.add_heading('Videos, their graphs and what was found')
    for sample in samples:
        page.add_video_panel(sample.get('frames'), sample['dsg'], sample.get('tsg'),
                             sample.get('hsg'), title=sample.get('title', ''),
                             facts=sample.get('facts'))
    return page.save(path)

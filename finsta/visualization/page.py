"""One self-contained HTML page: pictures as base64, drawings as SVG, style inline, no script.

Everything that is handed in is escaped; nothing is loaded from elsewhere. The page follows the
reader's light or dark setting.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from finsta.structures import DynamicSceneGraph, HolisticSceneGraph, SceneGraph
from finsta.visualization.alignment import (
    AlignmentRow,
    alignment_rows,
    draw_holistic,
    marked_sentence,
    text_tracks,
)
from finsta.visualization.curves_svg import Points, draw_curves
from finsta.visualization.frames import frame_strip
from finsta.visualization.scene_graph_svg import draw_scene_graph
from finsta.visualization.style import CSS
from finsta.visualization.svg import escape, track_colour
from finsta.visualization.timeline_svg import draw_timeline
from finsta.visualization.tracks import intervals, number_tracks


class HtmlPage:
    """Builds a page from top to bottom.

    Args:
        title: heading of the page.
        subtitle: a line below it.

    Example:
        >>> page = HtmlPage('Results')
        >>> page.add_table(['model', 'R@1'], [['plain', 0.41], ['finsta', 0.52]])
        >>> '<td class="num">0.52</td>' in page.html()
        True
    """

    def __init__(self, title: str, subtitle: str = '') -> None:
        self.title = title
        self._parts: list[str] = [f'<h1>{escape(title)}</h1>']
        if subtitle:
            self._parts.append(f'<p class="muted">{escape(subtitle)}</p>')

    def add_heading(self, text: str, level: int = 2) -> None:
        """A heading of level 2 to 4."""
        level = min(max(level, 2), 4)
        self._parts.append(f'<h{level}>{escape(text)}</h{level}>')

    def add_text(self, text: str, muted: bool = False) -> None:
        """Paragraphs, separated by empty lines."""
        css = ' class="muted"' if muted else ''
        self._parts += [f'<p{css}>{escape(p)}</p>' for p in text.split('\n\n') if p.strip()]

    def add_facts(self, facts: Mapping[str, Any]) -> None:
        """Names and values in two columns."""
        rows = ''.join(f'<dt>{escape(k)}</dt><dd>{escape(_shown(v))}</dd>'
                       for k, v in facts.items())
        self._parts.append(f'<dl>{rows}</dl>')

    def add_table(self, header: Sequence[str], rows: Sequence[Sequence[Any]], caption: str = '',
                  best: Mapping[str, str] | None = None) -> None:
        """A table; numbers stand right.

        Args:
            header: names of the columns. rows: as many cells each; floats get 4 digits, None a
                dash.
            caption: above the table.
            best: column -> 'max' or 'min': its best cell is set in bold.

        Raises:
            ValueError: if a row has another number of cells than the header.
        """
        for row in rows:
            if len(row) != len(header):
                raise ValueError(f'a row of {len(row)} cells in a table of {len(header)} columns: '
                                 f'{list(row)[:6]}')
        winners = {header.index(name): _winner([r[header.index(name)] for r in rows], how)
                   for name, how in (best or {}).items()}
        head = ''.join(f'<th>{escape(name)}</th>' for name in header)
        body = ''.join('<tr>' + ''.join(
            _cell(value, winners.get(k) is not None and value == winners[k])
            for k, value in enumerate(row)) + '</tr>' for row in rows)
        title = f'<caption>{escape(caption)}</caption>' if caption else ''
        self._parts.append(f'<div class="wide"><table>{title}<thead><tr>{head}</tr></thead>'
                           f'<tbody>{body}</tbody></table></div>')

    def add_curves(self, title: str, series: Mapping[str, Points], x_label: str = 'step',
                   y_label: str = '') -> None:
        """A chart of lines; ``series``: name -> (x, y) points."""
        self._parts.append(f'<figure class="chart"><figcaption>{escape(title)}</figcaption>'
                           f'{draw_curves(series, x_label, y_label, title)}</figure>')

    def add_scene_graph(self, graph: SceneGraph, caption: str = '') -> None:
        """A drawing of one scene graph."""
        self._parts.append(_drawing(caption, draw_scene_graph(graph, name=caption or 'graph')))

    def add_video_panel(self, frames: Sequence[np.ndarray] | None, dsg: DynamicSceneGraph,
                        tsg: SceneGraph | None = None, hsg: HolisticSceneGraph | None = None,
                        alignments: Sequence[AlignmentRow] | None = None, title: str = '',
                        facts: Mapping[str, Any] | None = None, max_frames: int = 8) -> None:
        """A video with its graphs.

        Args:
            frames: (H, W, 3) uint8 RGB image of each key frame of ``dsg``; None: no pictures.
            dsg: its dynamic graph.
            tsg: graph of the sentence, with ``text``.
            hsg: both joined.
            alignments: rows of the alignment table; made from ``hsg`` if None.
            title: heading. facts: a few names and values below it.
            max_frames: pictures shown.
        """
        self._parts.append('<section class="panel">')
        if title:
            self.add_heading(title, 3)
        rows = list(alignments) if alignments is not None else (
            alignment_rows(hsg) if hsg is not None else [])
        colours = text_tracks(rows)
        if tsg is not None:
            self._parts.append(marked_sentence(tsg, colours))
        if facts:
            self.add_facts(facts)
        if frames is not None:
            self._parts.append(frame_strip(frames, dsg, max_frames))
        if tsg is not None:
            self._parts.append(_drawing('Textual scene graph (TSG)', draw_scene_graph(
                tsg, colours, name='textual scene graph')))
        self._parts.append(_drawing('Dynamic scene graph (DSG): tracks over time, and what they '
                                    'do', draw_timeline(dsg)))
        self._add_busiest_frame(dsg)
        if hsg is not None:
            self._parts.append(_drawing('Holistic scene graph (HSG): who is who, with scores',
                                        draw_holistic(hsg, rows)))
            self._add_alignments(rows, hsg)
        self._parts.append('</section>')

    def _add_busiest_frame(self, dsg: DynamicSceneGraph) -> None:
        if not any(g.nodes for g in dsg.frames):
            return
        t = max(range(len(dsg.frames)), key=lambda k: len(dsg.frames[k].nodes))
        number = number_tracks(dsg)
        colours = {i: number[t, i] for i in dsg.frames[t].of_kind('object')}
        drawing = draw_scene_graph(dsg.frames[t], colours, name='scene graph of one key frame')
        self._parts.append(f'<details><summary>Scene graph of key frame {t} '
                           f'({dsg.times[t]:.2f} s), the one with most nodes</summary>'
                           f'<div class="wide">{drawing}</div></details>')

    def _add_alignments(self, rows: list[AlignmentRow], hsg: HolisticSceneGraph) -> None:
        if not rows:
            self.add_text('No node of the text was found in the video.', muted=True)
            return
        body = ''
        for row in rows:
            colour = track_colour(row.track) if row.track is not None else 'currentColor'
            body += (f'<tr><td>{escape(row.kind.replace("_", " "))}</td><td>{escape(row.text)}'
                     f'</td><td><i class="dot" style="background:{colour}"></i>'
                     f'{escape(row.visual)}</td><td>{escape(_spans(row.frames, hsg.dsg))}</td>'
                     f'<td class="heat" style="--s:{100 * row.score:.0f}%">{row.score:.2f}</td>'
                     '</tr>')
        self._parts.append('<div class="wide"><table><caption>Alignments</caption><thead><tr>'
                           '<th>node</th><th>in the text</th><th>in the video</th><th>when</th>'
                           f'<th>score</th></tr></thead><tbody>{body}</tbody></table></div>')

    def html(self) -> str:
        """The page."""
        return ('<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
                '<meta name="viewport" content="width=device-width,initial-scale=1">'
                '<meta name="color-scheme" content="light dark">'
                f'<title>{escape(self.title)}</title><style>{CSS}</style></head>'
                f'<body><main>{"".join(self._parts)}</main></body></html>\n')

    def save(self, path: str | os.PathLike) -> Path:
        """Write the page, whole or not at all; folders are made. Returns its path."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_name(f'.{path.name}.tmp')
        aside.write_text(self.html(), encoding='utf-8')
        os.replace(aside, path)
        return path


def _drawing(caption: str, drawing: str) -> str:
    title = f'<figcaption>{escape(caption)}</figcaption>' if caption else ''
    return f'<figure class="drawing">{title}<div class="wide">{drawing}</div></figure>'


def _cell(value: Any, winner: bool) -> str:
    number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    shown = escape(_shown(value))
    return (f'<td{" class=" + chr(34) + "num" + chr(34) if number else ""}>'
            f'{"<b>" + shown + "</b>" if winner else shown}</td>')


def _shown(value: Any) -> str:
    if value is None:
        return '-'
    if isinstance(value, (float, np.floating)):
        return f'{value:.4g}'
    return str(value)


def _winner(values: Sequence[Any], how: str) -> Any:
    numbers = [v for v in values if isinstance(v, (int, float, np.number)) and v == v]
    return ((max if how == 'max' else min)(numbers)) if numbers else None


def _spans(frames: list[int], dsg: DynamicSceneGraph) -> str:
    """Frames as seconds: "0.0-1.5 s, 2.0 s"."""
    if len(set(frames)) == len(dsg.frames):
        return 'always'
    parts = [f'{dsg.times[a]:.1f}' + (f'-{dsg.times[b]:.1f}' if b > a else '') + ' s'
             for a, b in intervals(sorted(set(frames)))]
    return ', '.join(parts[:4]) + (f' and {len(parts) - 4} more' if len(parts) > 4 else '')

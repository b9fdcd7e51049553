"""Cross-modal coreference as rows, as a drawing and in the sentence."""

from dataclasses import dataclass

from finsta.structures import HolisticSceneGraph, SceneGraph
from finsta.visualization.svg import (
    escape,
    label,
    path,
    rect,
    shorten,
    svg,
    text_width,
    track_colour,
)
from finsta.visualization.tracks import number_tracks, track_rows


@dataclass
class AlignmentRow:
    """A text node and what it is joined with.

    Attributes:
        kind: node kind. text_node: its index. text: its label. visual: label with its arguments.
        track: number of the track, or of the subject's track. frames: key frames of the edges.
        score: mean score of the edges.
    """

    kind: str
    text_node: int
    text: str
    visual: str
    track: int | None
    frames: list[int]
    score: float


def alignment_rows(hsg: HolisticSceneGraph) -> list[AlignmentRow]:
    """Edges of one text node with the same thing in several frames are one row."""
    number = number_tracks(hsg.dsg)
    names = [_visual_names(graph, t, number) for t, graph in enumerate(hsg.dsg.frames)]
    groups: dict[tuple, list] = {}
    for edge in hsg.cross:
        name, track = names[edge.frame][edge.visual]
        groups.setdefault((edge.text, name, track), []).append(edge)
    rows = []
    for (i, name, track), edges in groups.items():
        node = hsg.tsg.nodes[i]
        rows.append(AlignmentRow(node.kind, i, node.label, name, track,
                                 sorted(e.frame for e in edges),
                                 sum(e.score for e in edges) / len(edges)))
    order = ('object', 'predicate', 'attribute', 'predicate_attribute')
    return sorted(rows, key=lambda r: (order.index(r.kind), r.text_node, -r.score, r.visual))


def _visual_names(graph: SceneGraph, t: int, number: dict[tuple[int, int], int]
                  ) -> dict[int, tuple[str, int | None]]:
    """Node -> (what to call it, track)."""
    out: dict[int, tuple[str, int | None]] = {}
    for i in graph.of_kind('object'):
        out[i] = f'#{number[t, i]} {graph.nodes[i].label}', number[t, i]
    for subject, p, obj in graph.triples():
        who = None if subject is None else number[t, subject]
        words = [f'#{who}' if who is not None else '', graph.nodes[p].label,
                 '' if obj is None else f'#{number[t, obj]}']
        out[p] = ' '.join(w for w in words if w), who
    for edge in graph.edges:
        if edge.type in ('attribute', 'predicate_attribute') and edge.src in out:
            of, track = out[edge.src]
            out[edge.dst] = f'{graph.nodes[edge.dst].label} ({of})', track
    return {i: out.get(i, (node.label, None)) for i, node in enumerate(graph.nodes)}


def text_tracks(rows: list[AlignmentRow]) -> dict[int, int]:
    """Text node -> track it fits best."""
    best: dict[int, AlignmentRow] = {}
    for row in rows:
        if row.track is not None and (row.text_node not in best
                                      or row.score > best[row.text_node].score):
            best[row.text_node] = row
    return {i: row.track for i, row in best.items()}


def marked_sentence(tsg: SceneGraph, tracks: dict[int, int]) -> str:
    """HTML of the sentence, words of joined objects and predicates in the colour of the track."""
    text = tsg.text or ''
    spans = sorted({(span, tracks[i]) for i in tracks
                    for span in ((tsg.nodes[i].span,) if tsg.nodes[i].span else ())
                    + tsg.nodes[i].mentions})
    out, at = [], 0
    for (start, end), track in spans:
        if start < at or start == end:
            continue
        out.append(escape(text[at:start]))
        out.append(f'<mark style="--c:{track_colour(track)}">{escape(text[start:end])}</mark>')
        at = end
    return f'<blockquote>{"".join(out)}{escape(text[at:])}</blockquote>'


def draw_holistic(hsg: HolisticSceneGraph, rows: list[AlignmentRow] | None = None) -> str:
    """Inline SVG: text nodes on the left, tracks and what they do on the right, edges by score.

    Objects and predicates are drawn; attributes stand in the table. A node that is joined with
    nothing is drawn dashed.
    """
    rows = alignment_rows(hsg) if rows is None else rows
    rows = [r for r in rows if r.kind in ('object', 'predicate')]
    left = [(i, hsg.tsg.nodes[i]) for kind in ('object', 'predicate')
            for i in hsg.tsg.of_kind(kind)]
    seen = {f'#{row.number} {row.label}': f'#{row.number} ' + ' '.join(
        [*row.attributes[:3], row.label]) for row in track_rows(hsg.dsg)}
    joined = {row.visual: row.track for row in rows}
    # a track may bear another label in some frames; its row then stands for itself
    right = [*seen, *(name for name in joined if name not in seen)]
    right = sorted(right, key=lambda n: n not in joined)[:max(24, len(joined))]
    if not left:
        return svg(260, 30, [label(4, 19, 'no text node to join', 'muted', limit=60)], 'HSG')
    words = {i: _with_attributes(hsg.tsg, i) for i, _ in left}
    wide = max(text_width(shorten(w, 30)) for w in words.values()) + 26
    far = wide + 190.0
    end = max([text_width(shorten(seen.get(n, n), 30)) for n in right], default=60.0) + 26
    left_at = {i: 18 + 34.0 * k for k, (i, _) in enumerate(left)}
    right_at = {name: 18 + 34.0 * k for k, name in enumerate(right)}
    best = text_tracks(rows)
    parts = [_edge(wide + 4, left_at[r.text_node], far, right_at[r.visual], r)
             for r in rows if r.visual in right_at]
    for i, node in left:
        parts.append(_box(4, left_at[i], wide, words[i], node.kind == 'object', best.get(i)))
    for name in right:
        parts.append(_box(far, right_at[name], end, seen.get(name, name), name in seen,
                          joined.get(name)))
    height = 18 + 34.0 * max(len(left), len(right))
    return svg(far + end + 8, height, parts, 'holistic scene graph')


def _with_attributes(tsg: SceneGraph, i: int) -> str:
    node = tsg.nodes[i]
    kind = 'attribute' if node.kind == 'object' else 'predicate_attribute'
    extra = [tsg.nodes[a].label for a in tsg.targets(i, kind)]
    return ' '.join([*extra, node.label] if node.kind == 'object' else [node.label, *extra])


def _box(x: float, middle: float, width: float, text: str, is_object: bool,
         track: int | None) -> str:
    style = 'stroke-dasharray:4 3' if track is None else (
        f'stroke:{track_colour(track)};stroke-width:2')
    css = 'card' if is_object else 'pill'
    return (rect(x, middle - 13, width, 26, css, 6 if is_object else 13, style)
            + label(x + width / 2, middle + 4.5, text, f'{css}-text', 'middle', 30))


def _edge(x0: float, y0: float, x1: float, y1: float, row: AlignmentRow) -> str:
    colour = track_colour(row.track) if row.track is not None else 'currentColor'
    bend = (x1 - x0) / 2
    line = path(f'M{x0:.1f} {y0:.1f}C{x0 + bend:.1f} {y0:.1f} {x1 - bend:.1f} {y1:.1f} '
                f'{x1:.1f} {y1:.1f}', 'cross',
                f'stroke:{colour};stroke-width:{1 + 2.5 * row.score:.1f}')
    # scores stand near the right end, where every line has a height of its own
    t = 0.8
    y = y0 * (1 - t) ** 2 * (1 + 2 * t) + y1 * t * t * (3 - 2 * t)
    x = x0 * (1 - t) ** 3 + 3 * (x0 + bend) * (1 - t) ** 2 * t + 3 * (x1 - bend) * (
        1 - t) * t * t + x1 * t ** 3
    return line + label(x, y + 4, f'{row.score:.2f}', 'score', 'middle')


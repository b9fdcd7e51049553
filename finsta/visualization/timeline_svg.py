"""A dynamic scene graph as a timeline: one band per track, below it what the track does and when.

Temporal coreference is the band itself (a gap where the thing was not seen); predicates are bars
over the frames that hold them. Layout: ours.
"""

from itertools import pairwise

from finsta.structures import DynamicSceneGraph
from finsta.visualization.svg import label, path, rect, svg, track_colour
from finsta.visualization.tracks import ActionRow, TrackRow, intervals, track_rows

_NAME, _PLOT, _BAND, _BAR = 262.0, 560.0, 24.0, 18.0


def draw_timeline(dsg: DynamicSceneGraph, max_tracks: int = 10, max_actions: int = 6) -> str:
    """Inline SVG of a dynamic graph.

    Args:
        dsg: the graph.
        max_tracks: longest-lived tracks that are drawn; the others are counted in a line.
        max_actions: predicates drawn per track, those of motion before relations.
    """
    rows = track_rows(dsg)
    if not rows:
        return svg(260, 30, [label(4, 19, 'no object in any key frame', 'muted', limit=60)],
                   'dynamic scene graph')
    kept = sorted(sorted(rows, key=lambda r: -len(r.nodes))[:max_tracks], key=lambda r: r.number)
    scale = _Scale(dsg.times)
    parts: list[str] = []
    y = 6.0
    for row in kept:
        y = _draw_track(parts, row, scale, y)
        for action in row.actions[:max_actions]:
            y = _draw_action(parts, row, action, scale, y)
        if len(row.actions) > max_actions:
            parts.append(label(_NAME - 10, y + 12, f'and {len(row.actions) - max_actions} more',
                               'muted small', 'end'))
            y += _BAR
        y += 8
    if len(rows) > len(kept):
        parts.append(label(4, y + 12, f'and {len(rows) - len(kept)} shorter tracks', 'muted small',
                           limit=60))
        y += 18
    parts = [*scale.grid(y), *parts]
    return svg(_NAME + _PLOT + 20, y + 26, parts, 'dynamic scene graph as a timeline')


class _Scale:
    """Seconds to pixels; every key frame owns the stretch up to the middle of its neighbours."""

    def __init__(self, times: tuple[float, ...]) -> None:
        self.times = list(times)
        if any(b <= a for a, b in pairwise(self.times)):
            # key frames without usable times are spread evenly
            self.times = [float(t) for t in range(len(times))]
        middle = [(a + b) / 2 for a, b in pairwise(self.times)]
        step = self.times[1] - self.times[0] if len(self.times) > 1 else 1.0
        self.edges = [self.times[0] - step / 2, *middle, self.times[-1] + step / 2]

    def x(self, seconds: float) -> float:
        span = self.edges[-1] - self.edges[0]
        return _NAME + _PLOT * (seconds - self.edges[0]) / span

    def span(self, first: int, last: int) -> tuple[float, float]:
        """Left edge and width of frames first..last."""
        left, right = self.x(self.edges[first]), self.x(self.edges[last + 1])
        return left, right - left

    def grid(self, bottom: float) -> list[str]:
        every = max(1, -(-len(self.times) // 9))
        out = []
        for t in range(0, len(self.times), every):
            x = self.x(self.times[t])
            out.append(path(f'M{x:.1f} 2V{bottom:.1f}', 'grid'))
            out.append(label(x, bottom + 14, f'{self.times[t]:.1f} s', 'muted small', 'middle'))
        return out


def _draw_track(parts: list[str], row: TrackRow, scale: _Scale, y: float) -> float:
    name = f'#{row.number} {" ".join([*row.attributes[:3], row.label])}'
    colour = track_colour(row.number)
    parts.append(label(_NAME - 10, y + 16, name, 'strong', 'end', limit=31))
    for first, last in intervals(sorted(row.nodes)):
        x, width = scale.span(first, last)
        parts.append(rect(x, y + 2, width, _BAND - 4, radius=5, style=f'fill:{colour}',
                          title=f'{name}: key frames {first} to {last}'))
    return y + _BAND


def _draw_action(parts: list[str], row: TrackRow, action: ActionRow, scale: _Scale,
                 y: float) -> float:
    name = ' '.join([action.label, *action.adverbs])
    if action.other is not None:
        name += f' #{action.other}'
    parts.append(label(_NAME - 10, y + 13, name, 'small', 'end', limit=34))
    colour = track_colour(row.number if action.other is None else action.other)
    for first, last in intervals(action.frames):
        x, width = scale.span(first, last)
        parts.append(rect(x, y + 4, width, _BAR - 8, radius=4,
                          style=f'fill:{colour};fill-opacity:.45',
                          title=f'{name}: key frames {first} to {last}'))
    return y + _BAR

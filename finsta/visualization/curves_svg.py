"""Training curves as SVG: lines, axes with round numbers, a legend below. No library needed."""

import math
from collections.abc import Mapping, Sequence

from finsta.visualization.svg import label, path, svg, text_width, track_colour

_W, _H, _LEFT, _BOTTOM = 640.0, 300.0, 62.0, 40.0
Points = Sequence[tuple[float, float]]


def draw_curves(series: Mapping[str, Points], x_label: str = 'step', y_label: str = '',
                name: str = 'curves') -> str:
    """Inline SVG of one chart.

    Args:
        series: name -> (x, y) points. Points that are not finite are left out (a gap), so that a
            diverged run is still drawn.
        x_label, y_label: axis titles.
        name: for screen readers.
    """
    lines = {key: [(float(x), float(y)) for x, y in points] for key, points in series.items()}
    finite = [p for points in lines.values() for p in points if all(map(math.isfinite, p))]
    if not finite:
        return svg(260, 30, [label(4, 19, 'no finite value to draw', 'muted', limit=60)], name)
    x_ticks = round_ticks(min(p[0] for p in finite), max(p[0] for p in finite))
    y_ticks = round_ticks(min(p[1] for p in finite), max(p[1] for p in finite))
    x_min, x_max = min(x_ticks[0], min(p[0] for p in finite)), max(p[0] for p in finite)
    x_max = max(x_max, x_min + 1e-9)
    y_min, y_max = y_ticks[0], y_ticks[-1]

    def at(x: float, y: float) -> tuple[float, float]:
        return (_LEFT + (_W - _LEFT - 16) * (x - x_min) / (x_max - x_min),
                12 + (_H - _BOTTOM - 12) * (y_max - y) / (y_max - y_min))

    parts = []
    for tick in y_ticks:
        y = at(x_min, tick)[1]
        parts += [path(f'M{_LEFT:.1f} {y:.1f}H{_W - 16:.1f}', 'grid'),
                  label(_LEFT - 8, y + 4, _number(tick), 'muted small', 'end')]
    for tick in x_ticks:
        if x_min <= tick <= x_max:
            x = at(tick, y_min)[0]
            parts.append(label(x, _H - _BOTTOM + 18, _number(tick), 'muted small', 'middle'))
    for k, points in enumerate(lines.values()):
        parts += _line(points, at, track_colour(k))
    parts.append(label(_W - 16, _H - 4, x_label, 'muted small', 'end'))
    if y_label:
        parts.append(f'<g transform="rotate(-90 12 {_H / 2:.0f})">'
                     f'{label(12, _H / 2, y_label, "muted small", "middle", 40)}</g>')
    legend, height = _legend(list(lines))
    return svg(_W, _H + height, [*parts, *legend], name)


def _line(points: Points, at, colour: str) -> list[str]:
    runs: list[list[tuple[float, float]]] = [[]]
    for x, y in points:
        if math.isfinite(x) and math.isfinite(y):
            runs[-1].append(at(x, y))
        elif runs[-1]:
            runs.append([])
    out = []
    for run in runs:
        if len(run) == 1:
            x, y = run[0]
            out.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" style="fill:{colour}"/>')
        elif run:
            d = 'L'.join(f'{x:.1f} {y:.1f}' for x, y in _thin(run))
            out.append(path(f'M{d}', 'curve', f'stroke:{colour}'))
    return out


def _thin(run: list[tuple[float, float]], limit: int = 600) -> list[tuple[float, float]]:
    """Means of neighbouring points: a page needs no more points than pixels."""
    if len(run) <= limit:
        return run
    size = math.ceil(len(run) / limit)
    parts = [run[i:i + size] for i in range(0, len(run), size)]
    return [(sum(x for x, _ in p) / len(p), sum(y for _, y in p) / len(p)) for p in parts]


def _legend(names: list[str]) -> tuple[list[str], float]:
    parts, x, y = [], _LEFT, _H + 16
    for k, name in enumerate(names):
        width = text_width(name[:40], 12) + 34
        if x + width > _W and x > _LEFT:
            x, y = _LEFT, y + 20
        parts.append(path(f'M{x:.1f} {y - 4:.1f}h18', 'curve', f'stroke:{track_colour(k)}'))
        parts.append(label(x + 23, y, name, 'small', limit=40))
        x += width + 8
    return parts, y - _H + 10


def round_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers that enclose [low, high], about ``count`` steps of 1, 2, 2.5 or 5 x 10^k."""
    if high <= low:
        pad = abs(low) * 0.1 or 1.0
        low, high = low - pad, high + pad
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(k * step, 12) for k in range(first, last + 1)]


def _number(value: float) -> str:
    if value and (abs(value) >= 1e5 or abs(value) < 1e-3):
        return f'{value:.1e}'
    return f'{value:,.10g}'

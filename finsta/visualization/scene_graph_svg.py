"""A scene graph as SVG, laid out in layers from left to right (layout: ours).

Objects are cards that carry their attributes as chips, predicates are pills that carry their
adverbs, so that only subject -> predicate -> object remains to be drawn as arrows. Cards stand in
columns (longest path from a subject, cycles broken in order of the nodes) and are ordered by the
mean height of their neighbours; every card has its own place, so labels cannot overlap.
"""

from dataclasses import dataclass, field

from finsta.structures import SceneGraph
from finsta.visualization.svg import (
    label,
    path,
    rect,
    shorten,
    svg,
    text_width,
    track_colour,
)

_PAD, _CHIP, _GAP_X, _GAP_Y, _LINE = 9.0, 11.5, 54.0, 14.0, 20.0
_HANGS = ('attribute', 'predicate_attribute')


@dataclass
class Card:
    """A node with what hangs on it, and its place."""

    node: int
    kind: str
    text: str
    chips: list[str]
    layer: int = 0
    x: float = 0.0
    y: float = 0.0
    width: float = 0.0
    height: float = 0.0
    rows: list[list[str]] = field(default_factory=list)

    def measure(self) -> None:
        """Width and height; chips are wrapped to the width of about three words."""
        title = text_width(shorten(self.text)) + 2 * _PAD
        room = max(title - 2 * _PAD, 110.0)
        used = room + 1
        for chip in self.chips:
            width = _chip_width(chip)
            if used + width > room:
                self.rows.append([])
                used = 0.0
            self.rows[-1].append(chip)
            used += width + 4
        widest = max((sum(_chip_width(c) + 4 for c in row) - 4 for row in self.rows), default=0.0)
        self.width = max(title, widest + 2 * _PAD, 44.0)
        self.height = 26.0 + _LINE * len(self.rows)


def draw_scene_graph(graph: SceneGraph, colours: dict[int, int] | None = None,
                     max_predicates: int = 16, name: str = 'scene graph') -> str:
    """Inline SVG of a scene graph.

    Args:
        graph: the graph.
        colours: node -> track number, for cards in the colour of their track.
        max_predicates: further ones are left out and counted in a line below.
        name: for screen readers.
    """
    cards, links, hidden = _cards(graph, max_predicates)
    if not cards:
        return svg(260, 30, [label(4, 19, 'no objects and no predicates', 'muted', limit=60)],
                   name)
    _layer(cards, links)
    width, height = _place(cards, links)
    parts = [_ARROW]
    by_node = {card.node: card for card in cards}
    parts += [_link(by_node[a], by_node[b]) for a, b in links]
    parts += [_draw(card, colours or {}) for card in cards]
    if hidden:
        parts.append(label(4, height + 14, f'and {hidden} more relations', 'muted', limit=60))
        height += 20
    return svg(width, height, parts, name)


_ARROW = ('<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
          'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" class="arrowhead"/></marker>'
          '</defs>')


def _cards(graph: SceneGraph, max_predicates: int
           ) -> tuple[list[Card], list[tuple[int, int]], int]:
    chips: dict[int, list[str]] = {}
    for edge in graph.edges:
        if edge.type in _HANGS:
            chips.setdefault(edge.src, []).append(graph.nodes[edge.dst].label)
    predicates = graph.of_kind('predicate')
    # those with a verb of motion carry more than "left of"; the parser's order tells nothing
    shown = set(predicates[:max_predicates])
    cards = [Card(i, node.kind, node.label, chips.get(i, []))
             for i, node in enumerate(graph.nodes)
             if node.kind == 'object' or i in shown]
    for card in cards:
        card.measure()
    present = {card.node for card in cards}
    links = [(e.src, e.dst) for e in graph.edges
             if e.type in ('subject', 'object') and e.src in present and e.dst in present]
    return cards, list(dict.fromkeys(links)), len(predicates) - len(shown)


def _layer(cards: list[Card], links: list[tuple[int, int]]) -> None:
    """Longest path from the left; a link that would close a cycle is ignored here."""
    by_node = {card.node: card for card in cards}
    out: dict[int, list[int]] = {}
    for a, b in links:
        out.setdefault(a, []).append(b)
    state: dict[int, int] = {}
    order: list[int] = []
    forward: set[tuple[int, int]] = set()
    for root in by_node:
        stack = [(root, iter(out.get(root, ())))] if root not in state else []
        state.setdefault(root, 1)
        while stack:
            node, rest = stack[-1]
            after = next(rest, None)
            if after is None:
                stack.pop()
                state[node] = 2
                order.append(node)
            elif state.get(after) != 1:
                forward.add((node, after))
                if after not in state:
                    state[after] = 1
                    stack.append((after, iter(out.get(after, ()))))
    for node in reversed(order):
        for after in out.get(node, ()):
            if (node, after) in forward:
                by_node[after].layer = max(by_node[after].layer, by_node[node].layer + 1)


def _place(cards: list[Card], links: list[tuple[int, int]]) -> tuple[float, float]:
    columns: dict[int, list[Card]] = {}
    for card in cards:
        columns.setdefault(card.layer, []).append(card)
    neighbours: dict[int, list[int]] = {}
    for a, b in links:
        neighbours.setdefault(a, []).append(b)
        neighbours.setdefault(b, []).append(a)
    by_node = {card.node: card for card in cards}
    tall = 0.0
    for column in columns.values():
        _stack(column)
        tall = max(tall, column[-1].y + column[-1].height)
    for sweep in range(4):
        for layer in sorted(columns, reverse=bool(sweep % 2)):
            columns[layer].sort(key=lambda c: _mean_height(c, neighbours, by_node))
            _stack(columns[layer])
            _centre(columns[layer], tall)
    x = 4.0
    for layer in sorted(columns):
        for card in columns[layer]:
            card.x = x
        x += max(card.width for card in columns[layer]) + _GAP_X
    return x - _GAP_X + 8.0, tall + 6.0


def _mean_height(card: Card, neighbours: dict[int, list[int]], by_node: dict[int, Card]) -> float:
    around = [by_node[n].y + by_node[n].height / 2 for n in neighbours.get(card.node, ())]
    return sum(around) / len(around) if around else card.y


def _stack(column: list[Card]) -> None:
    y = 3.0
    for card in column:
        card.y = y
        y += card.height + _GAP_Y


def _centre(column: list[Card], tall: float) -> None:
    """Shift a column to the middle, so that arrows stay short."""
    spare = (tall - (column[-1].y + column[-1].height)) / 2
    for card in column:
        card.y += max(0.0, spare)


def _link(a: Card, b: Card) -> str:
    start, end = (a.x + a.width, a.y + a.height / 2), (b.x - 1, b.y + b.height / 2)
    if b.layer <= a.layer:
        # a way back: leave on the left side of the one and arrive at the right side of the other
        start, end = (a.x, a.y + a.height / 2), (b.x + b.width + 1, b.y + b.height / 2)
        if b.layer == a.layer:
            end = (b.x - 1, b.y + b.height / 2)
            bend = 34.0
            return path(f'M{start[0]:.1f} {start[1]:.1f}C{start[0] - bend:.1f} {start[1]:.1f} '
                        f'{end[0] - bend:.1f} {end[1]:.1f} {end[0]:.1f} {end[1]:.1f}', 'link',
                        arrow=True)
    bend = (end[0] - start[0]) / 2
    return path(f'M{start[0]:.1f} {start[1]:.1f}C{start[0] + bend:.1f} {start[1]:.1f} '
                f'{end[0] - bend:.1f} {end[1]:.1f} {end[0]:.1f} {end[1]:.1f}', 'link', arrow=True)


def _draw(card: Card, colours: dict[int, int]) -> str:
    colour = f'stroke:{track_colour(colours[card.node])}' if card.node in colours else ''
    if colour:
        colour += ';stroke-width:2.5'
    css = 'card' if card.kind == 'object' else 'pill'
    radius = 6 if card.kind == 'object' else 13
    parts = [rect(card.x, card.y, card.width, card.height, css, radius, colour),
             label(card.x + card.width / 2, card.y + 17.5, card.text or '(no label)',
                   f'{css}-text', 'middle')]
    y = card.y + 24
    for row in card.rows:
        x = card.x + (card.width - sum(_chip_width(c) + 4 for c in row) + 4) / 2
        for chip in row:
            width = _chip_width(chip)
            parts.append(rect(x, y, width, 17, f'chip {css}-chip', 8))
            parts.append(label(x + width / 2, y + 12.5, chip, 'chip-text', 'middle', 20))
            x += width + 4
        y += _LINE
    return ''.join(parts)


def _chip_width(chip: str) -> float:
    return text_width(shorten(chip, 20), _CHIP) + 14.0



"""Tracks of a dynamic graph and the intervals in which they do something, for drawing."""

from dataclasses import dataclass, field

from finsta.structures import DynamicSceneGraph


@dataclass
class TrackRow:
    """One thing of the video.

    Attributes:
        number: its colour. label: most frequent label. attributes: by frequency.
        nodes: frame -> node. actions: what it is the subject of.
    """

    number: int
    label: str
    attributes: list[str]
    nodes: dict[int, int]
    actions: list['ActionRow'] = field(default_factory=list)


@dataclass
class ActionRow:
    """A predicate of a track: its label, the other track (or None), its frames, its adverbs."""

    label: str
    other: int | None
    frames: list[int]
    adverbs: list[str]


def track_rows(dsg: DynamicSceneGraph) -> list[TrackRow]:
    """Tracks in order of appearance, each with its actions: movements first, then relations."""
    number = number_tracks(dsg)
    rows: dict[int, TrackRow] = {}
    labels: dict[int, dict[str, int]] = {}
    attributes: dict[int, dict[str, int]] = {}
    actions: dict[tuple[int, str, int | None], dict[int, set[str]]] = {}
    for t, graph in enumerate(dsg.frames):
        for i in graph.of_kind('object'):
            k = number[t, i]
            rows.setdefault(k, TrackRow(k, '', [], {})).nodes[t] = i
            _count(labels.setdefault(k, {}), graph.nodes[i].label)
        for edge in graph.edges:
            if edge.type == 'attribute':
                _count(attributes.setdefault(number[t, edge.src], {}), graph.nodes[edge.dst].label)
        for subject, p, obj in graph.triples():
            if subject is not None:
                key = (number[t, subject], graph.nodes[p].label,
                       None if obj is None else number[t, obj])
                actions.setdefault(key, {}).setdefault(t, set()).update(
                    graph.nodes[a].label for a in graph.targets(p, 'predicate_attribute'))
    for k, row in rows.items():
        row.label = max(labels[k], key=labels[k].get)
        counts = attributes.get(k, {})
        row.attributes = sorted(counts, key=lambda a: (-counts[a], a))
        mine = [ActionRow(name, other, sorted(frames), sorted(set().union(*frames.values())))
                for (who, name, other), frames in actions.items() if who == k]
        row.actions = sorted(mine, key=lambda a: (a.other is not None, a.frames[0], a.label))
    return sorted(rows.values(), key=lambda r: r.number)


def number_tracks(dsg: DynamicSceneGraph) -> dict[tuple[int, int], int]:
    """(frame, object node) -> track number, from 0 in order of appearance.

    Chains of one entity (a thing that went and came back) have one number.
    """
    out: dict[tuple[int, int], int] = {}
    known: dict[int, int] = {}
    fresh = 0
    for chain in dsg.chains():
        t, i = chain[0]
        node = dsg.frames[t].nodes[i]
        if node.kind != 'object':
            continue
        number = known.get(node.entity, fresh) if node.entity is not None else fresh
        fresh = max(fresh, number + 1)
        if node.entity is not None:
            known[node.entity] = number
        out.update(dict.fromkeys(chain, number))
    return out


def intervals(frames: list[int]) -> list[tuple[int, int]]:
    """Runs of consecutive frames, as (first, last)."""
    runs: list[tuple[int, int]] = []
    for t in frames:
        if runs and runs[-1][1] == t - 1:
            runs[-1] = (runs[-1][0], t)
        else:
            runs.append((t, t))
    return runs


def _count(counts: dict[str, int], key: str) -> None:
    counts[key] = counts.get(key, 0) + 1

"""FACTUAL's line form of a scene graph: ``( man , ride , wave ) , ( wave , is , large )``."""

import re

from finsta.structures import Edge, Node, SceneGraph

_BETWEEN = re.compile(r'\)\s*,?\s*\(')
_FIELD = re.compile(r'\s+,\s+|,\s+|\s+,')
MAX_TUPLES = 500  # a runaway generator must not make an endless graph


def read_line(line: str) -> list[tuple[str, ...]]:
    """Tuples of one field (object) or three of a line; what is malformed is left out.

    A tuple of more than three fields keeps its first two and joins the rest; one of two fields
    gives the object only.
    """
    body = line.strip().lower()
    body = body[1:] if body.startswith('(') else body
    body = body[:-1] if body.endswith(')') else body
    out: list[tuple[str, ...]] = []
    for part in _BETWEEN.split(body):
        fields = [' '.join(f.strip(' ()').split()) for f in _FIELD.split(part.strip())]
        fields = [f for f in fields if any(c.isalnum() for c in f)]
        if len(fields) >= 3:
            out.append((fields[0], fields[1], ' , '.join(fields[2:])))
        elif fields:
            out.append((fields[0],))
    return list(dict.fromkeys(out))


def write_line(tuples: list[tuple[str, ...]]) -> str:
    """Inverse of :func:`read_line`."""
    return ' , '.join('( ' + ' , '.join(t) + ' )' for t in tuples)


def score_set(tuples: list[tuple[str, ...]]) -> set[tuple[str, ...]]:
    """The set that F1 is counted on: (object), (object, is, attribute), (subject, pred, object).

    Every subject and object of a triple is an (object) too; attribute values are not.
    """
    out: set[tuple[str, ...]] = set()
    for t in tuples:
        out.add((t[0],))
        if len(t) == 3:
            out.add(t)
            if t[1] != 'is':
                out.add((t[2],))
    return out


def tuples_of(graph: SceneGraph) -> list[tuple[str, ...]]:
    """A graph in FACTUAL's terms.

    A predicate without an object becomes an attribute, as FACTUAL writes it ("( player , is ,
    jumping )": the words of the text); one without a subject is left out.
    """
    out: list[tuple[str, ...]] = []
    related: set[int] = set()
    for edge in graph.edges:
        if edge.type == 'attribute':
            related.add(edge.src)
            out.append((graph.nodes[edge.src].label, 'is', graph.nodes[edge.dst].label))
    for subject, predicate, obj in graph.triples():
        if subject is None:
            continue
        related.add(subject)
        node = graph.nodes[predicate]
        if obj is not None:
            related.add(obj)
            out.append((graph.nodes[subject].label, node.label, graph.nodes[obj].label))
        else:
            words = graph.text[slice(*node.span)] if graph.text and node.span else node.label
            out.append((graph.nodes[subject].label, 'is', ' '.join(words.lower().split())))
    out += [(graph.nodes[i].label,) for i in graph.of_kind('object') if i not in related]
    return list(dict.fromkeys(out))


def graph_of_tuples(tuples: list[tuple[str, ...]], text: str, parser: str) -> SceneGraph:
    """A SceneGraph of FACTUAL tuples; spans by matching their words in ``text``.

    One object node a name; ``is`` makes an attribute node, everything else a predicate node.
    Names whose words are not in the text have span None.
    """
    nodes: list[Node] = []
    edges: list[Edge] = []
    objects: dict[str, int] = {}

    def thing(name: str) -> int:
        if name not in objects:
            objects[name] = len(nodes)
            nodes.append(Node('object', name, find_span(name, text), entity=len(objects) - 1))
        return objects[name]

    for t in tuples[:MAX_TUPLES]:
        subject = thing(t[0])
        if len(t) == 1:
            continue
        kind = 'attribute' if t[1] == 'is' else 'predicate'
        label = t[2] if kind == 'attribute' else t[1]
        obj = thing(t[2]) if kind == 'predicate' else None
        edges.append(Edge(subject, len(nodes), 'attribute' if obj is None else 'subject'))
        if obj is not None:
            edges.append(Edge(len(nodes), obj, 'object'))
        nodes.append(Node(kind, label, find_span(label, text)))
    return SceneGraph(tuple(nodes), tuple(edges), text, parser)


def find_span(label: str, text: str) -> tuple[int, int] | None:
    """Where a label stands in a text: its words in a row, else its first word's stem.

    "ride" finds "riding": words count as equal when one's first letters (all but the last, at
    least three) begin the other. None when nothing matches.
    """
    words = label.split()
    if not words:
        return None
    low = text.lower()
    if len(low) != len(text):  # a letter whose lower case is longer would shift the offsets
        low = text
    exact = re.search(r'(?<!\w)' + r'\s+'.join(map(re.escape, words)) + r'(?!\w)', low)
    if exact:
        return exact.span()
    stem = words[0][:max(3, len(words[0]) - 1)]
    close = re.search(r'(?<!\w)' + re.escape(stem) + r'\w*', low) if len(stem) >= 3 else None
    return close.span() if close else None

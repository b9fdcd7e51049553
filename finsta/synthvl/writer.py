"""Builds a sentence and its scene graph together, so that spans are exact by construction."""

from dataclasses import dataclass, field

from finsta.structures import Edge, Node, SceneGraph
from finsta.synthvl.scene import VERSION

Span = tuple[int, int]
PARSER = f'SynthVLText/{VERSION}'
_NO_SPACE_BEFORE = ',.?!'


@dataclass
class _Predicate:
    label: str
    entity: int | None
    subject: object
    object: object
    more_subjects: list[object] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    adverbs: dict[str, list[Span]] = field(default_factory=dict)


class Writer:
    """Appends words and remembers which thing, attribute or predicate each one names.

    Things are named by a hashable key: the thing's number, which becomes the node's entity, or
    any other key (a string for "what"), which gives a node without entity.
    """

    def __init__(self) -> None:
        self.text = ''
        self._capital = True
        self._labels: dict[object, str] = {}
        self._objects: dict[object, list[Span]] = {}
        self._attributes: dict[tuple[object, str], list[Span]] = {}
        self._predicates: dict[object, _Predicate] = {}

    def word(self, words: str) -> Span:
        """Append words (a leading comma or stop sticks to the text); their span."""
        for mark in _NO_SPACE_BEFORE:
            if words == mark:
                self.text += mark
                if mark != ',':
                    self._capital = True
                return len(self.text) - 1, len(self.text)
        if self._capital:
            words, self._capital = words[0].upper() + words[1:], False
        if self.text:
            self.text += ' '
        start = len(self.text)
        self.text += words
        return start, len(self.text)

    def plain(self, words: str) -> None:
        """Append words and punctuation that no node stands for, separated by spaces."""
        for w in words.split():
            self.word(w)

    def thing(self, key: object, label: str, words: str) -> None:
        """Append a mention of a thing (noun or pronoun)."""
        self._labels.setdefault(key, label)
        self._objects.setdefault(key, []).append(self.word(words))

    def attribute(self, key: object, label: str, words: str) -> None:
        """Append an attribute of a thing that is named now or later."""
        self._attributes.setdefault((key, label), []).append(self.word(words))

    def open_predicate(self, key: object, label: str, entity: int | None, subject: object,
                       target: object = None) -> None:
        """Declare a predicate; ``key`` is used by the two methods below."""
        self._predicates.setdefault(key, _Predicate(label, entity, subject, target))

    def also(self, key: object, subject: object) -> None:
        """A further subject of a predicate ("two squares and a ring rotate")."""
        self._predicates[key].more_subjects.append(subject)

    def predicate(self, key: object, words: str) -> None:
        """Append words of a predicate; adjacent words make one span."""
        span, spans = self.word(words), self._predicates[key].spans
        if spans and spans[-1][1] + 1 == span[0]:
            spans[-1] = (spans[-1][0], span[1])
        else:
            spans.append(span)

    def adverb(self, key: object, label: str, words: str) -> None:
        """Append an adverb of a predicate."""
        self._predicates[key].adverbs.setdefault(label, []).append(self.word(words))

    def mark(self, key: object, label: str, span: Span) -> None:
        """Hang a predicate attribute on words already written (a connective)."""
        self._predicates[key].adverbs.setdefault(label, []).append(span)

    def graph(self) -> SceneGraph:
        """The sentence's graph; objects in order of mention, then attributes, predicates."""
        nodes: list[Node] = []
        edges: list[Edge] = []
        place: dict[object, int] = {}
        for key, spans in self._objects.items():
            place[key] = len(nodes)
            entity = key if isinstance(key, int) else None
            nodes.append(Node('object', self._labels[key], spans[0], tuple(spans[1:]),
                              entity=entity))
        for (key, label), spans in self._attributes.items():
            edges.append(Edge(place[key], len(nodes), 'attribute'))
            nodes.append(Node('attribute', label, spans[0], tuple(spans[1:])))
        for p in self._predicates.values():
            here = len(nodes)
            nodes.append(Node('predicate', p.label, p.spans[0], tuple(p.spans[1:]),
                              entity=p.entity))
            if p.subject is not None:
                edges.append(Edge(place[p.subject], here, 'subject'))
            edges += [Edge(place[k], here, 'subject') for k in p.more_subjects]
            if p.object is not None:
                edges.append(Edge(here, place[p.object], 'object'))
            for label, spans in p.adverbs.items():
                edges.append(Edge(here, len(nodes), 'predicate_attribute'))
                nodes.append(Node('predicate_attribute', label, spans[0], tuple(spans[1:])))
        return SceneGraph(tuple(nodes), tuple(edges), self.text, PARSER)

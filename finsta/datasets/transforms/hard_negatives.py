"""Captions that are false in exactly one way, made from the text scene graph (ours).

The graph says which words name which object, attribute and predicate, and the nodes' character
spans say where they stand, so one relation can be broken and the sentence written again: swap
the attributes of two objects, the arguments of a predicate, two predicates, or put another
attribute, predicate or adverb in its place. The contrastive losses take the result as extra
candidates. Everything comes from the graph: no word list of any data set is built in.
"""

import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable
from functools import cached_property
from itertools import combinations, pairwise, zip_longest
from typing import Any

import numpy as np

from finsta.datasets.transforms.base import Transform
from finsta.registry import GRAPH_STORES, TRANSFORMS
from finsta.structures import SceneGraph

Edit = tuple[tuple[int, int], str]  # (character span, replacement)
# words that say that two events happen at once: swapping the events changes nothing
_SIMULTANEOUS = {'while', 'as', 'whilst', 'meanwhile', 'simultaneously'}
# longer texts get no negatives: their edits lie beyond what a backbone reads, and would be costly
MAX_CHARACTERS = 2000
_ARTICLE = re.compile(r'\b(a)n? $', re.IGNORECASE)
_ORDER_WORDS = {'before': 'after', 'after': 'before'}
# two labels that chance alone would have put on one node so often, and that never are, exclude
# each other
EXPECTED_TOGETHER = 3.0


class Bank:
    """Words of a graph store that may stand in for others.

    Attributes:
        shelves: (kind, arity, ending) -> label -> surface, see ``_shelf``.
    """

    def __init__(self) -> None:
        self.shelves: dict[tuple, dict[str, str]] = defaultdict(dict)
        self._count: Counter[tuple[str, str]] = Counter()
        self._owners: Counter[str] = Counter()
        self._together: set[tuple[str, str, str]] = set()

    def add(self, graph: SceneGraph) -> None:
        """Learn the words of one text graph, and which of them stand on one node."""
        for i, node in enumerate(graph.nodes):
            if node.span is not None and graph.text is not None:
                surface = graph.text[slice(*node.span)].lower()
                self.shelves[_shelf(graph, i)].setdefault(node.label, surface)
            for kind in ('attribute', 'predicate_attribute'):
                labels = sorted({graph.nodes[a].label for a in graph.targets(i, kind)})
                self._owners[kind] += bool(labels)
                self._count.update((kind, label) for label in labels)
                self._together.update((kind, a, b) for a, b in combinations(labels, 2))

    def exclusive(self, kind: str, first: str, second: str) -> bool:
        """Whether one node cannot have both labels, as far as the texts tell: both are common
        enough to have met on one node ``EXPECTED_TOGETHER`` times by chance, and never did."""
        first, second = sorted((first, second))
        expected = self._count[kind, first] * self._count[kind, second] / max(
            self._owners[kind], 1)
        return (first != second and expected >= EXPECTED_TOGETHER
                and (kind, first, second) not in self._together)


@TRANSFORMS.register_module()
class GraphHardNegatives(Transform):
    """Adds ``negative_texts``: up to ``num`` false versions of the sample's text.

    Args:
        num: number of negatives a sample; short samples are filled up by repeating, a sample
            without any editable relation gets none.
        operations: names among ``OPERATIONS``; None = all.
        store: config of a graph store whose texts fill the bank of replacements; None = swaps
            only.
        bank_texts: so many texts of the store, in the order of their keys, so that every worker
            and a resumed run have the same bank. Questions are left out.
    """

    def __init__(self, num: int = 3, operations: list[str] | None = None,
                 store: dict | None = None, bank_texts: int = 2000) -> None:
        unknown = set(operations or ()) - set(OPERATIONS)
        if unknown:
            raise ValueError(f'operations {sorted(unknown)} are none of {sorted(OPERATIONS)}')
        self.num, self.bank_texts = num, bank_texts
        self.operations = list(operations or OPERATIONS)
        self._config = store
        self.bank: Bank | None = None

    @cached_property
    def store(self) -> Any:
        """None, or the store; opened when it is needed."""
        return None if self._config is None else GRAPH_STORES.build(self._config)

    def before_training(self, dataset: Any, config_file: str = 'CONFIG') -> None:
        """Open the store. LoadGraphs stands before, and says what makes an absent one."""
        _ = self.store

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Needs ``results['sample']`` with ``text`` and ``tsg``."""
        sample = results['sample']
        graph = sample.tsg
        negatives: list[str] = []
        usable = graph is not None and graph.nodes and graph.text == sample.text
        if usable and len(sample.text) <= MAX_CHARACTERS:
            # numpy's generator is seeded for each sample and pass by the training loop: other
            # negatives in every pass, and the same ones in a resumed run
            rng = random.Random(int(np.random.randint(2 ** 31)))
            if self.bank is None:
                self.bank = self._fill_bank()
            negatives = self.negatives(graph, rng)
        results['negative_texts'] = negatives
        return results

    def negatives(self, graph: SceneGraph, rng: random.Random) -> list[str]:
        """Distinct false versions of ``graph.text``, ``num`` of them where there are any; each
        operation that applies has the same chance."""
        rows = []
        for name in self.operations:
            options = [text for text in OPERATIONS[name](graph, self.bank, rng)
                       if text.lower() != graph.text.lower()]
            rng.shuffle(options)
            rows.append(options)
        rng.shuffle(rows)
        pool = list(dict.fromkeys(text for turn in zip_longest(*rows) for text in turn if text))
        if not pool:
            return []
        chosen = pool[:self.num]
        return chosen + [rng.choice(chosen) for _ in range(self.num - len(chosen))]

    def _fill_bank(self) -> Bank:
        bank = Bank()
        if self.store is None:
            return bank
        keys = sorted((k for k in self.store.text_keys() if not k[1].rstrip().endswith('?')),
                      key=lambda k: (k[1], k[0] or ''))
        for video, text in keys[::max(1, len(keys) // self.bank_texts)]:
            bank.add(self.store.get_text(text, video))
        return bank


def _shelf(graph: SceneGraph, i: int) -> tuple:
    """What may stand in a node's place: same kind; for predicates same arity and word ending, for
    adverbs the same ending (a connective must not take an adverb's place)."""
    node = graph.nodes[i]
    if node.kind == 'predicate_attribute':
        return node.kind, None, graph.text[slice(*node.span)][-2:].lower() if node.span else ''
    if node.kind != 'predicate':
        return node.kind, None, ''
    words = graph.text[slice(*node.span)].split()
    ending = words[0][-3:] if words else ''
    return node.kind, bool(graph.targets(i, 'object')), ending if ending == 'ing' else ending[-1:]


def apply_edits(text: str, edits: list[Edit]) -> str | None:
    """The text with the spans replaced, a preceding "a" or "an" agreeing with the new word; None
    if two spans overlap."""
    edits = sorted(edits, reverse=True)
    for (later, _), (earlier, _) in pairwise(edits):
        if earlier[1] > later[0]:
            return None
    for (start, end), new in edits:
        ending = 'n' if new[:1].lower() in 'aeiou' else ''
        text = _ARTICLE.sub(rf'\1{ending} ', text[:start]) + new + text[end:]
    return text


def _swap(graph: SceneGraph, a: tuple[int, int], b: tuple[int, int]) -> str | None:
    text = graph.text
    return apply_edits(text, [(a, text[slice(*b)]), (b, text[slice(*a)])])


def _phrase(graph: SceneGraph, i: int) -> tuple[int, int] | None:
    """Span from an object's first attribute to its noun, when nothing else stands between."""
    node = graph.nodes[i]
    if node.span is None:
        return None
    spans = [graph.nodes[a].span for a in graph.targets(i, 'attribute')]
    spans = sorted([s for s in spans if s is not None and s[1] <= node.span[0]], reverse=True)
    start = node.span[0]
    for span in spans:
        if graph.text[span[1]:start].strip(' ,'):
            break
        start = span[0]
    return start, node.span[1]


def swap_attributes(graph: SceneGraph, bank: Bank, rng: random.Random) -> list[str]:
    """"red circle ... blue square" -> "blue circle ... red square"."""
    owned = [(e.src, e.dst) for e in graph.edges if e.type == 'attribute'
             and graph.nodes[e.dst].span is not None]
    out = []
    for k, (first, a) in enumerate(owned):
        for second, b in owned[k + 1:]:
            if first == second or graph.nodes[a].label == graph.nodes[b].label:
                continue
            if _place(graph, first, a) != _place(graph, second, b):
                continue
            out.append(_swap(graph, graph.nodes[a].span, graph.nodes[b].span))
    return [t for t in out if t]


def _place(graph: SceneGraph, owner: int, attribute: int) -> int:
    """Position of an attribute among its owner's, counted from the noun."""
    spans = sorted(graph.nodes[a].span for a in graph.targets(owner, 'attribute')
                   if graph.nodes[a].span is not None)
    return len(spans) - spans.index(graph.nodes[attribute].span)


def swap_arguments(graph: SceneGraph, bank: Bank, rng: random.Random) -> list[str]:
    """"A hits B" -> "B hits A", with the attributes moved along."""
    out = []
    for subject, _, obj in graph.triples():
        if subject is None or obj is None or subject == obj:
            continue
        a, b = _phrase(graph, subject), _phrase(graph, obj)
        if a is None or b is None or graph.text[slice(*a)] == graph.text[slice(*b)]:
            continue
        out.append(_swap(graph, a, b))
    return [t for t in out if t]


def swap_predicates(graph: SceneGraph, bank: Bank, rng: random.Random) -> list[str]:
    """Two predicates of one form change places: who does what, or what comes first."""
    nodes = [p for p in graph.of_kind('predicate') if graph.nodes[p].span is not None]
    words = {w.strip('.,') for w in graph.text.lower().split()}
    out = []
    for k, p in enumerate(nodes):
        for q in nodes[k + 1:]:
            if graph.nodes[p].label == graph.nodes[q].label:
                continue
            if _shelf(graph, p) != _shelf(graph, q):
                continue
            same = graph.sources(p, 'subject') == graph.sources(q, 'subject')
            if same and words & _SIMULTANEOUS:
                continue
            out.append(_swap(graph, graph.nodes[p].span, graph.nodes[q].span))
    return [t for t in out if t]


def swap_order(graph: SceneGraph, bank: Bank, rng: random.Random) -> list[str]:
    """"before" <-> "after": the same events in the other order."""
    if len(graph.of_kind('predicate')) < 2:
        return []
    text, out, start = graph.text, [], 0
    for word in text.split(' '):
        key = word.lower().strip('.,')
        if key in _ORDER_WORDS:
            new = _ORDER_WORDS[key]
            new = new.capitalize() if word[0].isupper() else new
            out.append(text[:start] + new + text[start + len(key):])
        start += len(word) + 1
    return out


def swap_adverbs(graph: SceneGraph, bank: Bank, rng: random.Random) -> list[str]:
    """"rotates slowly ... rotates quickly" -> "rotates quickly ... rotates slowly"."""
    kind = 'predicate_attribute'
    owned = [(e.src, e.dst) for e in graph.edges if e.type == kind
             and graph.nodes[e.dst].span is not None]
    out = []
    for (p, a), (q, b) in combinations(owned, 2):
        first, second = graph.nodes[a], graph.nodes[b]
        alike = _shelf(graph, a) == _shelf(graph, b) or bank.exclusive(
            kind, first.label, second.label)
        if p != q and first.label != second.label and alike:
            out.append(_swap(graph, first.span, second.span))
    return [t for t in out if t]


def _replace(kind: str) -> Callable[[SceneGraph, Bank, random.Random], list[str]]:
    def replace(graph: SceneGraph, bank: Bank, rng: random.Random) -> list[str]:
        used = {n.label for n in graph.nodes}
        out = []
        for i in graph.of_kind(kind):
            node = graph.nodes[i]
            others = {} if node.span is None else {
                label: s for label, s in bank.shelves[_shelf(graph, i)].items()
                if label not in used
                and (kind == 'predicate' or bank.exclusive(kind, node.label, label))}
            # "move right" for "move left": a label that shares a word is the harder one
            near = [label for label in others if set(label.split()) & set(node.label.split())]
            pool = near if near and rng.random() < 0.5 else list(others)
            if pool:
                out.append(apply_edits(graph.text, [(node.span, others[rng.choice(pool)])]))
        return [t for t in out if t]
    replace.__doc__ = (f'Another {kind} of the same form in its place'
                       + ('.' if kind == 'predicate' else ', one that excludes it.'))
    return replace


OPERATIONS: dict[str, Callable[[SceneGraph, Bank, random.Random], list[str]]] = {
    'swap_attributes': swap_attributes,
    'swap_arguments': swap_arguments,
    'swap_predicates': swap_predicates,
    'swap_order': swap_order,
    'swap_adverbs': swap_adverbs,
    'replace_attribute': _replace('attribute'),
    'replace_predicate': _replace('predicate'),
    'replace_adverb': _replace('predicate_attribute'),
}

"""Dependency trees as plain data, in Universal Dependencies, whatever labels the model speaks.

``en_core_web_*`` speaks ClearNLP labels, where a preposition governs its noun and the copula
governs its predicate; :func:`from_doc` turns such a tree into UD first, so the rules see one kind.
"""

from dataclasses import dataclass, field

_RENAMED = {
    'dobj': 'obj', 'nsubjpass': 'nsubj:pass', 'csubjpass': 'csubj', 'auxpass': 'aux:pass',
    'poss': 'nmod:poss', 'relcl': 'acl:relcl', 'prt': 'compound:prt', 'npadvmod':
    'obl:unmarked', 'acomp': 'xcomp', 'oprd': 'xcomp', 'neg': 'advmod', 'predet': 'det:predet',
    'preconj': 'cc:preconj', 'quantmod': 'advmod', 'intj': 'discourse',
    'dative': 'iobj', 'attr': 'obj', 'meta': 'dep', 'agent': 'case', 'prep': 'case',
}
_CLEAR_ONLY = frozenset(
    [
        'dobj', 'nsubjpass', 'auxpass', 'poss', 'relcl', 'prt', 'pobj', 'prep', 'acomp', 'attr',
        'npadvmod', 'oprd'])
_NOMINAL_HEADS = frozenset(['NOUN', 'PROPN', 'PRON', 'NUM'])


@dataclass
class Token:
    """One word: index ``i``, surface ``text``, lower-cased ``low`` and ``lemma``, UPOS ``pos``,
    UD ``dep``, ``head`` (its own index at a root), character offsets [start, end), ``form`` of a
    verb: 'past' (participle), 'ing', 'fin', 'inf' or ''; ``plural`` by its features."""

    i: int
    text: str
    low: str
    lemma: str
    pos: str
    dep: str
    head: int
    start: int
    end: int
    form: str = ''
    plural: bool = False
    children: list[int] = field(default_factory=list)
    base: str = ''  # the relation without its subtype, "nmod:poss" -> "nmod"; kept by Tree.link


class Tree:
    """The tokens of one text (one or several sentences), children in order of the text."""

    def __init__(self, tokens: list[Token], text: str) -> None:
        self.tokens = tokens
        self.text = text
        self.link()

    def __getitem__(self, index: int) -> Token:
        return self.tokens[index]

    def __len__(self) -> int:
        return len(self.tokens)

    def link(self) -> None:
        """Recompute ``children`` from ``head`` and ``base`` from ``dep``."""
        for token in self.tokens:
            token.children = []
            token.base = token.dep.partition(':')[0]
        for token in self.tokens:
            if token.head != token.i:
                self.tokens[token.head].children.append(token.i)

    def kids(self, index: int, *deps: str) -> list[Token]:
        """Children whose full or base relation is one of ``deps`` (all children without)."""
        kids = [self.tokens[c] for c in self.tokens[index].children]
        return [k for k in kids if k.dep in deps or k.base in deps] if deps else kids

    def conjuncts(self, index: int) -> list[int]:
        """``index`` and everything coordinated with it, in order of the text."""
        out, queue = [], [index]
        while queue:
            current = queue.pop(0)
            out.append(current)
            queue += [k.i for k in self.kids(current, 'conj')]
        return out

    def span(self, indices: list[int]) -> tuple[int, int]:
        """Character offsets from the first to the last of some tokens."""
        return (min(self.tokens[i].start for i in indices),
                max(self.tokens[i].end for i in indices))


def from_doc(doc) -> Tree:
    """A Tree of a parsed spaCy Doc; ClearNLP trees are restructured into UD."""
    tokens = []
    for t in doc:
        lemma = t.lemma_.lower() or t.lower_
        # a tagger calls an emoji a noun or a verb
        pos = t.pos_ if any(c.isalnum() for c in t.text) else 'PUNCT'
        tokens.append(Token(t.i, t.text, t.lower_, lemma, pos, t.dep_ or 'dep', t.head.i, t.idx,
                            t.idx + len(t.text), _verb_form(t.morph),
                            'Plur' in t.morph.get('Number')))
    tree = Tree(tokens, doc.text)
    if any(t.dep in _CLEAR_ONLY for t in tokens):
        clear_to_ud(tree)
    return tree


def _verb_form(morph) -> str:
    form = ''.join(morph.get('VerbForm'))
    if form == 'Part' and 'Past' in morph.get('Tense'):
        return 'past'
    return {'Part': 'ing', 'Ger': 'ing', 'Fin': 'fin', 'Inf': 'inf'}.get(form, '')


def clear_to_ud(tree: Tree) -> None:
    """Restructure a ClearNLP tree in place: prepositions become case, copulas become cop."""
    for token in tree.tokens:
        if token.dep == 'dative' and token.pos == 'ADP':
            token.dep = 'prep'
        elif token.dep == 'nmod':  # ClearNLP's nmod is a modifier without a preposition
            token.dep = 'compound'
    _lower_prepositions(tree)
    _lower_copulas(tree)
    for token in tree.tokens:
        token.dep = _RENAMED.get(token.dep, token.dep)
        if token.dep in ('pobj', 'pcomp'):
            token.dep = 'obl'
    tree.link()


def _lower_prepositions(tree: Tree) -> None:
    """prep -> pobj becomes noun -> case; a preposition without a noun stays an adverb."""
    for prep in reversed(tree.tokens):
        if prep.dep not in ('prep', 'agent') or prep.head == prep.i:
            continue
        nouns = [k for k in tree.kids(prep.i, 'pobj', 'pcomp') if k.head == prep.i]
        if not nouns:
            inner = [k for k in tree.kids(prep.i, 'obl', 'nmod') if k.head == prep.i]
            if not inner:
                prep.dep = 'advmod'
                continue
            nouns = inner
        noun, above = nouns[0], tree[prep.head]
        agent = prep.dep == 'agent'
        stacked = above.dep in ('prep', 'agent')
        noun.head = above.i
        if stacked:
            noun.dep = 'pobj'
        elif above.pos in _NOMINAL_HEADS:
            noun.dep = 'nmod'
        else:
            noun.dep = 'obl:agent' if agent else 'obl'
        prep.head, prep.dep = noun.i, 'case'
        for kid in tree.kids(prep.i):
            if kid.head == prep.i:
                kid.head = noun.i
        tree.link()


def _lower_copulas(tree: Tree) -> None:
    """be -> attr / acomp / prepositional predicate: the predicate takes the place of "be"."""
    for be in tree.tokens:
        if be.lemma != 'be' or be.pos not in ('AUX', 'VERB') or be.dep in ('aux', 'auxpass'):
            continue
        kids = tree.kids(be.i)
        if any(k.dep == 'expl' for k in kids):
            for k in kids:
                if k.dep == 'attr':
                    k.dep = 'nsubj'
            continue
        predicate = next((k for k in kids if k.dep in ('attr', 'acomp')), None) or next(
            (k for k in kids if k.dep == 'obl' and k.i > be.i), None)
        if predicate is None:
            continue
        predicate.head = predicate.i if be.head == be.i else be.head
        predicate.dep = be.dep
        for kid in kids:
            if kid is not predicate:
                kid.head = predicate.i
        be.head, be.dep = predicate.i, 'cop'
        tree.link()

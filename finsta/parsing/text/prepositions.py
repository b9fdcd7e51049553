"""Prepositions of several words become plain ``case`` children: "on the left side of the road".

Treebank trees make "side" a thing that the cat is on. Scene graphs want (cat, on side of, road).
The match is on the words, so it also repairs trees in which the parser stumbled there.
"""

from finsta.parsing.text.trees import Tree
from finsta.parsing.text.words import LONG_PREPOSITIONS, RELATIONAL_NOUNS, SIMPLE_PREPOSITIONS

_BY_FIRST: dict[str, list[tuple[str, ...]]] = {}
for _words in sorted(LONG_PREPOSITIONS, key=len, reverse=True):
    _BY_FIRST.setdefault(_words[0], []).append(_words)
_NO_PREPOSITION = frozenset(["'s", "'", '\u2019s', '\u2019', 's', 'the', 'a', 'an'])
_VERBAL = frozenset(['VERB', 'AUX', 'ADJ', 'ADV'])


def collapse_prepositions(tree: Tree) -> None:
    """Turn every preposition of several words into case children of its noun, in place."""
    i, changed = 0, False
    while i < len(tree):
        length = _match(tree, i)
        if length > 1 and _attach(tree, i, i + length):
            changed = True
            tree.link()
            i += length
        else:
            i += 1
    if changed:
        tree.link()


def _match(tree: Tree, i: int) -> int:
    """Number of words of the long preposition that starts at ``i``; 0 if none does."""
    words = [t.low for t in tree.tokens[i:i + 6]]
    for candidate in _BY_FIRST.get(words[0], ()):
        if tuple(words[:len(candidate)]) == candidate:
            return len(candidate)
    if words[0] not in SIMPLE_PREPOSITIONS:
        return 0
    for at in range(1, min(4, len(words) - 1)):
        between = tree.tokens[i + 1:i + at]
        if (words[at] in RELATIONAL_NOUNS and words[at + 1] == 'of'
                and all(t.pos in ('DET', 'ADJ', 'NUM', 'NOUN', 'VERB') for t in between)):
            return at + 2
    return 0


def _attach(tree: Tree, first: int, end: int) -> bool:
    """Make tokens [first, end) the case of the noun that follows them."""
    inside = range(first, end)
    noun = next((tree[i].head for i in reversed(inside) if tree[i].head >= end), None)
    if noun is None or any(i not in inside and tree[i].head in inside
                           for i in _ancestors(tree, noun) - {noun}):
        return False
    tops = [i for i in inside if tree[i].head not in inside or tree[i].head == i]
    # the word inside that the noun hangs on, if any: the phrase's old top
    top = next((i for i in tops if tree[i].head < first or tree[i].head == i), None)
    if tree[noun].head in inside:
        if top is None:
            return False
        old = tree[top]
        tree[noun].head = noun if old.head == top else old.head
        tree[noun].dep = _dep(tree, noun, old.dep, old.head == top)
    elif top is not None and tree[top].head != noun and tree[noun].head > noun:
        return False
    above = _ancestors(tree, noun)
    for token in tree.tokens:
        # subjects, copulas and clauses that hung on the old top move to the noun
        if token.head in inside and token.i not in inside and token.i not in above:
            token.head = noun
    for i in inside:
        tree[i].head, tree[i].dep = noun, 'case'
    return True


def _ancestors(tree: Tree, index: int) -> set[int]:
    out: set[int] = set()
    while index not in out:
        out.add(index)
        index = tree[index].head
    return out


def _dep(tree: Tree, noun: int, old: str, was_root: bool) -> str:
    if was_root:
        return 'ROOT'
    if old in ('conj', 'acl:relcl', 'ccomp', 'advcl', 'parataxis', 'xcomp'):
        return old
    return 'obl' if tree[tree[noun].head].pos in _VERBAL else 'nmod'


def case_words(tree: Tree, noun: int) -> list[int]:
    """Token indices of a noun's preposition, without articles."""
    words = [k.i for k in tree.kids(noun, 'case') if k.low not in _NO_PREPOSITION]
    return [i for i in words if i < noun]

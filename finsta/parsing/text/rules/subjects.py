"""Who does it: the subject of a predicate through relatives, participles and coordination."""

from finsta.parsing.text.draft import Draft
from finsta.parsing.text.trees import Tree
from finsta.parsing.text.words import PERSONS, RELATIVE_PRONOUNS

_MAX_CLIMB = 12


def antecedent(tree: Tree, index: int) -> int | None:
    """The noun that a relative pronoun, at ``index`` or any token of its clause, refers to."""
    current = index
    for _ in range(_MAX_CLIMB):
        token = tree[current]
        if token.dep == 'acl:relcl':
            return token.head
        if token.head == current:
            return None
        current = token.head
    return None


def things(tree: Tree, draft: Draft, index: int) -> list[int]:
    """Heads of the mentions that an argument token stands for, coordination included."""
    token = tree[index]
    if token.low in RELATIVE_PRONOUNS and token.pos in ('PRON', 'DET', 'SCONJ', 'ADV'):
        noun = antecedent(tree, index)
        if noun is not None:
            return [noun] if noun in draft.mentions else []
    return [i for i in tree.conjuncts(index) if i in draft.mentions]


def _alike(tree: Tree, draft: Draft, index: int) -> list[int]:
    """"man and woman walking": a participle after "and" describes both when both are people."""
    first = tree[index].head
    if tree[index].dep != 'conj' or first not in draft.mentions:
        return [index]
    persons = [tree[i].low in PERSONS or tree[i].lemma in PERSONS for i in (first, index)]
    return [first, index] if all(persons) else [index]


def subjects(tree: Tree, draft: Draft, index: int, depth: int = 0) -> list[int]:
    """Mention heads of a predicate's subject; [] when nobody is named.

    An own subject wins; a participle takes the noun it describes; a coordinated or dependent
    clause takes the subject of the clause above it.
    """
    own = tree.kids(index, 'nsubj')
    if own:
        return [h for kid in own for h in things(tree, draft, kid.i)]
    token = tree[index]
    if depth > _MAX_CLIMB or token.head == index:
        return []
    if token.dep in ('acl', 'acl:relcl'):
        if token.head not in draft.mentions:
            return []
        return _alike(tree, draft, token.head) if token.dep == 'acl' else [token.head]
    if token.dep == 'xcomp':
        patients = [h for kid in tree.kids(token.head, 'obj')
                    for h in things(tree, draft, kid.i)]
        return patients or subjects(tree, draft, token.head, depth + 1)
    if token.base in ('conj', 'advcl', 'parataxis', 'dep', 'ccomp', 'cop', 'amod'):
        above = subjects(tree, draft, token.head, depth + 1)
        if above or token.base not in ('advcl', 'conj', 'parataxis', 'dep'):
            return above
        return [token.head] if token.head in draft.mentions else []
    return []

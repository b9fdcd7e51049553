"""Which mentions of one text are the same thing: pronouns and repeated definite noun phrases.

A rule linker of our own (no trained resolver can be assumed): a pronoun takes the nearest earlier
mention that agrees in number and sex and is not its own clause-mate, subjects first; "the square"
takes the nearest earlier square whose attributes do not contradict it.
"""

from finsta.parsing.text.draft import Draft, Mention, Span
from finsta.parsing.text.trees import Tree
from finsta.parsing.text.words import COLOURS, FEMALE, MALE, PERSONAL, PERSONS

_REFLEXIVE = frozenset(['himself', 'herself', 'itself', 'themselves'])
_SUBJECT_BONUS = 12
_REACH = 120  # tokens: farther back a pronoun is left alone


def link(tree: Tree, draft: Draft) -> tuple[dict[int, list[int]], dict[int, list[Span]]]:
    """Antecedents of the mentions that have one.

    Returns:
        (mention head -> heads it stands for, antecedent head -> spans of possessive pronouns).
        "They" after "a man and a woman" stands for two.
    """
    mates = _clause_mates(draft)
    subjects = {r.subject for r in draft.relations if r.source.startswith('verb')}
    links: dict[int, list[int]] = {}
    possessives: dict[int, list[Span]] = {}
    order = sorted(i for i, m in draft.mentions.items() if not m.hidden)
    words = set(order) | {t.i for t in tree.tokens
                          if t.dep == 'nmod:poss' and t.low in PERSONAL}
    for head in sorted(words):
        earlier = [i for i in order if i < head and i not in links and head - i <= _REACH]
        mention = draft.mentions.get(head)
        if mention is None:
            found = _pronoun(tree, draft, head, tree[head].low, earlier, mates, subjects)
            for antecedent in found:
                token = tree[head]
                possessives.setdefault(antecedent, []).append((token.start, token.end))
            continue
        if mention.pronoun:
            found = _pronoun(tree, draft, head, mention.pronoun, earlier, mates, subjects)
        elif mention.definite:
            found = _repeated(tree, mention, earlier, draft, mates)
        else:
            found = []
        if found:
            links[head] = found
    return links, possessives


def _clause_mates(draft: Draft) -> dict[int, set[int]]:
    mates: dict[int, set[int]] = {}
    for r in draft.relations:
        if r.subject is not None and r.object is not None:
            mates.setdefault(r.subject, set()).add(r.object)
            mates.setdefault(r.object, set()).add(r.subject)
    return mates


def _pronoun(tree: Tree, draft: Draft, head: int, pronoun: str, earlier: list[int],
             mates: dict[int, set[int]], subjects: set) -> list[int]:
    """Heads that a pronoun stands for; [] when nothing agrees."""
    number, kind = PERSONAL[pronoun]
    own = mates.get(head, set())
    if pronoun in _REFLEXIVE:
        return [max(own & set(earlier))] if own & set(earlier) else []
    best, best_score = None, 0.0
    for i in earlier:
        if i in own or not _agrees(tree, draft.mentions[i], number, kind):
            continue
        score = 1000 - (head - i) + (_SUBJECT_BONUS if i in subjects else 0)
        if score > best_score:
            best, best_score = i, score
    if best is not None:
        return [best]
    if number == 'plur':
        for i in reversed(earlier):
            group = [j for j in _group(tree, i) if j in draft.mentions and j < head]
            if len(group) > 1 and not own & set(group):
                return group
    return []


def _group(tree: Tree, index: int) -> list[int]:
    while tree[index].dep == 'conj':
        index = tree[index].head
    return tree.conjuncts(index)


def _agrees(tree: Tree, mention: Mention, number: str, kind: str | None) -> bool:
    token = tree[mention.head]
    if mention.pronoun:
        return PERSONAL[mention.pronoun] == (number, kind)
    word = token.low
    plural = token.plural or word == 'people'
    if plural != (number == 'plur'):
        return False
    person = word in PERSONS or token.lemma in PERSONS
    if kind == 'male':
        return (person or token.pos == 'PROPN') and word not in FEMALE
    if kind == 'female':
        return (person or token.pos == 'PROPN') and word not in MALE
    return not (kind == 'thing' and (person or token.pos == 'PRON'))


def _repeated(tree: Tree, mention: Mention, earlier: list[int], draft: Draft,
              mates: dict[int, set[int]]) -> list[int]:
    """The nearest earlier mention of the same name whose attributes allow it."""
    mine = {a.label for a in mention.attributes}
    for i in reversed(earlier):
        other = draft.mentions[i]
        same = other.label == mention.label or (
            tree[i].low == tree[mention.head].low and not mention.modifiers)
        if not same or i in mates.get(mention.head, ()) or other.pronoun:
            continue
        theirs = {a.label for a in other.attributes}
        if mine <= theirs or (not mine & COLOURS and not theirs):
            return [i]
    return []

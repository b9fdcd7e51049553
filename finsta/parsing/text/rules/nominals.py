"""Noun phrases: which words name things, what the phrase is called, what is said of it."""

from finsta.parsing.text.draft import Draft, Mention, Phrase
from finsta.parsing.text.trees import Tree
from finsta.parsing.text.words import (
    COLOURS,
    DIRECTIONS,
    EMPTY_ADVERBS,
    EMPTY_SUBJECTS,
    NUMBERS,
    PERSONAL,
    PRONOUN_LABELS,
    RELATIVE_PRONOUNS,
    TIMES,
)

_NEVER = frozenset([
    'compound', 'flat', 'fixed', 'det', 'case', 'expl', 'discourse', 'goeswith', 'cc', 'mark',
    'cop', 'aux', 'punct', 'reparandum', 'list', 'advmod'])
_ARGUMENTS = frozenset(['nsubj', 'obj', 'obl', 'iobj', 'nmod', 'ROOT', 'conj'])
_DEMONSTRATIVES = frozenset(['the', 'this', 'that', 'these', 'those', 'both'])


def is_thing(tree: Tree, index: int) -> bool:
    """Whether a token is the head of a noun phrase that names a thing."""
    token = tree[index]
    if token.base in _NEVER or token.dep in ('nmod:desc', 'nsubj:outer'):
        return False
    if token.pos == 'PRON':
        if token.low in RELATIVE_PRONOUNS and token.low not in EMPTY_SUBJECTS:
            return False
        if token.low in EMPTY_SUBJECTS and token.low != 'it':
            return False
        return token.dep != 'nmod:poss'
    if token.pos in ('NOUN', 'PROPN'):
        timing = token.low in TIMES and token.dep in ('obl:unmarked', 'obl', 'nmod:unmarked')
        return not timing and any(c.isalnum() for c in token.text)
    if token.pos == 'NUM':
        return token.base in _ARGUMENTS and token.low.isalpha()
    if token.pos == 'ADJ':
        return token.base in ('nsubj', 'obj', 'obl') and bool(tree.kids(index, 'det'))
    return (token.pos in ('X', 'SYM', 'INTJ') and token.base in _ARGUMENTS
            and any(c.isalpha() for c in token.text))


def modifiers_of(tree: Tree, index: int) -> list[int]:
    """Noun modifiers in front of a head, nested ones included, in order of the text."""
    out: list[int] = []
    for kid in tree.kids(index, 'compound', 'nmod:desc'):
        if kid.i < index and kid.dep != 'compound:prt' and kid.pos != 'PUNCT':
            out += [*modifiers_of(tree, kid.i), kid.i]
    return sorted(out)


def find_mentions(tree: Tree) -> dict[int, Mention]:
    """All mentions of a text, by head token."""
    mentions: dict[int, Mention] = {}
    for token in tree.tokens:
        if is_thing(tree, token.i):
            mentions[token.i] = _mention(tree, token.i)
    return mentions


def _mention(tree: Tree, index: int) -> Mention:
    token = tree[index]
    if token.pos == 'PRON' or token.low in PERSONAL:
        label = PRONOUN_LABELS.get(token.low, token.low)
        pronoun = token.low if token.low in PERSONAL else ''
        return Mention(index, label, (token.start, token.end), pronoun=pronoun)
    modifiers = modifiers_of(tree, index)
    flat = [k.i for k in tree.kids(index, 'flat') if k.i == index + 1]
    words = [*modifiers, index, *flat]
    label = ' '.join(tree[i].low for i in words)
    kids = tree.kids(index, 'det')
    return Mention(index, label, tree.span(words), modifiers=modifiers,
                   definite=any(k.low in _DEMONSTRATIVES for k in kids))


def adjective_phrase(tree: Tree, index: int) -> Phrase:
    """An adjective with what makes it precise: "dark blue", "light brown"."""
    words = [index]
    for kid in tree.kids(index, 'advmod', 'amod', 'compound', 'obl:unmarked', 'nmod:unmarked'):
        precise = kid.low not in EMPTY_ADVERBS or kid.pos in ('ADJ', 'NOUN')
        if kid.i < index and precise and kid.low not in ('most', 'more', 'all', 'not', 'as'):
            words.append(kid.i)
    words.sort()
    if words[-1] - words[0] != len(words) - 1:
        words = [index]
    label = ' '.join(tree[i].low for i in words)
    return Phrase(label, tree.span(words))


def add_attributes(tree: Tree, draft: Draft) -> None:
    """Adjectives, numerals and participles in front of a noun; "and"-ed ones too."""
    for index, mention in draft.mentions.items():
        if mention.pronoun:
            continue
        for kid in tree.kids(index, 'amod', 'nummod', 'advmod', 'nmod:poss'):
            if kid.dep == 'nmod:poss' or (kid.dep == 'advmod' and not _place_adverb(kid)):
                continue
            if kid.dep == 'nummod':
                mention.attributes.append(
                    Phrase(NUMBERS.get(kid.low, kid.low), (kid.start, kid.end)))
                continue
            if kid.i > index and tree.kids(kid.i, 'obl', 'obj'):
                continue  # "bowl full of fruit": a relation, see adjectives.py
            for adjective in tree.conjuncts(kid.i):
                if tree[adjective].pos in ('ADJ', 'VERB', 'NOUN', 'ADV', 'PROPN', 'NUM', 'X'):
                    mention.attributes.append(adjective_phrase(tree, adjective))
                    draft.mentions.get(adjective, mention)
        for kid in tree.kids(index, 'compound'):
            # "white and black sign" read as a compound: colours are attributes all the same
            if kid.low in COLOURS and kid.i in mention.modifiers:
                mention.modifiers.remove(kid.i)
                mention.attributes.append(Phrase(kid.low, (kid.start, kid.end)))
                relabel(tree, mention)


def relabel(tree: Tree, mention: Mention) -> None:
    """Recompute label and span from the modifiers that are left."""
    words = [*mention.modifiers, mention.head]
    mention.label = ' '.join(tree[i].low for i in words)
    mention.span = tree.span(words)


def _place_adverb(token) -> bool:
    return token.low in DIRECTIONS or token.low in ('upright', 'nearby')

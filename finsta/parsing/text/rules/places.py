"""Relations without a verb: prepositions, possession, copulas, adjectives with a complement."""

from finsta.parsing.text.draft import Draft, Phrase, Relation
from finsta.parsing.text.prepositions import case_words
from finsta.parsing.text.rules.nominals import adjective_phrase
from finsta.parsing.text.rules.subjects import subjects, things
from finsta.parsing.text.trees import Token, Tree
from finsta.parsing.text.words import DIRECTIONS, MEASURES, PICTURE_PLACES


def add_places(tree: Tree, draft: Draft) -> None:
    """Every relation that a noun or adjective governs."""
    for token in tree.tokens:
        if token.i in draft.mentions:
            _noun(tree, draft, token)
        elif token.pos in ('ADJ', 'ADV') or (token.pos == 'VERB' and token.base == 'amod'):
            _adjective(tree, draft, token)
        elif token.pos in ('AUX', 'VERB') and token.lemma == 'be' and token.dep != 'cop':
            _existence(tree, draft, token)


def _noun(tree: Tree, draft: Draft, token: Token) -> None:
    copula = tree.kids(token.i, 'cop')
    owner_prep = case_words(tree, token.i)
    if tree.kids(token.i, 'nsubj') and (copula or owner_prep):
        for subject in subjects(tree, draft, token.i):
            if subject == token.i:
                continue
            if owner_prep:
                _place(tree, draft, subject, token.i, owner_prep)
            else:
                _is_a(draft, subject, token.i)
    elif token.dep == 'acl:relcl' and (copula or owner_prep) and owner_prep:
        _place(tree, draft, token.head, token.i, owner_prep)
    for kid in tree.kids(token.i, 'nmod', 'obl'):
        if kid.dep == 'nmod:desc':
            continue
        possessive = kid.dep == 'nmod:poss'
        for index in tree.conjuncts(kid.i):
            prep = case_words(tree, index) or case_words(tree, kid.i)
            if possessive:
                if index in draft.mentions:
                    draft.relations.append(Relation(
                        'have', index, token.i, (tree[index].start, tree[index].end), 'poss',
                        index))
            elif prep:
                for noun in things(tree, draft, index)[:1]:
                    for owner in _owners(tree, draft, token.i):
                        _place(tree, draft, owner, noun, prep)
    for kid in tree.kids(token.i, 'appos'):
        if kid.i in draft.mentions and not case_words(tree, kid.i):
            _is_a(draft, token.i, kid.i)


def _owners(tree: Tree, draft: Draft, index: int) -> list[int]:
    """The noun a prepositional phrase hangs on; "is a part of": the subject."""
    mention = draft.mentions[index]
    return [index] if not mention.hidden else subjects(tree, draft, index)[:1] or [index]


def _is_a(draft: Draft, subject: int, predicate: int) -> None:
    """"the man is a skier": the skier is an attribute of the man and no thing of its own."""
    mention = draft.mentions[predicate]
    owner = draft.mentions[subject]
    if owner.head != predicate and not mention.hidden:
        mention.hidden = True
        owner.attributes.append(Phrase(mention.label, mention.span))
        owner.attributes += mention.attributes
        draft.aliases[predicate] = subject


def _place(tree: Tree, draft: Draft, subject: int, noun: int, prep: list[int]) -> None:
    """subject - preposition - noun, unless the noun is a mere measure or a place in the view."""
    label = ' '.join(tree[i].low for i in prep)
    token, owner = tree[noun], tree[subject]
    if label == 'of' and owner.low in MEASURES and subject != noun:
        mention, thing = draft.mentions[subject], draft.mentions[noun]
        if not mention.hidden:
            mention.hidden = True
            thing.attributes.insert(0, Phrase(f'{mention.label} of', mention.span))
            thing.attributes += mention.attributes
            draft.aliases[subject] = noun
        return
    bare = not tree.kids(noun, 'nmod', 'amod')
    if token.low in PICTURE_PLACES - {'background', 'foreground'} and bare and label != 'of':
        words = sorted(prep + [k.i for k in tree.kids(noun, 'det')] + [noun])
        draft.mentions[subject].attributes.append(
            Phrase(' '.join(tree[i].low for i in words), tree.span(words)))
        draft.mentions[noun].hidden = True
        return
    if subject != noun:
        draft.relations.append(Relation(label, subject, noun, tree.span(prep), 'prep', prep[0]))


def _adjective(tree: Tree, draft: Draft, token: Token) -> None:
    """"is red", "is full of clouds", "a bowl full of fruit"."""
    if token.base in ('advmod', 'cc', 'case', 'mark', 'aux', 'fixed', 'compound'):
        return
    who = subjects(tree, draft, token.i)
    if token.base == 'amod':
        who = [token.head] if token.head in draft.mentions and token.i > token.head else []
        if not tree.kids(token.i, 'obl'):
            return
    if any(k.low in ('not', "n't") for k in tree.kids(token.i, 'advmod')):
        phrase = adjective_phrase(tree, token.i)
        phrase = Phrase('not ' + phrase.label, phrase.span)
    else:
        phrase = adjective_phrase(tree, token.i)
    related = False
    for kid in tree.kids(token.i, 'obl', 'nmod', 'advcl'):
        prep = case_words(tree, kid.i) or [k.i for k in tree.kids(kid.i, 'mark')
                                           if k.low in ('than', 'as')]
        compared = any(tree[i].low == 'than' for i in prep)
        for noun in things(tree, draft, kid.i):
            for subject in who:
                if prep and noun != subject:
                    place = token.pos == 'ADV' and token.low in DIRECTIONS
                    joins = place or compared or token.low in ('full', 'made')
                    words = [token.low] if joins else []
                    label = ' '.join(words + [tree[i].low for i in prep])
                    draft.relations.append(Relation(label, subject, noun, tree.span(prep), 'adj',
                                                    token.i))
                    related = related or bool(words)
    if not related:
        for subject in who:
            draft.mentions[subject].attributes.append(phrase)


def _existence(tree: Tree, draft: Draft, token: Token) -> None:
    """"there is a dog on the table" when the phrase hangs on "is"."""
    who = subjects(tree, draft, token.i)
    for kid in tree.kids(token.i, 'obl', 'nmod'):
        prep = case_words(tree, kid.i)
        for noun in things(tree, draft, kid.i):
            for subject in who:
                if prep and subject != noun:
                    _place(tree, draft, subject, noun, prep)

"""Verbs: who does what to whom, where, and how."""

from finsta.parsing.text.draft import Draft, Phrase, Relation
from finsta.parsing.text.prepositions import case_words
from finsta.parsing.text.rules.subjects import antecedent, subjects, things
from finsta.parsing.text.trees import Token, Tree
from finsta.parsing.text.words import (
    ASPECT_VERBS,
    BE,
    DIRECTION_NOUNS,
    DIRECTIONS,
    EMPTY_ADVERBS,
    PICTURE_PLACES,
    PLACED_VERBS,
    RELATIVE_PRONOUNS,
    TIMES,
)

_NOT_CLAUSES = frozenset([
    'amod', 'compound', 'case', 'fixed', 'aux', 'cop', 'flat', 'det', 'mark'])


def is_predicate(tree: Tree, index: int) -> bool:
    """Whether a token is a verb that makes a predicate node."""
    token = tree[index]
    if token.base in _NOT_CLAUSES or token.low in BE or token.lemma == 'be':
        return False
    if token.pos == 'VERB':
        return token.lemma not in ASPECT_VERBS or not any(
            k.pos == 'VERB' for k in tree.kids(index, 'xcomp'))
    return token.pos == 'AUX' and bool(tree.kids(index, 'obj'))


def add_clauses(tree: Tree, draft: Draft) -> None:
    """One group of relations for every verb."""
    for token in tree.tokens:
        if is_predicate(tree, token.i):
            draft.relations += verb_relations(tree, draft, token)


def is_passive(tree: Tree, verb: Token) -> bool:
    """Passive by auxiliary or subject, or a past participle that describes a noun."""
    if tree.kids(verb.i, 'aux:pass', 'nsubj:pass', 'obl:agent'):
        return True
    if verb.dep == 'conj':
        return verb.form == 'past' and is_passive(tree, tree[verb.head])
    return verb.form == 'past' and verb.dep in ('acl', 'advcl') and not tree.kids(verb.i, 'obj')


def verb_relations(tree: Tree, draft: Draft, verb: Token) -> list[Relation]:
    """Relations of one verb: its objects, then its prepositional complements."""
    passive = is_passive(tree, verb)
    who = subjects(tree, draft, verb.i)
    adverbs, direction = _adverbs(tree, draft, verb)
    words = [verb.i, *[k.i for k in tree.kids(verb.i, 'compound:prt')]]
    gone = _relative_gap(tree, draft, verb)
    out: list[Relation] = []

    def add(subject, words, obj, source):
        label = ' '.join(tree[i].lemma if i == verb.i else tree[i].low for i in words)
        out.append(Relation(label, subject, obj, _span(tree, words), source, verb.i,
                            adverbs if words[0] == verb.i else []))

    plain = words + direction
    objects = [h for kid in tree.kids(verb.i, 'obj', 'iobj') for h in things(tree, draft, kid.i)]
    if not direction:
        # "picks up a ball" read as verb + (up a ball): the particle is the verb's
        plain = words + [i for kid in tree.kids(verb.i, 'obj') for i in case_words(tree, kid.i)
                         if tree[i].low in DIRECTIONS and i == words[-1] + 1]
    if gone and not gone[0] and not objects:
        objects = [gone[1]]
    if passive:
        agents = [h for kid in tree.kids(verb.i, 'obl:agent') if verb.lemma not in PLACED_VERBS
                  for h in things(tree, draft, kid.i)]
        for agent in agents:
            for patient in who or [None]:
                add(agent, plain, patient, 'verb')
    else:
        for subject in who or [None]:
            for obj in objects:
                if obj != subject:
                    add(subject, plain, obj, 'verb')
    for noun, prep in _complements(tree, draft, verb, adverbs, gone):
        used = words + [d for d in direction if not prep or d < prep[0]] + prep
        for subject in who or [None]:
            if noun != subject:
                particle = [tree[i].low for i in prep] == ['up']
                add(subject, used, noun, 'verb' if particle else 'verb+prep')
    if not out:
        for subject in who or [None]:
            add(subject, plain, None, 'verb')
    _hand_over_adverbs(out, adverbs)
    return out


def _hand_over_adverbs(relations: list[Relation], adverbs: list[Phrase]) -> None:
    """Adverbs belong to the verb's first predicate label only."""
    first = relations[0].label
    for relation in relations:
        relation.adverbs = adverbs if relation.label == first else []


def _hide(draft: Draft, index: int) -> None:
    if index in draft.mentions:
        draft.mentions[index].hidden = True


def _adverbs(tree: Tree, draft: Draft, verb: Token) -> tuple[list[Phrase], list[int]]:
    """(manner, frequency, negation, ...), and the direction words that join the label."""
    phrases, direction = [], []
    for kid in tree.kids(verb.i):
        if kid.base == 'advmod' or (kid.base == 'obl' and kid.dep != 'obl' and kid.pos == 'ADV'):
            if kid.low in RELATIVE_PRONOUNS or kid.low in EMPTY_ADVERBS:
                continue
            if kid.low in DIRECTIONS and kid.i > verb.i:
                direction.append(kid.i)
            elif any(c.isalpha() for c in kid.low):
                for index in tree.conjuncts(kid.i):
                    phrases.append(_adverb_phrase(tree, index))
        elif kid.base == 'xcomp' and kid.low in DIRECTIONS:
            direction.append(kid.i)
        elif kid.base in ('obl', 'obj') and kid.low in TIMES:
            words = [k.i for k in tree.kids(kid.i, 'nummod', 'det', 'amod')] + [kid.i]
            phrases.append(Phrase(' '.join(tree[i].low for i in sorted(words)), tree.span(words)))
        elif (kid.base in ('obl', 'obj', 'xcomp', 'nmod') and kid.low in DIRECTION_NOUNS
              and not tree.kids(kid.i, 'nmod') and _towards(tree, kid.i)):
            direction.append(kid.i)
            _hide(draft, kid.i)
    return phrases, direction


def _towards(tree: Tree, index: int) -> bool:
    words = [tree[i].low for i in case_words(tree, index)]
    return not tree.kids(index, 'amod', 'compound') and (
        words in (['to'], ['towards'], ['toward']) or (not words and not tree.kids(index, 'det')))


def _adverb_phrase(tree: Tree, index: int) -> Phrase:
    words = [index, *[k.i for k in tree.kids(index, 'advmod')
                      if k.i == index - 1 and k.low not in EMPTY_ADVERBS]]
    label = ' '.join(tree[i].low for i in sorted(words))
    return Phrase('not' if label in ("n't", 'n\u2019t') else label, tree.span(words))


def _relative_gap(tree: Tree, draft: Draft, verb: Token) -> tuple[list[int], int] | None:
    """(stranded preposition, noun) of "the sofa the man is sitting on"; no words: an object.

    None when the clause's relative pronoun is its subject, or it is no relative clause.
    """
    if verb.dep != 'acl:relcl' or verb.head not in draft.mentions:
        return None
    own = tree.kids(verb.i, 'nsubj')
    noun = antecedent(tree, verb.i)
    if noun is None or not own or all(k.low in RELATIVE_PRONOUNS for k in own):
        return None
    stranded = [k.i for k in tree.kids(verb.i, 'advmod', 'compound:prt', 'obl', 'case', 'dep')
                if k.pos == 'ADP' and k.i > verb.i]
    if stranded and not tree.kids(verb.i, 'obj'):
        return stranded, noun
    placed = [k for k in tree.kids(verb.i, 'obl') if k.low in RELATIVE_PRONOUNS]
    if placed or tree.kids(verb.i, 'obj'):
        return None
    return [], noun


def _complements(tree: Tree, draft: Draft, verb: Token, adverbs: list[Phrase],
                 gone: tuple[list[int], int] | None):
    """(noun, preposition tokens) of every prepositional complement."""
    out = []
    for kid in tree.kids(verb.i, 'obl', 'nmod'):
        if kid.low in TIMES or (kid.dep == 'obl:agent' and verb.lemma not in PLACED_VERBS):
            continue
        prep = case_words(tree, kid.i)
        if kid.low in DIRECTION_NOUNS and _towards(tree, kid.i):
            continue
        bare = not tree.kids(kid.i, 'nmod', 'amod')
        if kid.low in PICTURE_PLACES - {'background', 'foreground'} and prep and bare:
            words = sorted(prep + [k.i for k in tree.kids(kid.i, 'det')] + [kid.i])
            adverbs.append(Phrase(' '.join(tree[i].low for i in words), tree.span(words)))
            _hide(draft, kid.i)
            continue
        if not prep:
            continue
        for index in tree.conjuncts(kid.i):
            own = case_words(tree, index) or prep
            out += [(h, own) for h in ([index] if index in draft.mentions else [])]
        if kid.low in RELATIVE_PRONOUNS:
            out += [(h, prep) for h in things(tree, draft, kid.i)]
    if gone and gone[0]:
        out.append((gone[1], [i for i in gone[0] if tree[i].dep != 'compound:prt']))
    return out


def _span(tree: Tree, words: list[int]) -> tuple[int, int]:
    """From the first word over those that follow without a gap of more than an article."""
    kept = [words[0]]
    for index in sorted(words[1:]):
        if index == kept[-1] + 1:
            kept.append(index)
    return tree.span(kept)

"""How annotators write scene graphs, learned from FACTUAL's train split.

Trees do not say that "baseball bat" is one thing, "brick wall" a wall that is brick, and "jet
wing" a wing that a jet has; nor that a man "in a red jacket" wears it and "leg of the man" is
(man, have, leg). Two log-linear models decide it, three tables rename words. They are counted and
fitted by ``tools/scene_graphs/learn_conventions.py`` and stored as plain JSON.
"""

import json
from pathlib import Path

from finsta.parsing.text.draft import Draft, Mention, Phrase, Relation
from finsta.parsing.text.loglinear import LogLinear
from finsta.parsing.text.trees import Tree
from finsta.parsing.text.words import NUMBERS

FACTUAL = Path(__file__).parent / 'factual_conventions.json'
_INSIDE = frozenset([
    'amod', 'compound', 'nummod', 'conj', 'advmod', 'cc', 'punct', 'nmod', 'flat', 'dep', 'obl',
    'list'])
_WORDS = frozenset(['ADJ', 'NOUN', 'PROPN', 'VERB', 'NUM', 'ADV', 'X'])
# a verb is what happens in the video: it is never dropped, only renamed or turned round
_VERBS_KEEP = ('NONE', 'DROPOBJ', 'MEAS')


class Conventions:
    """The learned layer between rules and graph; see the module's docstring."""

    def __init__(self, modifiers: LogLinear, relations: LogLinear, objects: dict[str, str],
                 attributes: dict[str, str], predicates: dict[str, str]) -> None:
        self.modifiers = modifiers
        self.relations = relations
        self.objects = objects
        self.attributes = attributes
        self.predicates = predicates

    @classmethod
    def load(cls, name: str) -> 'Conventions':
        """Read ``'factual'`` (shipped) or a JSON file of the same form.

        Raises:
            FileNotFoundError: no such file.
            ValueError: naming the file and what is wrong in it.
        """
        path = FACTUAL if name == 'factual' else Path(name)
        try:
            with open(path, encoding='utf-8') as stream:
                data = json.load(stream)
            return cls(LogLinear.from_dict(data['modifiers']),
                       LogLinear.from_dict(data['relations']),
                       dict(data['objects']), dict(data['attributes']), dict(data['predicates']))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f'{path}: no conventions file: {error!r}') from error

    def apply(self, tree: Tree, draft: Draft) -> None:
        """Rewrite a draft in place."""
        for mention in list(draft.mentions.values()):
            if not mention.pronoun:
                self._modifiers(tree, draft, mention)
        draft.relations = [r for r in draft.relations if self._relation(tree, draft, r)]
        for mention in draft.mentions.values():
            if not mention.pronoun:
                mention.label = self.objects.get(mention.label, mention.label)
            for phrase in mention.attributes:
                phrase.label = self.attributes.get(phrase.label, phrase.label)
            # "row of" -> "": annotators write nothing for it
            mention.attributes = [phrase for phrase in mention.attributes if phrase.label]

    def _modifiers(self, tree: Tree, draft: Draft, mention: Mention) -> None:
        words = premodifiers(tree, mention)
        if not words:
            return
        joined, pending, after, said = [], [], 'HEAD', []
        for position, index in enumerate(reversed(words)):
            features = modifier_features(tree, mention.head, index, position, after)
            barred = ('JOIN',) if after not in ('HEAD', 'JOIN') else ()
            if after not in ('ATTR', 'PRE'):
                barred += ('PRE',)
            after = self.modifiers.best(features, barred)
            if after == 'JOIN':
                joined.insert(0, index)
            elif after == 'PRE':
                pending[-1].insert(0, index)
            elif after == 'ATTR':
                pending.append([index])
            elif after == 'HAVE':
                self._possessor(tree, draft, mention, index)
        for group in reversed(pending):
            label = ' '.join(tree[i].low for i in group)
            said.append(Phrase(NUMBERS.get(label, label), tree.span(group)))
        first = tree[words[0]].start
        head = tree[mention.head]
        mention.attributes = said + [a for a in mention.attributes
                                     if not first <= a.span[0] < head.start]
        behind = [k.i for k in tree.kids(mention.head, 'flat') if k.i == mention.head + 1]
        words = [*joined, mention.head, *behind]
        mention.modifiers = joined
        mention.label = ' '.join(tree[i].low for i in words)
        mention.span = tree.span(words)

    @staticmethod
    def _possessor(tree: Tree, draft: Draft, mention: Mention, index: int) -> None:
        token = tree[index]
        if index not in draft.mentions:
            span = (token.start, token.end)
            draft.mentions[index] = Mention(index, token.low, span)
            draft.relations.append(Relation('have', index, mention.head, span, 'poss', index))

    def _relation(self, tree: Tree, draft: Draft, relation: Relation) -> bool:
        """Rename, turn round or drop one relation; whether it stays."""
        if relation.subject is None or relation.object is None:
            return True
        barred = _VERBS_KEEP if relation.source in ('verb', 'verb+prep', 'adj') else ()
        choice = self.relations.best(relation_features(tree, draft, relation), barred)
        verb, prep = parts_of(relation)
        if choice in ('NONE', 'DROPOBJ'):
            if choice == 'DROPOBJ':
                draft.mentions[relation.object].hidden = True
            return False
        if choice == 'MEAS':
            owner, thing = draft.mentions[relation.subject], draft.mentions[relation.object]
            owner.hidden = True
            thing.attributes = [Phrase(owner.label, owner.span), *owner.attributes,
                                *thing.attributes]
            draft.aliases[relation.subject] = relation.object
            return False
        if choice == 'PREP' and prep:
            relation.label = prep
        elif choice == 'VERB' and verb:
            relation.label = verb
        elif choice.startswith('REV:'):
            relation.subject, relation.object = relation.object, relation.subject
            relation.label = choice[4:]
        elif choice.startswith('L:'):
            relation.label = choice[2:]
        relation.label = self.predicates.get(relation.label, relation.label)
        return True


def premodifiers(tree: Tree, mention: Mention) -> list[int]:
    """Content words of the noun phrase in front of its head, in order of the text."""
    out: list[int] = []
    index = mention.head - 1
    while index >= 0:
        token, current, steps = tree[index], index, 0
        while tree[current].base in _INSIDE and current != mention.head and steps < 8:
            current, steps = tree[current].head, steps + 1
        if current != mention.head or token.dep in ('case', 'nmod:poss'):
            break
        if token.pos in _WORDS and any(c.isalnum() for c in token.low):
            out.insert(0, index)
        elif token.pos not in ('CCONJ', 'PUNCT', 'SYM'):
            break
        index -= 1
    return out


def modifier_features(tree: Tree, head: int, index: int, position: int, after: str) -> list[str]:
    """Features of one word in front of a noun: ``position`` 0 is next to the noun."""
    word, noun = tree[index], tree[head]
    right = tree[index + 1].low
    place = min(position, 2)
    return [f'm={word.low}', f'h={noun.low}', f'mh={word.low} {noun.low}', f'p={word.pos}',
            f'pp={word.pos}{place}', f'a={after}', f'ma={word.low} {after}',
            f'mr={word.low} {right}', f'd={word.dep}', f's={word.low[-3:]}', f'hl={noun.lemma}',
            f'ra={right} {after}', f'pa={word.pos} {after} {place}']


def parts_of(relation: Relation) -> tuple[str, str]:
    """(verb with particles, preposition) of a label; the preposition alone without a verb."""
    if relation.source == 'verb+prep':
        verb, _, prep = relation.label.partition(' ')
        return verb, prep
    if relation.source == 'verb':
        return relation.label, ''
    return '', relation.label


def relation_features(tree: Tree, draft: Draft, relation: Relation) -> list[str]:
    """Features of a relation with both ends named."""
    verb, prep = parts_of(relation)
    s, o = tree[relation.subject].low, tree[relation.object].low
    label, source = relation.label, relation.source
    form = tree[relation.verb].form if verb else ''
    objects = any(r.verb == relation.verb and r.source == 'verb' for r in draft.relations)
    return [f'l={label}', f'p={prep}', f'v={verb}', f'src={source}', f'ls={label}|{s}',
            f'lo={label}|{o}', f'po={prep}|{o}', f'ps={prep}|{s}', f'vo={verb}|{o}',
            f'so={s}|{o}', f'vp={verb}|{prep}', f'sp={source}|{prep}', f'lso={label}|{s}|{o}',
            f'f={form}|{source}', f'vf={verb}|{form}', f'pf={prep}|{form}',
            f'po2={prep}|{objects}', f'vo2={verb}|{objects}', f'o={o}', f's={s}',
            f'fo={form}|{prep}|{objects}']

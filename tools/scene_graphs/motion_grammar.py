"""Gold dependency trees of short motion captions, made by a small grammar.

News and web text has no "the small red circle moves left quickly": there "circle moves" reads as
a compound. These sentences teach the parser such captions; words are drawn widely so that it
learns the form and not a list of colours.
"""

import random
from dataclasses import dataclass, field

from finsta.parsing.text.conllu import Sentence

_NOUNS = [
    'circle', 'square', 'triangle', 'star', 'heart', 'cross', 'diamond', 'hexagon', 'ring',
    'ball', 'box', 'disc', 'cube', 'pentagon', 'man', 'woman', 'dog', 'cat', 'car', 'boy',
    'girl', 'child', 'bird', 'horse', 'player', 'robot', 'ship', 'plane', 'shape', 'object',
    'truck', 'train', 'bus']
_COLOURS = [
    'red', 'green', 'blue', 'yellow', 'purple', 'orange', 'pink', 'white', 'black', 'gray',
    'brown', 'cyan', 'magenta']
_SIZES = ['small', 'large', 'big', 'little', 'tiny', 'huge']
_TEXTURES = [
    'striped', 'dotted', 'solid', 'plain', 'checkered', 'shiny', 'filled', 'spotted', 'hollow']
_BARE = [
    'move', 'rotate', 'leave', 'enter', 'grow', 'shrink', 'flash', 'stop', 'wait', 'turn',
    'spin', 'disappear', 'appear', 'blink', 'jump', 'walk', 'run', 'fall', 'slide', 'roll',
    'fly', 'bounce', 'swing', 'freeze', 'pause', 'expand', 'circle']
_OBJECT = [
    'hit', 'push', 'follow', 'approach', 'touch', 'chase', 'pull', 'pass', 'carry', 'hold',
    'cross', 'kick', 'watch', 'leave', 'enter', 'bump', 'meet', 'catch', 'overtake', 'circle',
    'lift', 'strike', 'shove', 'trail']
_DIRECTION = [
    'left', 'right', 'up', 'down', 'upward', 'downward', 'upwards', 'downwards', 'forward',
    'backward', 'away']
_MANNER = [
    'slowly', 'quickly', 'smoothly', 'jerkily', 'repeatedly', 'once', 'twice', 'again',
    'gently', 'rapidly', 'suddenly', 'steadily', 'briefly']
_PLACE = ('behind', 'in front of', 'past', 'around', 'towards', 'into', 'above', 'below',
          'next to', 'near', 'over', 'under', 'across', 'along', 'through')
_IRREGULAR_ING = {'hit': 'hitting', 'spin': 'spinning', 'run': 'running', 'stop': 'stopping',
                  'swing': 'swinging', 'shrink': 'shrinking', 'fly': 'flying'}
_IRREGULAR_PAST = {'hit': 'hit', 'hold': 'held', 'catch': 'caught', 'meet': 'met', 'leave': 'left',
                   'overtake': 'overtaken', 'strike': 'struck', 'carry': 'carried'}


@dataclass
class _Rows:
    """Words under construction; heads are indices, the root's is its own."""

    words: list[str] = field(default_factory=list)
    lemmas: list[str] = field(default_factory=list)
    pos: list[str] = field(default_factory=list)
    morphs: list[str] = field(default_factory=list)
    heads: list[int] = field(default_factory=list)
    deps: list[str] = field(default_factory=list)

    def add(self, word: str, pos: str, dep: str, head: int = -1, lemma: str = '',
            morph: str = '') -> int:
        """Append a word; head -1 is filled in later. Returns its index."""
        for name, value in (('words', word), ('lemmas', lemma or word), ('pos', pos),
                            ('morphs', morph), ('heads', head), ('deps', dep)):
            getattr(self, name).append(value)
        return len(self.words) - 1

    def sentence(self) -> Sentence:
        """Spaces stand everywhere except before punctuation."""
        spaces = [not (i + 1 < len(self.words) and self.pos[i + 1] == 'PUNCT')
                  for i in range(len(self.words))]
        return Sentence(self.words, spaces, self.lemmas, self.pos, self.morphs, self.heads,
                        self.deps)


def _third(verb: str) -> str:
    if verb.endswith(('ss', 'sh', 'ch', 'x')):
        return verb + 'es'
    return verb[:-1] + 'ies' if verb.endswith('y') and verb[-2] not in 'aeou' else verb + 's'


def _past(verb: str) -> str:
    return _IRREGULAR_PAST.get(verb) or (verb + 'd' if verb.endswith('e') else verb + 'ed')


def _ing(verb: str) -> str:
    return _IRREGULAR_ING.get(verb) or (verb[:-1] + 'ing' if verb.endswith('e') else verb + 'ing')


def _noun_phrase(rows: _Rows, rng: random.Random, dep: str, head: int = -1,
                 pronoun: bool = False, plural: bool = False) -> int:
    """A noun phrase; returns its head. ``head`` is what it depends on, by ``dep``."""
    if pronoun:
        return rows.add('it', 'PRON', dep, head, morph='Case=Nom|Gender=Neut|Number=Sing|Person=3'
                                                       '|PronType=Prs')
    noun = rng.choice(_NOUNS)
    front = [(rng.choice(('the', 'a', 'the')), 'DET', 'det')]
    if plural:
        front = [(rng.choice(('two', 'three', 'four', 'five')), 'NUM', 'nummod')
                 if rng.random() < 0.5 else ('the', 'DET', 'det')]
    for words, chance in ((_SIZES, 0.4), (_COLOURS, 0.7), (_TEXTURES, 0.3)):
        if rng.random() < chance:
            front.append((rng.choice(words), 'ADJ', 'amod'))
    start = len(rows.words)
    for word, pos, relation in front:
        rows.add(word, pos, relation, start + len(front),
                 morph='Degree=Pos' if pos == 'ADJ' else '')
    if plural:
        word = {'man': 'men', 'woman': 'women', 'child': 'children'}.get(noun, _third(noun))
        return rows.add(word, 'NOUN', dep, head, noun, 'Number=Plur')
    return rows.add(noun, 'NOUN', dep, head, morph='Number=Sing')


def _subject(rows: _Rows, rng: random.Random, pronoun: bool) -> tuple[int, bool]:
    """(head, plural) of a subject: one thing, several, or "the ball and the box"."""
    kind = rng.random()
    if pronoun or kind < 0.7:
        return _noun_phrase(rows, rng, 'nsubj', pronoun=pronoun), False
    if kind < 0.85:
        return _noun_phrase(rows, rng, 'nsubj', plural=True), True
    first = _noun_phrase(rows, rng, 'nsubj')
    cc = rows.add('and', 'CCONJ', 'cc')
    rows.heads[cc] = _noun_phrase(rows, rng, 'conj', first)
    return first, True


def _tail(rows: _Rows, rng: random.Random, verb: int, motion: bool) -> None:
    """Direction, manner and place after a verb."""
    if motion and rng.random() < 0.4:
        if rng.random() < 0.3:
            side = len(rows.words) + 2
            rows.add('to', 'ADP', 'case', side)
            rows.add('the', 'DET', 'det', side)
            rows.add(rng.choice(('left', 'right')), 'NOUN', 'obl', verb, morph='Number=Sing')
        else:
            rows.add(rng.choice(_DIRECTION), 'ADV', 'advmod', verb)
    elif motion and rng.random() < 0.4:
        cases = []
        for word in rng.choice(_PLACE).split():
            cases.append(rows.add(word, 'ADP', 'case'))
        noun = _noun_phrase(rows, rng, 'obl', verb)
        for case in cases:
            rows.heads[case] = noun
    if rng.random() < 0.4:
        rows.add(rng.choice(_MANNER), 'ADV', 'advmod', verb)
    elif rng.random() < 0.1:
        number = rows.add(rng.choice(('two', 'three', 'four')), 'NUM', 'nummod')
        rows.heads[number] = rows.add('times', 'NOUN', 'obl:unmarked', verb, 'time',
                                      'Number=Plur')


def _clause(rows: _Rows, rng: random.Random, dep: str, head: int = -1,
            pronoun: bool = False) -> int:
    """One clause; returns its verb."""
    subject, plural = _subject(rows, rng, pronoun)
    if not pronoun and not plural and rng.random() < 0.12:
        who = rows.add(rng.choice(('that', 'which')), 'PRON', 'nsubj', morph='PronType=Rel')
        _verb_phrase(rows, rng, 'acl:relcl', subject, who)
    kind = rng.random()
    if kind < 0.2:
        verb = rng.choice(_OBJECT)
        be = rows.add('are' if plural else 'is', 'AUX', 'aux:pass', lemma='be',
                      morph='Mood=Ind|VerbForm=Fin')
        index = rows.add(_past(verb), 'VERB', dep, head, verb,
                         'Tense=Past|VerbForm=Part|Voice=Pass')
        rows.deps[subject], rows.heads[be] = 'nsubj:pass', index
        if rng.random() < 0.9:
            by = rows.add('by', 'ADP', 'case')
            rows.heads[by] = _noun_phrase(rows, rng, 'obl:agent', index)
    else:
        index = _verb_phrase(rows, rng, dep, head, subject, plural)
    rows.heads[subject] = index
    if plural and rng.random() < 0.2:
        cc = rows.add('and', 'CCONJ', 'cc')
        rows.heads[cc] = _verb_phrase(rows, rng, 'conj', index, plural=True)
    return index


def _verb_phrase(rows: _Rows, rng: random.Random, dep: str, head: int,
                 subject: int | None = None, plural: bool = False) -> int:
    """[adverb] verb [object] [tail], present, progressive or past."""
    early = rows.add(rng.choice(_MANNER), 'ADV', 'advmod') if rng.random() < 0.12 else None
    transitive = rng.random() < 0.45
    verb = rng.choice(_OBJECT if transitive else _BARE)
    kind = rng.random()
    if kind < 0.25:
        be = rows.add('are' if plural else 'is', 'AUX', 'aux', lemma='be',
                      morph='Mood=Ind|VerbForm=Fin')
        index = rows.add(_ing(verb), 'VERB', dep, head, verb, 'Tense=Pres|VerbForm=Part')
        rows.heads[be] = index
    elif kind < 0.3:
        do = rows.add('do' if plural else 'does', 'AUX', 'aux', lemma='do',
                      morph='Mood=Ind|VerbForm=Fin')
        no = rows.add('not', 'PART', 'advmod', morph='Polarity=Neg')
        index = rows.add(verb, 'VERB', dep, head, verb, 'VerbForm=Inf')
        rows.heads[do] = rows.heads[no] = index
    elif plural:
        index = rows.add(verb, 'VERB', dep, head, verb,
                         'Mood=Ind|Number=Plur|Person=3|Tense=Pres|VerbForm=Fin')
    else:
        index = rows.add(_third(verb), 'VERB', dep, head, verb,
                         'Mood=Ind|Number=Sing|Person=3|Tense=Pres|VerbForm=Fin')
    if subject is not None:
        rows.heads[subject] = index
    if early is not None:
        rows.heads[early] = index
    if transitive:
        _noun_phrase(rows, rng, 'obj', index)
    _tail(rows, rng, index, motion=not transitive)
    return index


def motion_sentence(rng: random.Random) -> Sentence:
    """One caption of one to three clauses."""
    rows = _Rows()
    if rng.random() < 0.2:
        mark = rows.add(rng.choice(('after', 'before', 'while', 'when')), 'SCONJ', 'mark')
        first = _clause(rows, rng, 'advcl')
        rows.heads[mark] = first
        comma = rows.add(',', 'PUNCT', 'punct')
        root = _clause(rows, rng, 'ROOT')
        rows.heads[first] = rows.heads[comma] = root
    else:
        root = _clause(rows, rng, 'ROOT')
        kind = rng.random()
        if kind < 0.3:
            comma = rows.add(',', 'PUNCT', 'punct')
            then = rows.add('then', 'ADV', 'advmod')
            second = _clause(rows, rng, 'parataxis', root, pronoun=rng.random() < 0.5)
            rows.heads[comma] = rows.heads[then] = second
        elif kind < 0.5:
            cc = rows.add('and', 'CCONJ', 'cc')
            then = rows.add('then', 'ADV', 'advmod') if rng.random() < 0.5 else None
            second = (_clause(rows, rng, 'conj', root, pronoun=rng.random() < 0.3)
                      if rng.random() < 0.5 else
                      _verb_phrase(rows, rng, 'conj', root))
            rows.heads[cc] = second
            if then is not None:
                rows.heads[then] = second
        elif kind < 0.6:
            mark = rows.add(rng.choice(('before', 'after', 'while')), 'SCONJ', 'mark')
            rows.heads[mark] = _clause(rows, rng, 'advcl', root)
    rows.heads[root] = root
    if rng.random() < 0.4:
        rows.add('.', 'PUNCT', 'punct', root)
    return rows.sentence()

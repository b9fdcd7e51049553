"""Words of labels, for matching: stems, synonyms, families that exclude one another, converses.

The lists cover the vocabulary of motion parsers, of SynthVL and of everyday captions. They are
ours; labels that no list knows are compared as they are.
"""

from functools import lru_cache

# words of one row name the same thing as far as a match is concerned; the first is its name
_SYNONYMS = (
    ('circle', 'disc', 'disk', 'ball', 'round'), ('square', 'box', 'block'),
    ('ring', 'donut', 'hoop'), ('diamond', 'rhombus'),
    ('man', 'guy', 'gentleman'), ('woman', 'lady'), ('child', 'kid', 'toddler'),
    ('car', 'automobile'), ('bike', 'bicycle'), ('motorbike', 'motorcycle'),
    ('picture', 'photo', 'image'), ('couch', 'sofa'), ('tv', 'television'), ('cup', 'mug'),
    ('big', 'large', 'huge'), ('small', 'little', 'tiny'),
    ('gray', 'grey'), ('purple', 'violet'), ('cyan', 'turquoise'), ('striped', 'stripy'),
    ('dotted', 'spotted'), ('plain', 'solid'),
    ('move', 'go', 'slide', 'glide', 'travel', 'drift', 'head'),
    ('rotate', 'spin', 'turn', 'twirl'), ('grow', 'expand', 'enlarge'), ('shrink', 'contract'),
    ('flash', 'blink', 'flicker'), ('leave', 'exit', 'disappear', 'vanish'),
    ('enter', 'appear', 'arrive'), ('hit', 'strike', 'bump', 'collide', 'knock'),
    ('push', 'shove'), ('follow', 'chase', 'pursue', 'trail'), ('stop', 'halt'),
    ('wait', 'rest', 'pause', 'stay', 'stand'), ('touch', 'contact'),
    ('larger', 'bigger'), ('above', 'over'), ('below', 'under', 'beneath', 'underneath'),
    ('in', 'inside', 'within'),
    ('quickly', 'fast', 'rapidly', 'swiftly'), ('slowly', 'gradually'),
    ('repeatedly', 'again', 'twice'), ('smoothly', 'steadily'), ('jerkily', 'haltingly'),
    ('left', 'leftward', 'leftwards'), ('right', 'rightward', 'rightwards'),
    ('up', 'upward', 'upwards'), ('down', 'downward', 'downwards'),
)
# two different words of one family cannot be true of one thing at once
_FAMILIES = (
    {'red', 'green', 'blue', 'yellow', 'orange', 'purple', 'pink', 'brown', 'black', 'white',
     'gray', 'cyan', 'magenta'},
    {'big', 'small', 'medium'}, {'striped', 'dotted', 'plain', 'checkered'},
    {'left', 'right', 'up', 'down'}, {'quickly', 'slowly'}, {'repeatedly', 'once'},
    {'smoothly', 'jerkily'}, {'grow', 'shrink'}, {'enter', 'leave'}, {'above', 'below'},
    {'approach', 'away'},
)
# labels of parsers that do not know what a thing is
GENERIC = frozenset({'object', 'thing', 'something', 'region', 'blob', 'shape', 'item', 'figure',
                     'one', 'it'})
PERSONS = frozenset({'man', 'woman', 'boy', 'girl', 'child', 'person', 'player', 'baby', 'people',
                     'dancer', 'someone'})
DIRECTIONS = frozenset({'left', 'right', 'up', 'down'})
NUMBERS = {'two': 2, 'both': 2, 'pair': 2, 'couple': 2, 'three': 3, 'four': 4, 'five': 5}
# relation(a, b) == converse(b, a)
_CONVERSES = (('left of', 'right of'), ('above', 'below'), ('behind', 'in front of'),
              ('larger than', 'smaller than'), ('inside', 'contain'), ('touch', 'touch'),
              ('near', 'near'), ('next to', 'next to'))
_STOP = frozenset({'the', 'a', 'an', 'of', 'to', 'its', 'be', 'is', 'are', 'than', 'from', 'and',
                   'with', 'very'})
_IRREGULAR = {'men': 'man', 'women': 'woman', 'children': 'child', 'people': 'person',
              'feet': 'foot', 'mice': 'mouse', 'went': 'go', 'gone': 'go', 'left of': 'left',
              'leaves': 'leave', 'leaving': 'leave', 'hits': 'hit', 'hitting': 'hit',
              'shrank': 'shrink', 'grew': 'grow', 'stood': 'stand'}
_CANON = {word: group[0] for group in _SYNONYMS for word in group}


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """A crude base form: parsers' labels are lemmas already, this catches what they missed."""
    word = word.lower()
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if word in _CANON or len(word) < 4:
        return word
    for ending, instead in (('ies', 'y'), ('sses', 'ss'), ('shes', 'sh'), ('ches', 'ch'),
                            ('xes', 'x')):
        if word.endswith(ending):
            return word[:-len(ending)] + instead
    if word.endswith('s') and not word.endswith(('ss', 'us', 'is')):
        return word[:-1]
    for ending in ('ing', 'ed'):
        base = word[:-len(ending)]
        if word.endswith(ending) and len(base) >= 3:
            if base in _CANON:
                return base
            if base + 'e' in _CANON:
                return base + 'e'
            if len(base) > 3 and base[-1] == base[-2] and base[-1] not in 'sl':
                return base[:-1]
            return base
    return word


@lru_cache(maxsize=65536)
def canonical(word: str) -> str:
    """Stem, then the first word of its synonym set."""
    base = stem(word)
    return _CANON.get(base, base)


_FAMILY = {canonical(word): i for i, family in enumerate(_FAMILIES) for word in family}


@lru_cache(maxsize=65536)
def content_words(label: str) -> frozenset[str]:
    """Canonical words of a label without function words; all of them if nothing else is left."""
    words = [w for w in label.lower().replace('-', ' ').replace('_', ' ').split() if w]
    content = [w for w in words if w not in _STOP]
    return frozenset(canonical(w) for w in content or words)


# words of predicates that say where a thing is or how large, not what it does
RELATIONS = DIRECTIONS.union(*(content_words(label) for pair in _CONVERSES for label in pair))


def converse_words(words: frozenset[str]) -> frozenset[str] | None:
    """Words of the relation with its arguments swapped; None where there is none."""
    return _converse_table().get(words)


@lru_cache(maxsize=1)
def _converse_table() -> dict[frozenset[str], frozenset[str]]:
    pairs = [(content_words(a), content_words(b)) for a, b in _CONVERSES]
    return {one: other for a, b in pairs for one, other in ((a, b), (b, a))}


def conflict(first: frozenset[str], second: frozenset[str]) -> bool:
    """Whether two sets of words exclude one another (red / blue, left / right)."""
    mine = {_FAMILY[w]: w for w in first if w in _FAMILY}
    return any(_FAMILY.get(w) in mine and w not in first for w in second)


def overlap(first: frozenset[str], second: frozenset[str]) -> float:
    """F1 of two sets of words, in [0, 1]."""
    if not first or not second:
        return 0.0
    return 2.0 * len(first & second) / (len(first) + len(second))


def is_generic(label: str) -> bool:
    """Whether a label does not say what the thing is."""
    return bool(content_words(label) & GENERIC)


def label_similarity(first: str, second: str) -> float:
    """1 same label, 0.95 same words after synonyms, else shared head or shared words; 0..1."""
    if first == second:
        return 1.0
    one, two = content_words(first), content_words(second)
    if one == two and one:
        return 0.95
    if is_generic(first) or is_generic(second):
        return 0.4
    if _head(first) == _head(second):
        return 0.85
    if 'person' in (_head(first), _head(second)) and {_head(first), _head(second)} <= PERSONS:
        return 0.8
    return 0.8 * overlap(one, two)


def _head(label: str) -> str:
    """The last word of a noun phrase is its head."""
    words = label.replace('-', ' ').split()
    return canonical(words[-1]) if words else ''

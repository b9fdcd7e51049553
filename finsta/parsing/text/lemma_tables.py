"""Tables for spaCy's rule lemmatizer, counted from a treebank.

``lemma_index``: the lemmas seen of each part of speech; ``lemma_exc``: forms whose lemma the
rules below do not give; ``lemma_rules``: regular English endings, the likelier first.
"""

from collections import Counter, defaultdict

from finsta.parsing.text.conllu import Sentence

RULES = {
    'noun': [['ies', 'y'], ['ches', 'ch'], ['shes', 'sh'], ['sses', 'ss'], ['xes', 'x'],
             ['zzes', 'zz'], ['men', 'man'], ['ss', 'ss'], ['us', 'us'], ['is', 'is'],
             ['s', '']],
    'verb': [*([2 * c + end, c] for end in ('ing', 'ed') for c in 'bdgmnprt'), ['ies', 'y'],
             ['ied', 'y'], ['ches', 'ch'], ['shes', 'sh'], ['sses', 'ss'], ['xes', 'x'],
             ['zzes', 'zz'], ['s', ''], ['ing', ''], ['ing', 'e'], ['ed', ''], ['ed', 'e']],
    'adj': [['iest', 'y'], ['ier', 'y'], ['est', ''], ['est', 'e'], ['er', ''], ['er', 'e']],
    'adv': [['iest', 'y'], ['ier', 'y'], ['est', ''], ['er', '']],
}
# endings before which a silent "e" was dropped: "shoved", "bouncing"
for _end in ('ing', 'ed'):
    RULES['verb'][-4:-4] = [[_c + _end, _c + 'e'] for _c in ('v', 'c', 'u', 'ng', 'rg', 'dg')]
# verbs of captions that a treebank of web text may lack
CAPTION_VERBS = [
    'approach', 'bounce', 'chase', 'circle', 'climb', 'collide', 'dance', 'expand', 'flash',
    'float', 'freeze', 'graze', 'grow', 'hang', 'hit', 'hop', 'jump', 'kick', 'lean',
    'overtake', 'pause', 'push', 'ride', 'roll', 'rotate', 'shove', 'shrink', 'skate',
    'skateboard', 'ski', 'slice', 'slide', 'slow', 'snowboard', 'spin', 'splash', 'surf',
    'swim', 'swing', 'touch', 'trail', 'turn', 'twirl', 'vanish', 'wave']
_KIND = {'NOUN': 'noun', 'VERB': 'verb', 'AUX': 'aux', 'ADJ': 'adj', 'ADV': 'adv',
         'PRON': 'pron', 'DET': 'det', 'ADP': 'adp', 'NUM': 'num', 'PART': 'part'}


def by_rules(form: str, kind: str, index: set[str]) -> str:
    """The lemma that spaCy's rule lemmatizer gives a lower-cased form without exceptions.

    spaCy prefers the last candidate that is a known lemma, else takes the first candidate.
    """
    candidates = [form[:-len(end)] + new for end, new in RULES.get(kind, ())
                  if form.endswith(end) and len(form) > len(end)]
    known = [candidate for candidate in candidates if candidate in index]
    return (known[-1:] or candidates[:1] or [form])[0]


def build_lemma_tables(sentences: list[Sentence]) -> dict[str, dict]:
    """Count the three tables from sentences with gold lemmas."""
    seen: dict[tuple[str, str], Counter] = defaultdict(Counter)
    for s in sentences:
        for word, lemma, pos in zip(s.words, s.lemmas, s.pos, strict=True):
            if pos in _KIND and word.isascii() and any(c.isalpha() for c in word):
                seen[_KIND[pos], word.lower()][lemma.lower()] += 1
    index: dict[str, set] = defaultdict(set)
    for (kind, _), lemmas in seen.items():
        # once only is too often a slip of the pen
        index[kind].update(lemma for lemma, n in lemmas.items() if lemma.isalpha() and n > 1)
    index['verb'].update(CAPTION_VERBS)
    exceptions: dict[str, dict] = defaultdict(dict)
    for (kind, form), lemmas in sorted(seen.items()):
        lemma = lemmas.most_common(1)[0][0]
        if lemma != by_rules(form, kind, index[kind]) or kind not in RULES:
            exceptions[kind][form] = [lemma]
    return {'lemma_index': {kind: sorted(index[kind]) for kind in RULES},
            'lemma_exc': dict(exceptions), 'lemma_rules': RULES}

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
    'verb': [*([2 * c + end, c] for end in ('ing', 'ed') for c in 'bdgmnprt'), ['ies', 'y'], ['ied', 'y'], ['ches', 'ch'], ['shes', 'sh'], ['sses', 'ss'],
             ['xes', 'x'], ['zzes', 'zz'], ['s', ''], ['ing', ''], ['ing', 'e'], ['ed', ''],
             ['ed', 'e']],
    'adj': [['iest', 'y'], ['ier', 'y'], ['est', ''], ['est', 'e'], ['er', ''], ['er', 'e']],
    'adv': [['iest', 'y'], ['ier', 'y'], ['est', ''], ['er', '']],
}
_KIND = {'NOUN': 'noun', 'VERB': 'verb', 'AUX': 'aux', 'ADJ': 'adj', 'ADV': 'adv',
         'PRON': 'pron', 'DET': 'det', 'ADP': 'adp', 'NUM': 'num', 'PART': 'part'}


def by_rules(form: str, kind: str, index: set[str]) -> str:
    """The lemma that the rules give a lower-cased form: a known lemma first."""
    candidates = [form[:-len(end)] + new for end, new in RULES.get(kind, ())
                  if form.endswith(end) and len(form) > len(end) + 1]
    for candidate in candidates:
        if candidate in index:
            return candidate
    return form if form in index or not candidates else candidates[0]


def build_lemma_tables(sentences: list[Sentence]) -> dict[str, dict]:
    """Count the three tables from sentences with gold lemmas."""
    seen: dict[tuple[str, str], Counter] = defaultdict(Counter)
    for s in sentences:
        for word, lemma, pos in zip(s.words, s.lemmas, s.pos, strict=True):
            if pos in _KIND and word.isascii() and any(c.isalpha() for c in word):
                seen[_KIND[pos], word.lower()][lemma.lower()] += 1
    index: dict[str, set] = defaultdict(set)
    for (kind, _), lemmas in seen.items():
        index[kind].update(lemma for lemma in lemmas if lemma.isalpha())
    exceptions: dict[str, dict] = defaultdict(dict)
    for (kind, form), lemmas in sorted(seen.items()):
        lemma = lemmas.most_common(1)[0][0]
        if lemma != by_rules(form, kind, index[kind]) or kind not in RULES:
            exceptions[kind][form] = [lemma]
    return {'lemma_index': {kind: sorted(index[kind]) for kind in RULES},
            'lemma_exc': dict(exceptions), 'lemma_rules': RULES}

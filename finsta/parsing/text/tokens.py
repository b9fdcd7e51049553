"""Cutting raw text into words as UD_English-EWT does.

Every rule was read off the treebank's train split: it is here because that split follows it more
often than not. :func:`follow_treebank` also counts exceptions there. Both end up in the
``tokenizer`` file of the pipeline; what needs the neighbouring words is :class:`InContext`.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import accumulate

from finsta.parsing.text.conllu import Sentence

CONVENTION = 'UD_English-EWT'

# a hyphen after one of these cuts nothing ("e-mail", "pre-war"); other hyphens do ("follow-up")
_BOUND = ('anti', 'arch', 'co', 'counter', 'cross', 'e', 'ex', 'intra', 'mid', 'multi', 'neo',
          'non', 'over', 'post', 'pre', 'pro', 'psycho', 're', 'semi', 'socio', 'sub', 'un')
_UNBOUND = ''.join(rf'(?<!\b(?i:{prefix}))' for prefix in _BOUND)
_HYPHEN = '|'.join([
    rf'(?<=[^\W_]){_UNBOUND}-(?=[^\W\d_])',
    rf'(?<=[^\W\d_]){_UNBOUND}-(?=\d{{1,3}}(?!\d))',  # "AK-47"
    r'(?<=[^\W_]\.)-(?=[^\W\d_])'])                   # "U.S.-led"

_INFIXES = [
    r'(?<=\w)(?:--+|[\u2013\u2014])(?=\w)',                       # "they--we"
    r'(?<=\w)[(\[{](?=\w)', r'(?<=\w)\)(?=\w)',         # "account(s)"
    r'(?<=[0-9])[+*^](?=[0-9-])',
    # "3-4" and "1969-1970", not a telephone number or a date
    r'(?<!-\d)(?<!-\d\d)(?<!-\d{3})(?<=\d)-(?=\$?\d{1,3}(?![\d-]|\.[A-Z]))',
    r'(?<=\b\d{4})-(?=\d{4}\b)', r'(?<=\d-)\$(?=\d)',
    r"(?<=[^\W\d_])(?=(?i:n['\u2019]t)\b)",                  # "havn't"
    r"(?<=[^\W\d_])(?=['\u2019](?i:ll|re|ve|m|d)\b)",        # "who'll"
    r'(?<=[^\W\d_]{2})[!?;](?=[^\W\d_])',               # "late!it"
    r'(?<=[^\W\d_]{2})"(?=[\w-])',
    r'(?<![\w/.]\d)(?<=\d)/(?=\d(?![\w/]))',            # "1/2", not "9/11" or a date
    r"(?<=\d)'(?=\d)",                                  # 5'11
    r'(?<=\w)#(?=\d)', r'(?<=[^\W\d_]):(?=\d)',
    r'(?<![^\W\d_]\d)(?<=\d)(?=(?:[a-z]{3,}|hh|sq|Hz)\b)',  # "20mins"
    r'(?<=\d)(?=(?:[ap]m|[AP]M)\b)',                    # "2pm-5pm"
    r'(?<=[^\W\d_]\.),',                                # "etc.," without the full stop
    r'(?<=[A-Z]\.)(?=[A-Z][a-z])',                      # "S.Korea"
    r'(?<=[a-z])/$',
    r'(?<=[a-z]{2})(?=\d{2})',                          # "rs500"
]
# runs of marks stay together
_PREFIXES = [
    r'[!?][!?.]+', r'\*\*+', '==+', '__+', '<<+', '>>+', '--+', r'\u2018\u2019',
    r'-(?=\w)', '@(?=\\d)', r'~(?=\w)',
    r"'(?!\d\ds?\b)",                                   # not in "'72", "'60s"
]
_SUFFIXES = [
    r'[!?][!?.]+', r'(?<!\.)(?<!\.[A-Z])\.[!?]+', r'\*\*+', '>>+', '--+', r'\)\)+',
    r'(?<=\d)(?:[ap]m|[AP]M|[kK]|bn|b|MM)', r'(?<=\d)[FfC]', r'(?<=\d)[px]',
    r'(?<=[^\W\d_])`s', r'(?<=\w)-', r'(?<=\w)\++',
    r"(?<!\d)['\u2019][sS]",                                 # not in "the 60's"
    r'(?<![^\W\d_]\.),',
]
# spaCy's rules that those above stand for
_REPLACED = {
    'prefixes': ("\\'",), 'suffixes': ("'s", "'S", '\u2019s', '\u2019S', ','),
    'infixes': (')(?:-', r'[+\-\*^]'),
}

# what no possessive stands before: "its not" is "it s not"
_AFTER_ITS = frozenset([
    'a', 'an', 'the', 'this', 'that', 'these', 'those', 'some', 'any', 'another', 'each', 'both',
    'all', 'not', 'never', 'ever', 'always', 'often', 'usually', 'sometimes', 'already', 'still',
    'yet', 'just', 'now', 'then', 'here', 'there', 'again', 'soon', 'also', 'too', 'very',
    'really', 'quite', 'rather', 'pretty', 'simply', 'definitely', 'probably', 'actually',
    'almost', 'even', 'maybe', 'perhaps', 'about', 'above', 'across', 'after', 'against',
    'along', 'around', 'as', 'at', 'before', 'behind', 'below', 'between', 'by', 'for', 'from',
    'in', 'into', 'like', 'near', 'of', 'off', 'on', 'onto', 'out', 'over', 'since', 'than',
    'through', 'to', 'toward', 'towards', 'under', 'until', 'up', 'upon', 'with', 'within',
    'without', 'i', 'me', 'you', 'he', 'she', 'it', 'we', 'us', 'they', 'them', 'my', 'your',
    'his', 'her', 'our', 'their', 'nothing', 'something', 'anything', 'everything', 'nobody',
    'someone', 'anyone', 'everyone', 'been', 'gonna', 'if', 'because', 'when', 'where', 'why',
    'how', 'what', 'who', 'which', 'while', 'but', 'although', 'though'])
_AFTER_YOUR = frozenset([
    'about', 'at', 'by', 'for', 'from', 'in', 'into', 'like', 'of', 'off', 'on', 'to', 'up',
    'with', 'without', 'not', 'a', 'an', 'the'])


class InContext:
    """A spaCy tokenizer, and the cuts for which the words beside must be known.

    "its" and "your" are cut before a word that no possessive stands before ("it s a", "you r
    in"); the full stop of a whole text is a word even after an abbreviation ("Inc" ".").
    """

    def __init__(self, inner) -> None:
        self.inner = inner

    def __call__(self, text: str):
        """The Doc of a text."""
        doc = self.inner(text)
        cuts = dict(_cuts(doc))
        if not cuts:
            return doc
        words, spaces = [], []
        for token in doc:
            at = cuts.get(token.i)
            pieces = [token.text] if at is None else [token.text[:at], token.text[at:]]
            words += pieces
            spaces += [False] * (len(pieces) - 1) + [bool(token.whitespace_)]
        return type(doc)(doc.vocab, words=words, spaces=spaces)

    def pipe(self, texts: Iterable[str], batch_size: int = 1000) -> Iterator:
        """The Docs of texts, one by one; ``batch_size`` is spaCy's, and changes nothing."""
        return map(self, texts)

    def __getattr__(self, name: str):
        """Everything else that is read, the saving too, is the spaCy tokenizer's."""
        if name == 'inner':  # not there yet while a copy is made
            raise AttributeError(name)
        return getattr(self.inner, name)


def _cuts(doc) -> Iterator[tuple[int, int]]:
    """(token, characters of its first piece)."""
    last = max((token.i for token in doc if not token.is_space), default=-1)
    for i, token in enumerate(doc):
        low = token.lower_
        if i < last:
            if ((low == 'its' and doc[i + 1].lower_ in _AFTER_ITS)
                    or (low == 'your' and doc[i + 1].lower_ in _AFTER_YOUR)):
                yield i, len(low) - 1
        elif i == last and re.fullmatch(r'.*[A-Za-z]\.', token.text):
            yield i, len(token) - 1


def follow_treebank(nlp, sentences: list[Sentence]) -> None:
    """Give a pipeline the tokenizer of this module, exceptions counted in ``sentences``.

    Norms of spaCy's own exceptions ("n't" as "not") are dropped: on the treebank's tokens, which
    the network learns from, there are none.
    """
    from spacy.attrs import NORM, ORTH
    inner = getattr(nlp.tokenizer, 'inner', nlp.tokenizer)
    _set_rules(nlp, inner)
    inner.rules = {text: [{k: v for k, v in piece.items() if k != NORM} for piece in pieces]
                   for text, pieces in nlp.Defaults.tokenizer_exceptions.items()}
    exceptions = count_exceptions(inner, sentences)
    for text, pieces in {**_other_case(exceptions, sentences), **exceptions}.items():
        inner.add_special_case(text, [{ORTH: piece} for piece in pieces])
    nlp.tokenizer = InContext(inner)
    nlp.meta['finsta'] = {**nlp.meta.get('finsta', {}), 'tokens': CONVENTION}


def keep_hyphens(nlp) -> None:
    """Leave "t-shirt" and "black-and-white" whole, as captions mean them.

    Nothing changes in a tokenizer that is not of :func:`follow_treebank`.
    """
    pattern = nlp.tokenizer.infix_finditer.__self__.pattern
    inner = getattr(nlp.tokenizer, 'inner', nlp.tokenizer)
    inner.infix_finditer = re.compile(pattern.replace(_HYPHEN + '|', '')).finditer


def _set_rules(nlp, tokenizer) -> None:
    from spacy import util
    for kind, ours, compiled, method in (
            ('prefixes', _PREFIXES, 'prefix_search', 'search'),
            ('suffixes', _SUFFIXES, 'suffix_search', 'search'),
            ('infixes', [_HYPHEN, *_INFIXES], 'infix_finditer', 'finditer')):
        gone = _REPLACED[kind]
        kept = [rule for rule in getattr(nlp.Defaults, kind)
                if not (any(part in rule for part in gone) if kind == 'infixes' else rule in gone)]
        pattern = getattr(util, f'compile_{kind[:-2]}_regex')(ours + kept)
        setattr(tokenizer, compiled, getattr(pattern, method))


def count_exceptions(tokenizer, sentences: list[Sentence],
                     share: float = 0.7) -> dict[str, tuple[str, ...]]:
    """Strings that ``tokenizer`` cuts otherwise than the treebank, with the treebank's pieces.

    A string counts where the treebank cuts it the same way in more than ``share`` of its places.
    Words of letters only that end in a cut "s" are left out ("sons" is "son's" in a text or two),
    so are strings with a hyphen and all that begins with no letter, except "):".
    """
    pairs = [_pieces(tokenizer, _without_full_stop(s)) for s in sentences]
    wrong = {(text[gold[0][0]:gold[-1][1]], _cut(text, ours))
             for text, all_gold, all_ours in pairs
             for gold, ours in _differences(all_gold, all_ours)}
    seen: dict[str, Counter] = defaultdict(Counter)
    for text, gold, ours in pairs:
        starts = {start: i for i, (start, _) in enumerate(gold)}
        ends = {end: i for i, (_, end) in enumerate(gold)}
        for first in range(len(ours)):
            for last in range(first, min(first + 3, len(ours))):
                start, end = ours[first][0], ours[last][1]
                if (start in starts and end in ends
                        and (text[start:end], _cut(text, ours[first:last + 1])) in wrong):
                    seen[text[start:end]][_cut(text, gold[starts[start]:ends[end] + 1])] += 1
    found = {}
    for text, cuts in seen.items():
        pieces, count = cuts.most_common(1)[0]
        if (count > share * sum(cuts.values()) and (text, pieces) not in wrong
                and re.fullmatch(r"[^\W\d_][\w./&'\u2019!]*|\):", text)
                and not (text.isalpha() and pieces[-1].lower() == 's')):
            found[text] = pieces
    return found


def _other_case(exceptions: dict[str, tuple[str, ...]],
                sentences: list[Sentence]) -> dict[str, tuple[str, ...]]:
    """The exceptions in lower case, capitals or a capital first, where the treebank shows none."""
    shown = {word for s in sentences for word in re.findall(r"[\w./&'\u2019!]+", s.text)}
    found = {}
    for text, pieces in exceptions.items():
        for changed in (text.lower(), text.capitalize(), text.upper()):
            if changed not in shown and len(changed) == len(text):
                ends = list(accumulate(map(len, pieces)))
                found[changed] = tuple(changed[end - len(piece):end]
                                       for piece, end in zip(pieces, ends, strict=True))
    return found


def _without_full_stop(s: Sentence) -> Sentence:
    """Without the last word if it is a full stop on the word before: InContext finds it."""
    if len(s.words) < 3 or s.words[-1] != '.' or s.spaces[-2]:
        return s
    return Sentence(**{name: getattr(s, name)[:-1] for name in s.__dataclass_fields__})


def _pieces(tokenizer, s: Sentence) -> tuple[str, list, list]:
    """The text, and (start, end) of the treebank's words and of ours."""
    gold, at = [], 0
    for word, space in zip(s.words, s.spaces, strict=True):
        gold.append((at, at + len(word)))
        at += len(word) + space
    ours = [(t.idx, t.idx + len(t)) for t in tokenizer(s.text) if not t.is_space]
    return s.text, gold, ours


def _differences(gold: list, ours: list) -> Iterator[tuple[list, list]]:
    """The shortest runs of words that cover the same text with other cuts."""
    i = j = 0
    while i < len(gold) and j < len(ours):
        from_i, from_j = i, j
        i, j = i + 1, j + 1
        while gold[i - 1][1] != ours[j - 1][1]:
            if gold[i - 1][1] < ours[j - 1][1]:
                i += 1
            else:
                j += 1
        if (i - from_i, j - from_j) != (1, 1):
            yield gold[from_i:i], ours[from_j:j]


def _cut(text: str, spans: list) -> tuple[str, ...]:
    return tuple(text[start:end] for start, end in spans)

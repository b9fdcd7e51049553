"""CoNLL-U sentences as plain data: the form of the treebank and of silver caption trees."""

from dataclasses import dataclass, replace
from pathlib import Path

from finsta.utils.annotation_files import read_text


@dataclass(frozen=True)
class Sentence:
    """One tree. All lists have one entry a word; ``heads`` are 0-based, the root is its own."""

    words: list[str]
    spaces: list[bool]
    lemmas: list[str]
    pos: list[str]
    morphs: list[str]
    heads: list[int]
    deps: list[str]

    @property
    def text(self) -> str:
        """The surface string, spaces restored."""
        return ''.join(w + ' ' * s for w, s in zip(self.words, self.spaces, strict=True)).rstrip()

    def lowered(self) -> 'Sentence':
        """The same tree over lower-cased words."""
        return replace(self, words=[word.lower() for word in self.words])

    def without_final_punctuation(self) -> 'Sentence':
        """The same tree without a last word that is punctuation and governs nothing."""
        last = len(self.words) - 1
        if last < 1 or self.pos[last] != 'PUNCT' or last in self.heads[:last]:
            return self
        fields = {name: getattr(self, name)[:last] for name in self.__dataclass_fields__}
        return Sentence(**fields)


def read_conllu(path: Path) -> list[Sentence]:
    """Read every sentence of a CoNLL-U file.

    Multi-word ranges ("3-4") and empty nodes ("3.1") are resolved into plain words.

    Raises:
        FileNotFoundError, ValueError: naming the file that is absent or no UTF-8, or the line of a
            row without ten columns.
    """
    sentences, rows, joined = [], [], {}
    for number, line in enumerate(read_text(path).split('\n'), 1):
        line = line.rstrip('\r')
        if not line:
            if rows:
                sentences.append(_sentence(rows, joined))
            rows, joined = [], {}
        elif not line.startswith('#'):
            row = line.split('\t')
            if len(row) != 10:
                raise ValueError(f'{path}:{number}: {len(row)} columns where CoNLL-U has 10')
            if '-' in row[0]:
                first, last = map(int, row[0].split('-'))
                joined.update({i: i == last and 'SpaceAfter=No' not in row[9]
                               for i in range(first, last + 1)})
            elif '.' not in row[0]:
                rows.append(row)
    if rows:
        sentences.append(_sentence(rows, joined))
    return sentences


def write_conllu(path: Path, sentences: list[Sentence]) -> None:
    """Write sentences so that ``read_conllu`` gives them back."""
    with open(path, 'w', encoding='utf-8') as stream:
        for s in sentences:
            stream.write(f'# text = {s.text}\n')
            for i, word in enumerate(s.words):
                head = 0 if s.heads[i] == i else s.heads[i] + 1
                misc = '_' if s.spaces[i] else 'SpaceAfter=No'
                row = [str(i + 1), word, s.lemmas[i] or '_', s.pos[i] or '_', '_',
                       s.morphs[i] or '_', str(head), s.deps[i] or '_', '_', misc]
                stream.write('\t'.join(row) + '\n')
            stream.write('\n')


def _sentence(rows: list[list[str]], joined: dict[int, bool]) -> Sentence:
    heads = [int(row[6]) - 1 if row[6] not in ('0', '_') else i for i, row in enumerate(rows)]
    spaces = [joined.get(int(row[0]), 'SpaceAfter=No' not in row[9]) for row in rows]
    return Sentence(
        words=[row[1].replace(' ', '_') for row in rows], spaces=spaces,
        lemmas=[row[2] for row in rows], pos=[row[3] for row in rows],
        morphs=['' if row[5] == '_' else row[5] for row in rows], heads=heads,
        deps=['ROOT' if row[6] == '0' else row[7] for row in rows])

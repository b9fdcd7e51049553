"""The closed answer vocabulary of open-ended question answering.

The ``top_k`` most frequent answers of the training annotation, most frequent first, ties in
alphabetical order; or a published list of words taken as it is. Convention of the field; the tie
rule is ours.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from finsta.utils.annotation_files import AnnotationError, field, read_csv, read_json

_REMEDY = ('answers.ann_file of the config names it; a README.md in tools/datasets says where its '
           'data set is to be had, and make_synthvl.py there makes a twin')


class AnswerVocabulary:
    """Answers <-> class indices.

    Args:
        ann_file: a JSON list of rows with the key ``answer``, a csv with such a column, or a JSON
            list of strings, which is the vocabulary itself in its order; several files are
            counted together. ``.gz`` and zip members are read in place.
        top_k: at most so many answers.

    Attributes:
        words: the answers, index = class.

    Raises:
        FileNotFoundError: naming the file. AnnotationError: naming file, row and key.
        ValueError: when there is no answer at all.
    """

    def __init__(self, ann_file: str | Path | Sequence[str | Path], top_k: int = 1000) -> None:
        files = [ann_file] if isinstance(ann_file, (str, Path)) else list(ann_file)
        counts: Counter[str] = Counter()
        listed: list[str] = []
        for path in files:
            try:
                rows = _rows(path)
            except FileNotFoundError as error:
                raise FileNotFoundError(f'{error}, from which the answers are counted. {_REMEDY}'
                                        ) from error
            if rows and all(isinstance(row, str) for row in rows):
                listed += [_clean(row) for row in rows]
            else:
                counts.update(_clean(str(field(row, 'answer', (str, int, float), path, i)))
                              for i, row in enumerate(rows))
        counts.pop('', None)
        frequent = sorted(counts, key=lambda word: (-counts[word], word))
        self.words: tuple[str, ...] = tuple(dict.fromkeys(listed + frequent))[:top_k]
        if not self.words:
            raise ValueError(f'no answer in {[str(f) for f in files]} (top_k={top_k})')
        self._index = {word: i for i, word in enumerate(self.words)}

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, answer: str) -> bool:
        return _clean(answer) in self._index

    def index(self, answer: str) -> int:
        """Class of an answer, -1 when it is not in the vocabulary."""
        return self._index.get(_clean(answer), -1)


def _clean(answer: str) -> str:
    return ' '.join(answer.lower().split())


def _rows(path: str | Path) -> list:
    name = str(path).removesuffix('.gz')
    if name.endswith('.csv'):
        return list(read_csv(path, ['answer']))
    if name.endswith(('.json', '.zip')):
        return read_json(path, list)
    raise AnnotationError(path, 'is neither .json nor .csv', remedy='convert it')

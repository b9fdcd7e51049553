"""MSVD-QA (Xu et al. 2017): open-ended questions about the MSVD clips.

Layout: ``{train,val,test}_qa.json``, JSON lists of ``{"answer", "id", "question", "video_id"}``
with ``video_id`` the number N of ``youtube_mapping.txt`` (lines ``<clip> vidN``); or the csv form
``video,width,height,question,answer,qid``. 30,933 / 6,415 / 13,157 questions.
"""

import os
from collections.abc import Iterator
from typing import Any

from finsta.datasets.base import VideoTextDataset
from finsta.datasets.video_index import video_stem
from finsta.registry import DATASETS
from finsta.structures import AnswerVocabulary
from finsta.utils.annotation_files import AnnotationError, field, read_csv, read_json, read_lines


@DATASETS.register_module()
class MSVDQA(VideoTextDataset):
    """Questions with one-word answers.

    Args:
        answers: arguments of :class:`AnswerVocabulary`, file names relative to ``data_root``;
            default: the training questions of this data set. ``answer_id`` is -1 for an answer
            outside of it.
        mapping: file that joins question numbers and clips.
        **kwargs: of :class:`VideoTextDataset`. ``ann_file`` defaults to ``<split>_qa.json``, or
            ``<split>_qa.csv`` or ``<split>.csv`` where only that exists.

    ``meta['question_type']`` is the first word of the question: what, who, how, when, where.
    A row with an empty question is counted in ``tally`` and skipped.
    """

    name = 'MSVD-QA'
    layout = 'msvd_qa'
    synthvl = 'msvd'
    video_dir = 'YouTubeClips'
    extension = '.avi'

    def __init__(self, ann_file: str | None = None, answers: dict | None = None,
                 mapping: str = 'youtube_mapping.txt', **kwargs: Any) -> None:
        self.answers, self.mapping = dict(answers or {}), mapping
        super().__init__(ann_file, **kwargs)

    def load_rows(self) -> Iterator[dict[str, Any]]:
        """Rows in the order of the files."""
        clips = self._mapping()
        self.vocabulary = self._vocabulary()
        files = self.annotation_files(*(self._published(split) for split in self.splits))
        for path in files:
            for i, (number, qid, question, answer) in enumerate(read_questions(path)):
                video = clips.get(number)
                if video is None:
                    raise AnnotationError(path, f'vid{number} is not in {self.mapping}', i,
                                          'video_id', 'take the mapping that belongs to the file')
                if not question.strip():
                    self.tally.add('empty_question', f'{path}, row {i}')
                    continue
                yield dict(video_id=video, sample_id=f'qa{qid}', text=question.strip(),
                           answer=answer, answer_id=self.vocabulary.index(answer),
                           meta=dict(question_type=question.split()[0].lower()))

    def _published(self, split: str) -> str:
        names = [f'{split}_qa.json', f'{split}_qa.csv', f'{split}.csv']
        there = [n for n in names if any(os.path.exists(self.path(n) + end)
                                         for end in ('', '.gz'))]
        return (there or names)[0]

    def _vocabulary(self) -> AnswerVocabulary:
        cfg = dict(self.answers)
        files = cfg.pop('ann_file', None) or self._published('train')
        files = [files] if isinstance(files, str) else files
        return AnswerVocabulary([self.path(name) for name in files], **cfg)

    def _mapping(self) -> dict[int, str]:
        """N of ``vidN`` -> clip."""
        path = self.path(self.mapping)
        clips: dict[int, str] = {}
        for i, line in enumerate(read_lines(path)):
            parts = line.split()
            if len(parts) != 2 or not parts[1].startswith('vid') or not parts[1][3:].isdecimal():
                raise AnnotationError(path, f'{line!r:.80} is not "<clip> vid<number>"', i)
            number = int(parts[1][3:])
            if number in clips:
                raise AnnotationError(path, f'vid{number} is mapped twice', i)
            clips[number] = video_stem(parts[0])
        return clips


def read_questions(path: str) -> Iterator[tuple[int, int | str, str, str]]:
    """(video number, question id, question, answer) of either published form."""
    if not path.removesuffix('.gz').endswith('.csv'):
        for i, row in enumerate(read_json(path, list)):
            yield (field(row, 'video_id', int, path, i), field(row, 'id', (int, str), path, i),
                   field(row, 'question', str, path, i), field(row, 'answer', str, path, i))
        return
    for i, row in enumerate(read_csv(path, ['video', 'question', 'answer', 'qid'])):
        number = row['video'].removeprefix('vid')
        if not number.isdecimal():  # '²' is a digit
            raise AnnotationError(path, f'is {row["video"]!r:.40}, expected a number', i, 'video')
        if not row['qid'].strip():
            raise AnnotationError(path, 'is empty, expected a number', i, 'qid')
        yield int(number), row['qid'].strip(), row['question'], row['answer']

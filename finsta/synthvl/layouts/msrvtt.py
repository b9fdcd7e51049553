"""MSR-VTT (captions, retrieval) and MSRVTT-QA, in one data root.

``videos/all/video<k>.mp4``, ``train_val_videodatainfo.json`` and ``test_videodatainfo.json`` with
``{info, videos, sentences}``, split lists, the 1k-A style retrieval csv of the test split, and
``{split}_qa.json`` / ``{split}.csv``.
"""

from pathlib import Path
from typing import Any

from finsta.synthvl.layouts.files import SPLITS, write_csv, write_json, write_lines

_SPLIT_WORDS = {'train': 'train', 'val': 'validate', 'test': 'test'}
# question types are numbers in the published csv; ours count these first words
_TYPES = ('what', 'who', 'how', 'where', 'which', 'in', 'is', 'if', 'on')
_INFO_FILES = {'train_val_videodatainfo.json': ('train', 'val'),
               'test_videodatainfo.json': ('test',)}


class MsrvttLayout:
    """See the module."""

    captions = (3, 5)

    def video_id(self, number: int, seconds: int) -> str:
        """``video<k>``, counted from 0."""
        return f'video{number - 1}'

    def video_file(self, video_id: str) -> str:
        """Under videos/all."""
        return f'videos/all/{video_id}.mp4'

    def caption_forms(self, text: str) -> tuple[str, ...]:
        """Lower case without a final stop."""
        return (text.lower().rstrip('.'),)

    def question_forms(self, text: str) -> tuple[str, ...]:
        """Lower case; without the question mark in the csv form."""
        return text.lower(), text.lower().rstrip('?')

    def write(self, out: Path, records: list[dict[str, Any]]) -> None:
        """All annotation files."""
        sentence = 0
        for name, splits in _INFO_FILES.items():
            here = [r for r in records if r['split'] in splits]
            sentences = []
            for r in here:
                for caption in r['captions']:
                    sentences.append({'caption': caption,
                                      'video_id': r['video_id'], 'sen_id': sentence})
                    sentence += 1
            write_json(out / name, {
                'info': {'contributor': 'SynthVL', 'data_created': '', 'version': '1.0',
                         'description': 'a synthetic twin in the layout of MSR-VTT',
                         'year': ''},
                'videos': [{'category': 0, 'url': '', 'video_id': r['video_id'],
                            'start time': 0.0, 'end time': r['seconds'],
                            'split': _SPLIT_WORDS[r['split']], 'id': r['number'] - 1}
                           for r in here],
                'sentences': sentences})
        for split in SPLITS:
            here = [r for r in records if r['split'] == split]
            write_lines(out / f'{split}_list.txt', (r['video_id'] for r in here))
            if split == 'test':
                write_csv(out / 'test_1kA.csv', ('key', 'vid_key', 'video_id', 'sentence'), (
                    (f'ret{k}', f'msr{r["number"] - 1}', r['video_id'],
                     r['captions'][0]) for k, r in enumerate(here)))
        self._write_questions(out, records)

    def _write_questions(self, out: Path, records: list[dict[str, Any]]) -> None:
        number = 0
        for split in SPLITS:
            rows = []
            for r in (r for r in records if r['split'] == split):
                for q in r['questions']:
                    rows.append({'answer': q['answer'], 'category_id': 0, 'id': number,
                                 'question': q['question'],
                                 'video_id': r['number'] - 1})
                    number += 1
            write_json(out / f'{split}_qa.json', rows)
            write_csv(out / f'{split}.csv', ('video', 'question', 'answer', 'qid', 'type'), (
                (f'video{q["video_id"]}', q['question'].rstrip('?'), q['answer'], q['id'],
                 _TYPES.index(q['question'].split()[0]) if q['question'].split()[0] in _TYPES
                 else len(_TYPES)) for q in rows))

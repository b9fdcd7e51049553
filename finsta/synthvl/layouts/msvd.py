"""MSVD (captions, retrieval) and MSVD-QA, in one data root.

``YouTubeClips/<id>.avi``, ``{train,val,test}_list.txt``, caption lists
``{"caption": [...], "id": "<id>.avi"}``, ``youtube_mapping.txt``, ``{split}_qa.json`` in the
original list form and ``{split}.csv`` in the csv form.
"""

from pathlib import Path
from typing import Any

from finsta.synthvl.layouts.files import SPLITS, write_csv, write_json, write_lines

# captions of train and val stand in one file, as published
_CAPTION_FILES = {'training_label.json': ('train', 'val'), 'testing_label.json': ('test',)}


class MsvdLayout:
    """See the module."""

    captions = (3, 5)

    def video_id(self, number: int, seconds: int) -> str:
        """``<eleven characters>_<start>_<end>``."""
        return f'SynthVL{number:04d}_0_{seconds}'

    def video_file(self, video_id: str) -> str:
        """Under YouTubeClips."""
        return f'YouTubeClips/{video_id}.avi'

    def caption_forms(self, text: str) -> tuple[str, ...]:
        """As written."""
        return (text,)

    def question_forms(self, text: str) -> tuple[str, ...]:
        """Lower case; without the question mark in the csv form."""
        return text.lower(), text.lower().rstrip('?')

    def write(self, out: Path, records: list[dict[str, Any]]) -> None:
        """All annotation files."""
        for split in SPLITS:
            here = [r for r in records if r['split'] == split]
            write_lines(out / f'{split}_list.txt', (r['video_id'] for r in here))
        for name, splits in _CAPTION_FILES.items():
            write_json(out / name, [{'caption': r['captions'], 'id': f'{r["video_id"]}.avi'}
                                    for r in records if r['split'] in splits])
        write_lines(out / 'youtube_mapping.txt',
                    (f'{r["video_id"]} vid{r["number"]}' for r in records))
        number = 0
        for split in SPLITS:
            rows = []
            for r in (r for r in records if r['split'] == split):
                for q in r['questions']:
                    rows.append((r, number, q))
                    number += 1
            write_json(out / f'{split}_qa.json', [
                {'answer': q['answer'], 'id': i, 'question': q['question'],
                 'video_id': r['number']} for r, i, q in rows])
            write_csv(out / f'{split}.csv', ('video', 'width', 'height', 'question', 'answer',
                                             'qid'),
                      ((r['number'], *r['size'], q['question'].rstrip('?'), q['answer'],
                        i) for r, i, q in rows))

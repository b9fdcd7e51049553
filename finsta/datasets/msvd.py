"""MSVD captions (Chen and Dolan 2011): post-training, retrieval, captioning.

Layout: ``{train,val,test}_list.txt`` with lines ``<youtube>_<start>_<end>``; caption files as
JSON lists of ``{"caption": [...], "id": "<youtube>_<start>_<end>.avi"}``; clips in
``YouTubeClips``. 1,200 / 100 / 670 videos.
"""

import os
from collections.abc import Iterator, Sequence
from typing import Any

from finsta.datasets.base import SPLITS, VideoTextDataset
from finsta.datasets.video_index import video_stem
from finsta.registry import DATASETS
from finsta.utils.annotation_files import AnnotationError, field, read_json, read_lines


def read_split(path: str) -> list[str]:
    """Video ids of a split list, in its order.

    Raises:
        AnnotationError: a video listed twice, or a line with blanks in it.
    """
    seen: dict[str, int] = {}
    for i, line in enumerate(read_lines(path)):
        video = video_stem(line)
        if len(line.split()) != 1:
            raise AnnotationError(path, f'{line!r:.80} is no video id', i)
        if video in seen:
            raise AnnotationError(path, f'{video} is listed twice (rows {seen[video]} and {i})',
                                  i, remedy='remove one of the lines')
        seen[video] = i
    return list(seen)


@DATASETS.register_module()
class MSVD(VideoTextDataset):
    """Videos with their captions.

    Args:
        ann_file: caption files; default ``training_label.json`` and ``testing_label.json``. A
            video in several files has the captions of all of them, equal ones once.
        rows: ``caption``: one row per (video, caption); ``video``: one per video, holding all its
            captions (``ChooseCaption`` picks one). None: by caption in training, by video in test
            mode.
        **kwargs: of :class:`VideoTextDataset`.

    A caption without a word is counted in ``tally`` and skipped, as is a video of the split
    without any caption. A video that stands in the list of another split too is counted and kept.
    ``caption_ids`` are ``<video>#<k>``.
    """

    name = 'MSVD'
    layout = 'msvd'
    synthvl = 'msvd'
    video_dir = 'YouTubeClips'
    extension = '.avi'

    def __init__(self, ann_file: str | Sequence[str] | None = None, rows: str | None = None,
                 **kwargs: Any) -> None:
        if rows not in (None, 'caption', 'video'):
            raise ValueError(f"rows={rows!r}: use 'caption' or 'video'")
        self.rows = rows or ('video' if kwargs.get('test_mode') else 'caption')
        super().__init__(ann_file, **kwargs)

    def load_rows(self) -> Iterator[dict[str, Any]]:
        """Rows of the split, in the order of its list."""
        captions = self._captions()
        elsewhere = self._other_lists()
        for split in self.splits:
            for video in read_split(self.path(f'{split}_list.txt')):
                if video in elsewhere:
                    self.tally.add('video_in_two_splits', f'{video} of {split}_list.txt stands in '
                                   f'{elsewhere[video]} too: scores on it are not those of an '
                                   'unseen video')
                texts = captions.get(video)
                if not texts:
                    self.tally.add('video_without_caption', f'{video} of {split}_list.txt')
                    continue
                ids = tuple(f'{video}#{k}' for k in range(len(texts)))
                if self.rows == 'video':
                    yield dict(video_id=video, sample_id=video, text=texts[0],
                               captions=tuple(texts), caption_ids=ids)
                    continue
                for text, caption_id in zip(texts, ids, strict=True):
                    yield dict(video_id=video, sample_id=caption_id, text=text)

    def _other_lists(self) -> dict[str, str]:
        """Video -> list of a split that was not asked for, of those lists that are there."""
        lists = [f'{s}_list.txt' for s in SPLITS if s not in self.splits]
        return {video: name for name in lists if os.path.exists(self.path(name))
                for video in read_split(self.path(name))}

    def _captions(self) -> dict[str, list[str]]:
        merged: dict[str, list[str]] = {}
        for path in self.annotation_files('training_label.json', 'testing_label.json'):
            seen: dict[str, int] = {}
            for i, row in enumerate(read_json(path, list)):
                video = video_stem(field(row, 'id', str, path, i))
                if video in seen:
                    raise AnnotationError(path, f'{video} stands in rows {seen[video]} and {i}',
                                          i, 'id', 'merge the two rows')
                seen[video] = i
                texts = self._words(field(row, 'caption', list, path, i), path, i)
                known = merged.setdefault(video, [])
                earlier = set(known)
                known += [t for t in texts if t not in earlier]
        return merged

    def _words(self, texts: list, path: str, row: int) -> list[str]:
        out = []
        for k, text in enumerate(texts):
            if not isinstance(text, str):
                raise AnnotationError(path, f'caption {k} is a {type(text).__name__}', row,
                                      'caption', 'captions are strings')
            if text.strip():
                out.append(text.strip())
            else:
                self.tally.add('empty_caption', f'{path}, row {row}, caption {k}')
        return out

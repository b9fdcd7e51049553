"""WebVid-like captions, one a video: the pre-training corpora of STGT (WebVid, VIDAL, CC).

Layout: a JSON list of ``{"video": "<path under videos/>", "caption": "..."}``; other keys, such
as ``image_id``, are not read.
"""

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from finsta.datasets.base import VideoTextDataset
from finsta.registry import DATASETS
from finsta.utils.annotation_files import AnnotationError, field, read_json
from finsta.utils.video_names import video_path_id


@DATASETS.register_module()
class WebVid(VideoTextDataset):
    """One row per video and caption.

    Args:
        ann_file: default ``<split>.json``. Several files with paths under one folder: a list.
            Several corpora: ``{corpus: file}``; a corpus's videos then lie in
            ``videos/<corpus>/``, and its name begins their ids.
        **kwargs: of :class:`VideoTextDataset`.

    A video's id is its path under ``videos/`` without the extension (any is found): names of
    files repeat across folders. Graphs are parsed under the same ids with ``parse_video.py
    --root``. A row without words is counted in ``tally`` and skipped.

    Raises:
        AnnotationError: a path outside of the folder, or two files that differ in their
            extension only: they would have one id.
    """

    name = 'WebVid'
    layout = 'webvid'
    synthvl = 'webvid'
    synthvl_size = 'pretrain'
    video_dir = 'videos'
    recursive = True

    def __init__(self, ann_file: str | Sequence[str] | Mapping[str, str] | None = None,
                 **kwargs: Any) -> None:
        self.corpora: tuple[str, ...] = ()
        if isinstance(ann_file, Mapping):
            self.corpora, ann_file = tuple(ann_file), list(ann_file.values())
        super().__init__(ann_file, **kwargs)

    def load_rows(self) -> Iterator[dict[str, Any]]:
        """Rows in the order of the files."""
        files = self.annotation_files(*(f'{split}.json' for split in self.splits))
        names: dict[str, str] = {}
        number = 0
        for path, corpus in zip(files, self.corpora or [''] * len(files), strict=True):
            for i, row in enumerate(read_json(path, list)):
                name = self._name(field(row, 'video', str, path, i), corpus, path, i)
                video = video_path_id(name)
                if names.setdefault(video, name) != name:
                    raise AnnotationError(path, f'{names[video]} and {name} have one id', i,
                                          'video', 'rename one of the files')
                text = field(row, 'caption', str, path, i).strip()
                if not text:
                    self.tally.add('empty_caption', f'{path}, row {i}')
                    continue
                yield dict(video_id=video, sample_id=f'{number}', text=text,
                           meta=dict(corpus=corpus) if corpus else {})
                number += 1

    @staticmethod
    def _name(given: str, corpus: str, path: str, row: int) -> str:
        """Path under the folder of the videos, in one spelling."""
        name = posixpath.normpath(given.replace('\\', '/'))
        if name.startswith(('/', '../')) or name in ('.', '..'):
            raise AnnotationError(path, f'is {given!r:.120}, expected a path under videos/', row,
                                  'video', 'write it relative to that folder')
        return posixpath.join(corpus, name)

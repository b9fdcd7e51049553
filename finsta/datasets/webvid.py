"""WebVid-like captions, one a video: the pre-training corpora of STGT (WebVid, VIDAL, CC).

Layout: a JSON list of ``{"video": "<path under videos/>", "caption": "...", "image_id": ...}``;
several files are joined. ``image_id`` is optional and may repeat (stgt.md, annotation rows).
"""

from collections.abc import Iterator
from typing import Any

from finsta.datasets.base import VideoTextDataset
from finsta.datasets.video_index import video_stem
from finsta.registry import DATASETS
from finsta.utils.annotation_files import field, read_json


@DATASETS.register_module()
class WebVid(VideoTextDataset):
    """One row per video and caption.

    Args:
        ann_file: default ``<split>.json``.
        **kwargs: of :class:`VideoTextDataset`. Videos are found by their file name without
            extension, in any sub-folder.

    A row without words is counted in ``tally`` and skipped.
    """

    name = 'WebVid'
    layout = 'webvid'
    synthvl = 'msvd'
    video_dir = 'videos'
    recursive = True

    def load_rows(self) -> Iterator[dict[str, Any]]:
        """Rows in the order of the files."""
        number = 0
        for path in self.annotation_files(*(f'{split}.json' for split in self.splits)):
            for i, row in enumerate(read_json(path, list)):
                video = video_stem(field(row, 'video', str, path, i))
                text = field(row, 'caption', str, path, i).strip()
                if not text:
                    self.tally.add('empty_caption', f'{path}, row {i}')
                    continue
                meta = {}
                if row.get('image_id') is not None:
                    meta['image_id'] = field(row, 'image_id', (str, int), path, i)
                yield dict(video_id=video, sample_id=f'{number}', text=text, meta=meta)
                number += 1

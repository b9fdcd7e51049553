"""Minimal pairs: two videos and two captions that differ in one factor (synthvl.md; ours).

Layout: ``minimal_pairs.json``, a list of ``{"pair_id", "factor", "videos": [v0, v1],
"captions": [c0, c1]}`` where caption k is true of video k only. The form is Winoground's.
"""

from collections.abc import Iterator
from typing import Any

from finsta.datasets.base import MissingDataError, VideoTextDataset
from finsta.datasets.video_index import video_stem
from finsta.registry import DATASETS
from finsta.utils.annotation_files import AnnotationError, field, read_json


@DATASETS.register_module()
class MinimalPairs(VideoTextDataset):
    """One row per (pair, video), with both captions in ``captions``.

    ``meta`` holds ``pair_id``, ``factor`` and ``video`` (0 or 1, the index of the true caption).
    A pair of which one video is absent is left out and counted in ``tally``: half a pair has no
    score.

    Args:
        factors: only these factors.
        **kwargs: of :class:`VideoTextDataset`; ``ann_file`` defaults to ``minimal_pairs.json``.
    """

    name = 'minimal pairs'
    synthvl = 'msvd'
    video_dir = 'YouTubeClips'
    extension = '.avi'

    def __init__(self, ann_file: str | None = None, factors: list[str] | None = None,
                 **kwargs: Any) -> None:
        self.factors = factors
        kwargs.setdefault('split', 'test')
        kwargs.setdefault('test_mode', True)
        super().__init__(ann_file, **kwargs)

    def load_rows(self) -> Iterator[dict[str, Any]]:
        """Two rows a pair."""
        for path in self.annotation_files('minimal_pairs.json'):
            for i, row in enumerate(read_json(path, list)):
                pair = str(field(row, 'pair_id', (str, int), path, i))
                factor = field(row, 'factor', str, path, i)
                videos = self._two(row, 'videos', path, i)
                captions = self._two(row, 'captions', path, i)
                if self.factors is not None and factor not in self.factors:
                    continue
                for k in (0, 1):
                    yield dict(video_id=video_stem(videos[k]), sample_id=f'{pair}/{k}',
                               text=captions[k], captions=captions,
                               caption_ids=(f'{pair}#0', f'{pair}#1'),
                               meta=dict(pair_id=pair, factor=factor, video=k))

    def load_data_list(self) -> list[dict[str, Any]]:
        """Rows of the pairs of which both videos are on disk."""
        rows = super().load_data_list()
        count: dict[str, int] = {}
        for row in rows:
            pair = row['meta']['pair_id']
            count[pair] = count.get(pair, 0) + 1
        for pair, number in count.items():
            if number != 2:
                self.tally.add('half_a_pair', f'{pair}: one of its videos is absent')
        whole = [row for row in rows if count[row['meta']['pair_id']] == 2]
        if not whole:
            raise MissingDataError(f'no minimal pair has both of its videos in '
                                    f'{self.data_prefix["video"]}. {self._remedy()}')
        return whole

    @staticmethod
    def _two(row: dict, key: str, path: str, index: int) -> tuple[str, str]:
        values = field(row, key, list, path, index)
        if len(values) != 2 or not all(isinstance(v, str) and v.strip() for v in values) \
                or values[0].strip() == values[1].strip():
            raise AnnotationError(path, f'is {values!r:.120}, expected two different strings',
                                  index, key)
        return values[0].strip(), values[1].strip()

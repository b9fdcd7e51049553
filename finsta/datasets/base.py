"""What every video-text data set shares: published files in, ``VideoTextSample`` out.

A subclass names its places and writes :meth:`VideoTextDataset.load_rows`; finding the videos,
coverage, duplicate checks, unreadable videos and the pipeline are here. ours, after
mmengine.BaseDataset.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from mmengine.dataset import BaseDataset, Compose
from mmengine.logging import print_log

from finsta.datasets.tally import Tally
from finsta.datasets.transforms.video_files import VideoError
from finsta.datasets.video_index import VideoIndex
from finsta.structures import VideoTextSample
from finsta.utils.annotation_files import AnnotationError

SPLITS = ('train', 'val', 'test')
# sizes of make_synthvl.py after which a folder of data/synthvl is called
_SIZES = ('pretrain', 'posttrain')
_SAMPLE_KEYS = {f.name for f in fields(VideoTextSample)}


class MissingDataError(FileNotFoundError):
    """An annotation file or every video of a data set is absent; the message says where the data
    are to be had and how to make a SynthVL twin."""


class VideoTextDataset(BaseDataset):
    """Annotation rows whose video is on disk.

    Args:
        ann_file: annotation file or files under ``data_root``; None = the published names.
        split: train, val or test; several names are joined.
        data_root: folder of the data set. data_prefix: dict(video=folder of the videos).
        pipeline: transforms; ``{data_root}`` in any of its strings becomes ``data_root``, so that
            a config that only changes the data root takes its graphs and caches along.
        test_mode: test order and options.
        max_refetch: in training, an unreadable video is counted, logged and replaced by another
            row, at most so many times in a row.
        bad_video: in test mode, ``raise`` (default) stops at an unreadable video, ``blank``
            counts it, logs it and tests the row with black frames, so that it stays in the
            denominator.
        empty_split: ``raise`` (default) when none of the split's videos is on disk; ``borrow``
            takes the rows of the other splits instead and warns that the numbers mean nothing: a
            handful of videos is enough to try a training run, validation included.
        indices: only these rows. serialize_data, lazy_init: as in mmengine.

    Class attributes for subclasses: ``name`` (as papers write it), ``layout`` (folder under
    tools/datasets; '' = SynthVL only), ``synthvl`` and ``synthvl_size`` (layout and size of its
    SynthVL twin), ``video_dir`` (default folder), ``extension`` (as published; any other is found
    too), ``recursive`` (videos lie in sub-folders, which are part of their ids).

    Raises:
        MissingDataError: an annotation file is absent, or none of the videos is on disk.
        AnnotationError: an annotation that contradicts its layout.
    """

    name = ''
    layout = ''
    synthvl = ''
    synthvl_size = 'small'
    video_dir = 'videos'
    extension = '.mp4'
    recursive = False

    def __init__(self, ann_file: str | Sequence[str] | None = None,
                 split: str | Sequence[str] = 'train', data_root: str = '',
                 data_prefix: dict | None = None, pipeline: Sequence = (),
                 test_mode: bool = False, max_refetch: int = 10, bad_video: str = 'raise',
                 empty_split: str = 'raise', indices: int | Sequence[int] | None = None,
                 serialize_data: bool = True, lazy_init: bool = False,
                 metainfo: dict | None = None) -> None:
        if bad_video not in ('raise', 'blank'):
            raise ValueError(f"bad_video={bad_video!r}: use 'raise' or 'blank'")
        if empty_split not in ('raise', 'borrow'):
            raise ValueError(f"empty_split={empty_split!r}: use 'raise' or 'borrow'")
        self.empty_split = empty_split
        self.splits = (split,) if isinstance(split, str) else tuple(split)
        self.bad_video = bad_video
        self.tally = Tally(f'{self.name} {"+".join(self.splits)}')
        self.coverage = (0, 0)
        super().__init__(ann_file=ann_file or '', data_root=data_root,
                         data_prefix=data_prefix or dict(video=self.video_dir),
                         test_mode=test_mode, max_refetch=max_refetch,
                         indices=indices, serialize_data=serialize_data, lazy_init=lazy_init,
                         metainfo=metainfo)
        # after the rows: who lacks the data should hear that, not that they lack graphs of them
        self.pipeline = Compose(fill_root(list(pipeline), data_root))

    # -- for subclasses -------------------------------------------------------------------------
    def load_rows(self) -> Iterable[dict[str, Any]]:
        """Fields of ``VideoTextSample`` for each annotation row: at least ``video_id`` and
        ``sample_id``, without ``video_path``."""
        raise NotImplementedError

    def path(self, name: str) -> str:
        """A file of the data set."""
        from mmengine.fileio import join_path
        from mmengine.utils import is_abs
        return name if is_abs(name) or not self.data_root else join_path(self.data_root, name)

    def annotation_files(self, *published: str) -> list[str]:
        """The configured annotation files, else the published names."""
        if not self.ann_file:
            return [self.path(name) for name in published]
        return [self.ann_file] if isinstance(self.ann_file, str) else list(self.ann_file)

    # -- loading --------------------------------------------------------------------------------
    def _join_prefix(self) -> None:
        if not isinstance(self.ann_file, str):
            self.ann_file = [self.path(name) for name in self.ann_file]
        files = self.ann_file
        if not isinstance(files, str):
            self.ann_file = ''
        super()._join_prefix()
        self.ann_file = files if not isinstance(files, str) else self.ann_file

    def load_data_list(self) -> list[dict[str, Any]]:
        """Rows with a video on disk; says how many videos were found of how many."""
        index = VideoIndex(self.data_prefix['video'], self.recursive)
        rows, wanted, found = self._rows_on_disk(index)
        others = tuple(s for s in SPLITS if s not in self.splits)
        if not found and self.empty_split == 'borrow' and others:
            asked, self.splits = self.splits, others
            if (borrowed := self._rows_on_disk(index))[2]:
                rows, wanted, found = borrowed
                print_log(f'{self.name}: none of the videos of {"+".join(asked)} is on disk; rows '
                          f'of {"+".join(others)} STAND IN FOR THEM (empty_split=borrow), so '
                          'scores on them are no results', logger='current',
                          level=logging.WARNING)
            else:
                self.splits = asked
        self.coverage = (len(found), len(wanted))
        if not found:
            folder = self.data_prefix['video']
            first = next(iter(wanted), None)
            looked = f'{folder}/{first}{self.extension}' if first else 'no row at all'
            state = f'holds {len(index)} videos' if index.exists else 'does not exist'
            raise MissingDataError(
                f'none of the {len(wanted)} videos of {self.name} ({"+".join(self.splits)}) is on '
                f'disk; first one missing: {looked} (other video extensions were tried; '
                f'{folder} {state}). {self._remedy()}')
        seen: dict[str, int] = {}
        out = []
        for i, row in enumerate(rows):
            unknown = set(row) - _SAMPLE_KEYS
            if unknown:
                raise TypeError(f'{type(self).__name__}.load_rows gave {sorted(unknown)}, which '
                                'VideoTextSample does not have')
            if row['sample_id'] in seen:
                raise AnnotationError(
                    self.data_root, f'row id {row["sample_id"]!r} stands in rows '
                    f'{seen[row["sample_id"]]} and {i}', i, 'id', 'remove one of them')
            seen[row['sample_id']] = i
            if row['video_id'] in found:
                out.append(dict(row, video_path=found[row['video_id']]))
        print_log(f'{self.name} ({"+".join(self.splits)}): found {len(found)} of {len(wanted)} '
                  f'videos in {self.data_prefix["video"]}, {len(out)} of {len(rows)} rows'
                  + ''.join(f', skipped {n} {kind}' for kind, n in self.tally.summary().items()),
                  logger='current')
        return out

    def _rows_on_disk(self, index: VideoIndex) -> tuple[list[dict], dict, dict[str, str]]:
        """All rows of the splits, their videos, and those found with their files."""
        try:
            rows = list(self.load_rows())
        except FileNotFoundError as error:
            raise MissingDataError(f'{error}. {self._remedy()}') from error
        wanted = dict.fromkeys(row['video_id'] for row in rows)
        return rows, wanted, {v: path for v in wanted if (path := index.get(v)) is not None}

    def _remedy(self) -> str:
        """Where the data are to be had, and the command that makes the SynthVL twin: in the
        folder asked for where that is one of data/synthvl, else in data/synthvl/<layout>."""
        root = Path(self.data_root)
        embedded = root.parent.name == 'synthvl'
        size = root.name if embedded and root.name in _SIZES else self.synthvl_size
        out = root if embedded else f'data/synthvl/{self.synthvl}'
        command = (f'python tools/datasets/make_synthvl.py --layout {self.synthvl} --size {size} '
                   f'--out {out}')
        if embedded or not self.layout:
            return f'Make it: {command}'
        return (f'tools/datasets/{self.layout}/README.md says where {self.name} is to be had and '
                f'how to lay it out. To run without it, make its SynthVL twin: {command}; '
                'configs/synthvl/README.md lists the configs that run on it')

    def before_training(self, config_file: str = 'CONFIG') -> None:
        """Let the transforms look at the data set before it is trained on; the training loop calls
        this once, before any worker starts. ``config_file``: of the run, for messages."""
        for transform in self.pipeline.transforms:
            if hasattr(transform, 'before_training'):
                transform.before_training(self, config_file)

    # -- samples --------------------------------------------------------------------------------
    def get_sample(self, idx: int) -> VideoTextSample:
        """The annotation row, before any transform."""
        info = self.get_data_info(idx)
        info.pop('sample_idx')
        return VideoTextSample(**info)

    def prepare_data(self, idx: int) -> dict[str, Any] | None:
        """Transformed row; None for a training row whose video cannot be read."""
        results = {'sample': self.get_sample(idx), 'sample_idx': idx, 'test_mode': self.test_mode}
        try:
            return self.pipeline(results)
        except VideoError as error:
            if self.test_mode and self.bad_video == 'raise':
                raise
            self.tally.add('unreadable_video', str(error))
            self.last_error = error
            if not self.test_mode:
                return None
        return self.pipeline({'sample': self.get_sample(idx), 'sample_idx': idx,
                              'test_mode': True, 'blank_video': True})

    def __getitem__(self, idx: int) -> dict[str, Any]:
        """Transformed row ``idx``, or another one when its video cannot be read in training.

        Raises:
            VideoError: after ``max_refetch`` unreadable videos in a row.
        """
        if not self._fully_initialized:
            self.full_init()
        for _ in range(self.max_refetch + 1):
            data = self.prepare_data(int(idx))
            if data is not None:
                return data
            idx = self._rand_another()
        error = self.last_error
        raise VideoError(error.path, error.kind,
                         f'{error.cause}; {self.max_refetch + 1} rows in a row could not be read',
                         'repair the videos or raise max_refetch')


def fill_root(config: Any, data_root: str) -> Any:
    """A copy of a config with ``{data_root}`` replaced in every string."""
    if isinstance(config, str):
        return config.replace('{data_root}', data_root or '.')
    if isinstance(config, dict):
        return {key: fill_root(value, data_root) for key, value in config.items()}
    if isinstance(config, (list, tuple)):
        return [fill_root(value, data_root) for value in config]
    return config

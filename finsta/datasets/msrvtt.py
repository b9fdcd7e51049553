"""MSR-VTT captions (Xu et al. 2016): retrieval, post-training, captioning.

Layout: ``train_val_videodatainfo.json`` and ``test_videodatainfo.json`` as published,
``{info, videos: [{video_id, split, ...}], sentences: [{video_id, sen_id, caption}]}``, sentences
of a video not side by side; clips ``videos/all/video<k>.mp4``. Zips are read in place.

Partitions: ``full`` 6,513 / 497 / 2,990 (the field ``split``); ``1k-A`` (JSFusion, Yu et al.
2018) 9,000 training videos and 1,000 pairs of the csv ``key,vid_key,video_id,sentence``; ``7k``
(Miech et al. 2018) the same 1,000 pairs, 7,010 training videos (``full`` train and val).
"""

import os
from collections.abc import Iterator, Sequence
from typing import Any

from finsta.datasets.base import VideoTextDataset
from finsta.datasets.msvd import read_split
from finsta.registry import DATASETS
from finsta.utils.annotation_files import AnnotationError, field, read_csv, read_json

_INFO_FILES = ('train_val_videodatainfo.json', 'test_videodatainfo.json')
_WORDS = {'train': 'train', 'validate': 'val', 'test': 'test'}


@DATASETS.register_module()
class MSRVTT(VideoTextDataset):
    """Videos with their captions.

    Args:
        ann_file: info files; default the two published ones.
        partition: 'full', '7k' or '1k-A'. In the latter two, ``val`` and ``test`` are the 1,000
            pairs of ``pairs``, one caption a video: there is no validation split, so a config
            that selects a checkpoint must take it from the training videos or use 'full'.
        pairs: csv of the 1,000 test pairs; default the first that exists of
            ``test_1kA.csv``, ``MSRVTT_JSFUSION_test.csv``, ``msrvtt_test_1kA_miech.csv``.
        train_list: lines ``video<k>``, the training videos of '1k-A'; default
            ``train_list_jsfusion.txt`` where it exists, else every video outside the pairs.
        rows: ``caption``, ``video`` or None, as in :class:`MSVD`.
        **kwargs: of :class:`VideoTextDataset`.

    Raises:
        AnnotationError: a sentence of an unknown video, an unknown split, a video twice.
    """

    name = 'MSR-VTT'
    layout = 'msrvtt'
    synthvl = 'msrvtt'
    video_dir = 'videos/all'

    def __init__(self, ann_file: str | Sequence[str] | None = None, partition: str = 'full',
                 pairs: str | None = None, train_list: str | None = None,
                 rows: str | None = None, **kwargs: Any) -> None:
        if partition not in ('full', '7k', '1k-A'):
            raise ValueError(f"partition={partition!r}: use 'full', '7k' or '1k-A'")
        if rows not in (None, 'caption', 'video'):
            raise ValueError(f"rows={rows!r}: use 'caption' or 'video'")
        self.partition, self.pairs, self.train_list = partition, pairs, train_list
        self.rows = rows or ('video' if kwargs.get('test_mode') else 'caption')
        super().__init__(ann_file, **kwargs)

    def load_rows(self) -> Iterator[dict[str, Any]]:
        """Rows in the order of the info files, or of the csv for the 1,000 pairs."""
        if self.partition != 'full' and set(self.splits) & {'val', 'test'}:
            if 'train' in self.splits:
                raise ValueError(f'partition {self.partition!r}: train and test rows are of '
                                 'different kinds; load them as two data sets')
            yield from self._pair_rows()
            return
        splits, captions = self._videos()
        wanted = self._training(splits) if self.partition != 'full' else {
            v for v, split in splits.items() if split in self.splits}
        for video in splits:
            if video not in wanted:
                continue
            texts = captions.get(video)
            if not texts:
                self.tally.add('video_without_caption', video)
                continue
            if self.rows == 'video':
                yield dict(video_id=video, sample_id=video, text=texts[0][1],
                           captions=tuple(text for _, text in texts),
                           caption_ids=tuple(number for number, _ in texts))
                continue
            for number, text in texts:
                yield dict(video_id=video, sample_id=number, text=text)

    def _videos(self) -> tuple[dict[str, str], dict[str, list[tuple[str, str]]]]:
        """Split of each video; (id, text) of its captions in the order of their numbers."""
        splits: dict[str, str] = {}
        captions: dict[str, list[tuple[int, str]]] = {}
        numbers: set[tuple[str, int]] = set()
        for path in self.annotation_files(*_INFO_FILES):
            info = read_json(path, dict)
            for i, row in enumerate(field(info, 'videos', list, path, 'top')):
                video = field(row, 'video_id', str, path, f'videos[{i}]')
                word = field(row, 'split', str, path, f'videos[{i}]')
                if word not in _WORDS:
                    raise AnnotationError(path, f'is {word!r:.20}, expected one of '
                                          f'{sorted(_WORDS)}', f'videos[{i}]', 'split')
                if video in splits:
                    raise AnnotationError(path, f'{video} is listed twice', f'videos[{i}]',
                                          'video_id', 'remove one of the rows')
                splits[video] = _WORDS[word]
            for i, row in enumerate(field(info, 'sentences', list, path, 'top')):
                where = f'sentences[{i}]'
                video = field(row, 'video_id', str, path, where)
                if video not in splits:
                    raise AnnotationError(path, f'{video} is not among the videos', where,
                                          'video_id')
                text = field(row, 'caption', str, path, where).strip()
                number = field(row, 'sen_id', int, path, where)
                if (video, number) in numbers:
                    raise AnnotationError(path, f'{number} of {video} stands twice', where,
                                          'sen_id', 'remove one of the rows')
                numbers.add((video, number))
                if text:
                    captions.setdefault(video, []).append((number, text))
                else:
                    self.tally.add('empty_caption', f'{path}, {where}')
        return splits, {video: [(f'{video}#{n}', text) for n, text in sorted(texts)]
                        for video, texts in captions.items()}

    def _training(self, splits: dict[str, str]) -> set[str]:
        if self.partition == '7k':
            return {v for v, split in splits.items() if split in ('train', 'val')}
        path = self.path(self.train_list or 'train_list_jsfusion.txt')
        if self.train_list or os.path.exists(path):
            train = set(read_split(path))
            held_out = {v for v, _ in self._read_pairs()} if self._pairs_path(True) else set()
            for video in sorted(train & held_out):
                self.tally.add('video_in_two_splits', f'{video} of {path} is one of the test '
                               'pairs: scores on it are not those of an unseen video')
            return train
        held_out = {video for video, _ in self._read_pairs()}
        return set(splits) - held_out

    def _pair_rows(self) -> Iterator[dict[str, Any]]:
        for i, (video, text) in enumerate(self._read_pairs()):
            if not text:
                self.tally.add('empty_caption', f'{video}, row {i} of the pairs')
                continue
            yield dict(video_id=video, sample_id=video, text=text, captions=(text,),
                       caption_ids=(f'{video}#0',))

    def _pairs_path(self, must_exist: bool = False) -> str | None:
        """The csv of the pairs, or the first published name where there is none."""
        names = [self.pairs] if self.pairs else ['test_1kA.csv', 'MSRVTT_JSFUSION_test.csv',
                                                 'msrvtt_test_1kA_miech.csv']
        there = [n for n in names if os.path.exists(self.path(n))]
        return None if must_exist and not there else self.path((there or names)[0])

    def _read_pairs(self) -> list[tuple[str, str]]:
        path = self._pairs_path()
        return [(row['video_id'], row['sentence'].strip())
                for row in read_csv(path, ['video_id', 'sentence'])]

"""Scene graphs of a row, from a graph store (method.md section 1)."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from mmengine.logging import print_log

from finsta.datasets.tally import Tally
from finsta.datasets.transforms.base import Transform
from finsta.datasets.transforms.sampling import sample_indices
from finsta.registry import GRAPH_STORES, MATCHERS, TRANSFORMS
from finsta.structures import DynamicSceneGraph, HolisticSceneGraph, SceneGraph


def align_key_frames(frame_times: np.ndarray, graph_times: np.ndarray,
                     num: int | None = None) -> tuple[list[int], list[int]]:
    """The stored key frame nearest to each input frame, each key frame once.

    Args:
        frame_times: (F,) seconds of the input frames. graph_times: (K,) of the stored key frames.
        num: at most so many, at equal distances.

    Returns:
        Increasing key frames (T,) and for each of them the input frame it belongs to (T,).
    """
    distance = np.abs(np.asarray(frame_times)[:, None] - np.asarray(graph_times)[None])
    keys = np.unique(distance.argmin(1))
    if num is not None:
        keys = keys[sample_indices(len(keys), num)]
    return keys.tolist(), distance[:, keys].argmin(0).tolist()


# samples, spread over the data set, on whose captions the matcher is tried before training
_LOOKED_AT = 32
# a smaller share of captions joined with their video leaves next to nothing for losses on pairs
_FEW_JOINED = 0.05


class MissingGraphsError(ValueError):
    """A graph store that is absent or without any graph of the data set; the message names the
    command that fills it."""


@TRANSFORMS.register_module()
class LoadGraphs(Transform):
    """Sets ``sample.tsg``, ``sample.dsg``, ``sample.hsg`` and ``graph_frames`` (T,).

    The dynamic graph is cut down to the key frames nearest to the input frames, with coreference
    carried over the gaps; ``graph_frames[t]`` is the input frame of key frame t. Must follow
    ``LoadVideoFrames`` and ``ChooseCaption``.

    A graph that the store does not hold is replaced by an empty valid one and counted in
    ``tally`` (missing_text, missing_video), unless ``missing='raise'``. Before training the store
    is asked how many it holds, by their keys; one that holds none of ``needed`` stops the run. (A
    store of your own without ``has_text`` and ``has_video`` is not asked.)

    Args:
        store: config of a GRAPH_STORES entry.
        matcher: config of a MATCHERS entry; None gives no cross-modal coreference.
        num_key_frames: upper bound of T.
        missing: ``empty`` or ``raise``.
        needed: kinds of graphs, 'text' and 'video', of which there must be at least one; leave
            one out where a training has no use for it (false captions without a teacher).

    Raises:
        KeyError: a graph is missing and ``missing='raise'``.
        MissingGraphsError: before training, when the store is absent or holds no needed graph at
            all.
    """

    def __init__(self, store: dict, matcher: dict | None = None,
                 num_key_frames: int | None = None, missing: str = 'empty',
                 needed: Sequence[str] = ('text', 'video')) -> None:
        if set(needed) - {'text', 'video'}:
            raise ValueError(f"needed={needed!r}: 'text' and 'video' are the kinds of graphs")
        if missing not in ('empty', 'raise'):
            raise ValueError(f"missing={missing!r}: use 'empty' or 'raise'")
        self._config = store
        self._matcher = None if matcher is None else MATCHERS.build(matcher)
        self.num_key_frames, self.missing, self.needed = num_key_frames, missing, tuple(needed)
        self.tally = Tally('graph store')

    @cached_property
    def _store(self) -> Any:
        """Opened when it is needed: the commands that make an absent one depend on the data set,
        which is not known before."""
        return GRAPH_STORES.build(self._config)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        sample = results['sample']
        tsg = self._store.get_text(sample.text, sample.video_id)
        if tsg is None:
            self._missing('missing_text', f'{sample.text!r:.80} of {sample.video_id}')
            tsg = SceneGraph(text=sample.text)
        dsg = self._store.get_video(sample.video_id)
        if dsg is None or not dsg.frames:
            self._missing('missing_video', sample.video_id)
            dsg = DynamicSceneGraph((SceneGraph(),), (0.,), video=sample.video_id)
        times = np.asarray(results['frame_times'])[np.asarray(results['frame_mask'])]
        keys, frames = align_key_frames(times, np.asarray(dsg.times), self.num_key_frames)
        dsg = dsg.sample(keys)
        if self._matcher is None:
            hsg = HolisticSceneGraph(tsg, dsg)
        else:
            hsg = self._matcher.match(tsg, dsg, sample.video_id)
        results['sample'] = replace(sample, tsg=tsg, dsg=dsg, hsg=hsg)
        results['graph_frames'] = np.array(frames, np.int64)
        return results

    def before_training(self, dataset: Any, config_file: str = 'CONFIG') -> None:
        """Say how many graphs of the data set the store holds; see the class."""
        try:
            where = getattr(self._store, 'root', type(self._store).__name__)
        except FileNotFoundError as error:
            if not self.needed or 'root' not in self._config:
                raise
            where = self._config['root']
            raise self._unfilled(f'there is no graph store at {where}', self.needed, dataset,
                                 where, config_file) from error
        if not hasattr(self._store, 'has_text') or not hasattr(self._store, 'has_video'):
            return
        samples = (dataset.get_sample(i) for i in range(len(dataset)))
        captions = {(sample.video_id, text): None for sample in samples
                    for text in sample.captions or (sample.text,)}
        videos = dict.fromkeys(video for video, _ in captions)
        text = sum(self._store.has_text(text, video) for video, text in captions)
        video = sum(map(self._store.has_video, videos))
        said = (f'graphs of {video} of {len(videos)} videos, of {text} of {len(captions)} '
                f'captions in {where}')
        found = {'text': text, 'video': video}
        if absent := [kind for kind in self.needed if not found[kind]]:
            raise self._unfilled(f'{said}: training would go on with empty graphs in their place',
                                 absent, dataset, where, config_file)
        self._warn_of_strangers(dataset)
        whole = text == len(captions) and video == len(videos)
        print_log(said + ('' if whole else '; empty graphs stand for the others'),
                  logger='current', level=logging.INFO if whole else logging.WARNING)

    def _warn_of_strangers(self, dataset: Any) -> None:
        """Say so where text and video graphs hardly meet: the alignment losses are then 0, and no
        graph is missing that could have been counted."""
        if self._matcher is None or not len(dataset):
            return
        places = np.unique(np.linspace(0, len(dataset) - 1, _LOOKED_AT).astype(int)).tolist()
        samples = map(dataset.get_sample, places)
        pairs = list(dict.fromkeys((sample.video_id, text) for sample in samples
                                   for text in sample.captions or (sample.text,)))
        labels: dict[str, None] = {}
        videos: dict[str, None] = {}
        looked_at = joined = 0
        for video, text in pairs:
            tsg, dsg = self._store.get_text(text, video), self._store.get_video(video)
            if tsg is None or dsg is None:
                continue
            looked_at += 1
            joined += bool(self._matcher.match(tsg, dsg, video).cross)
            if joined >= _FEW_JOINED * len(pairs):
                return
            if video not in videos:
                videos[video] = None
                labels |= dict.fromkeys(n.label for g in dsg.frames for n in g.nodes
                                        if n.kind == 'object')
        # no thing was seen in any video: the counts of empty graphs say so
        if not labels or joined >= _FEW_JOINED * looked_at:
            return
        few = (f'only {joined} of {looked_at} captions ({joined / looked_at:.1%})' if joined else
               f'none of {looked_at} captions')
        print_log(f'{type(self._matcher).__name__} joined {few} of {len(videos)} videos with '
                  'their video: OSC, PTC and the other losses on pairs will be 0'
                  f'{" for the others" if joined else ""}. The things in the videos are called '
                  f'{", ".join(list(labels)[:8])}; a parser that names them '
                  '(DetectorVideoParser) or a matcher by pictures (FrozenSimilarityMatcher) can '
                  'join them (docs/en/user_guides/scene_graphs.md)', logger='current',
                  level=logging.WARNING)

    def _unfilled(self, said: str, kinds: Sequence[str], dataset: Any, where: object,
                  config_file: str) -> MissingGraphsError:
        commands = self._commands(dataset, where, config_file)
        return MissingGraphsError(
            f'{said}. Fill the store that train_dataloader.dataset.pipeline, '
            'LoadGraphs.store.root names: '
            + '; '.join(f'python tools/scene_graphs/{commands[kind]}' for kind in kinds))

    def _commands(self, dataset: Any, where: object, config_file: str) -> dict[str, str]:
        """Kind of graph -> tool and options that make those of a data set."""
        if getattr(self._matcher, 'gold', False):
            return {kind: f'parse_{kind}.py --gold {dataset.data_root} --out {where}'
                    for kind in ('text', 'video')}
        folder = dataset.data_prefix['video']
        root = f' --root {folder}' if dataset.recursive else ''
        return {'text': f'parse_text.py --dataset-config {config_file} --splits train '
                        f'--out {where}',
                'video': f'parse_video.py --videos {folder}{root} --out {where}'}

    def _missing(self, kind: str, what: str) -> None:
        if self.missing == 'raise':
            raise KeyError(f'the graph store has no graph of {what}; parse it with '
                           'tools/scene_graphs, or set missing=\'empty\'')
        self.tally.add(kind, f'{what}; an empty graph stands for it')

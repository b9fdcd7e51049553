"""Scene graphs of a row, from a graph store (method.md section 1)."""

from dataclasses import replace
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


class MissingGraphsError(LookupError):
    """A graph store that holds nothing of a data set; the message has the command that fills
    it."""


@TRANSFORMS.register_module()
class LoadGraphs(Transform):
    """Sets ``sample.tsg``, ``sample.dsg``, ``sample.hsg`` and ``graph_frames`` (T,).

    The dynamic graph is cut down to the key frames nearest to the input frames, with coreference
    carried over the gaps; ``graph_frames[t]`` is the input frame of key frame t. Must follow
    ``LoadVideoFrames`` and ``ChooseCaption``.

    A graph that the store does not hold is replaced by an empty valid one and counted in
    ``tally`` (missing_text, missing_video), unless ``missing='raise'``. A store with none of a
    data set's graphs is an error at the start (:meth:`check_rows`).

    Args:
        store: config of a GRAPH_STORES entry.
        matcher: config of a MATCHERS entry; None gives no cross-modal coreference.
        num_key_frames: upper bound of T.
        missing: ``empty`` or ``raise``.

    Raises:
        KeyError: a graph is missing and ``missing='raise'``.
    """

    def __init__(self, store: dict, matcher: dict | None = None,
                 num_key_frames: int | None = None, missing: str = 'empty') -> None:
        if missing not in ('empty', 'raise'):
            raise ValueError(f"missing={missing!r}: use 'empty' or 'raise'")
        self._store = GRAPH_STORES.build(store)
        self._matcher = None if matcher is None else MATCHERS.build(matcher)
        self.num_key_frames, self.missing = num_key_frames, missing
        self.tally = Tally('graph store')

    def check_rows(self, dataset: Any) -> None:
        """Logs how many videos and texts of the data set have a graph; reads keys only.

        Raises:
            MissingGraphsError: none of the videos, or none of the texts, has one.
        """
        videos, texts = set(), set()
        for i in range(len(dataset)):
            sample = dataset.get_sample(i)
            videos.add(sample.video_id)
            texts.update((text, sample.video_id) for text in sample.captions or (sample.text,)
                         if text)
        root = getattr(self._store, 'root', 'graph store')
        found = {'videos': (sum(map(self._store.has_video, videos)), len(videos)),
                 'texts': (sum(self._store.has_text(*key) for key in texts), len(texts))}
        print_log(f'{root}: graphs of ' + ' and '.join(
            f'{n} of {total} {kind}' for kind, (n, total) in found.items()), logger='current')
        source = {'videos': f'parse_video.py --videos {dataset.data_prefix["video"]}',
                  'texts': 'parse_text.py --dataset-config CONFIG (this config)'}
        for kind, (n, total) in found.items():
            if total and not n:
                raise MissingGraphsError(
                    f'{root} holds no graph of any of the {total} {kind} of '
                    f'{dataset.name} ({"+".join(dataset.splits)}). Make them: python '
                    f'tools/scene_graphs/{source[kind]} --out {root}; or name another store in '
                    'LoadGraphs.store.root of the data set\'s pipeline')

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

    def _missing(self, kind: str, what: str) -> None:
        if self.missing == 'raise':
            raise KeyError(f'the graph store has no graph of {what}; parse it with '
                           'tools/scene_graphs, or set missing=\'empty\'')
        self.tally.add(kind, f'{what}; an empty graph stands for it')

"""PVSG: ``pvsg.json`` with categories, objects and relation ranges of each video.

Record: ``video_id``, ``meta{height, width, fps, num_frames}``, ``objects[{object_id, category}]``,
``relations[[subject_id, object_id, predicate, [[start, end], ...]]]`` with inclusive frame ranges.
Boxes are not in the file: with ``mask_root`` they are taken from the panoptic pictures
``<mask_root>/<video_id>/<frame:04d>.png`` (pixel value = object id); without, an object is there,
without a box, in the frames of its relations.
"""

from functools import partial
from pathlib import Path

import numpy as np

from finsta.parsing.video.builder import Box, RelationSpan, Track, build_graph, pixel_box
from finsta.parsing.video.layouts.common import Graphs, add_unique, load_json, need, pick_frames
from finsta.structures import DynamicSceneGraph, GraphError
from finsta.utils.optional import require


def read_pvsg(path: Path, max_frames: int = 256, mask_root: str | None = None) -> Graphs:
    """Ids and graph builders; GraphError names the file, the video and the key."""
    graphs: Graphs = {}
    for i, row in enumerate(need(load_json(path), 'data', list, str(path))):
        video = need(row, 'video_id', str, f'{path}, data[{i}]')
        where = f'{path}, video {video!r}'
        add_unique(graphs, video, partial(
            _build, row, where, max_frames, Path(mask_root) / video if mask_root else None), where)
    return graphs


def _build(row: dict, where: str, max_frames: int, masks: Path | None) -> DynamicSceneGraph:
    meta = need(row, 'meta', dict, where)
    fps = float(need(meta, 'fps', (int, float), f'{where}, meta'))
    total = need(meta, 'num_frames', int, f'{where}, meta')
    size = (need(meta, 'width', int, where), need(meta, 'height', int, where))
    if fps <= 0 or total <= 0:
        raise GraphError(f'{where}, meta: fps {fps} and num_frames {total} must be positive; '
                         'correct the record')
    keep = pick_frames(total, max_frames)
    names: dict[int, str] = {}
    for j, thing in enumerate(need(row, 'objects', list, where)):
        place = f'{where}, objects[{j}]'
        ident = need(thing, 'object_id', int, place)
        if ident in names:
            raise GraphError(f'{place}: object_id {ident} is listed twice; keep one of the rows')
        names[ident] = need(thing, 'category', str, place)
    relations = [_relation(r, f'{where}, relations[{j}]', names, keep, total)
                 for j, r in enumerate(need(row, 'relations', list, where))]
    boxes = {k: {} for k in names} if masks is None else _mask_boxes(masks, keep, names)
    if masks is None:
        for relation in relations:
            for end in (relation.subject, relation.object):
                boxes[end].update(dict.fromkeys(relation.frames))
    tracks = [Track(k, label, boxes[k]) for k, label in names.items() if boxes[k]]
    return build_graph(tracks, relations, [f / fps for f in keep], row['video_id'], size)


def _relation(row: list, where: str, names: dict[int, str], keep: list[int], total: int
              ) -> RelationSpan:
    try:
        subject, target, predicate, ranges = row
        ranges = [(int(a), int(b)) for a, b in ranges]
    except (TypeError, ValueError) as error:
        raise GraphError(f'{where}: expected [subject_id, object_id, predicate, [[start, end], '
                         f'...]], got {str(row)[:80]}; correct the row') from error
    for end in (subject, target):
        if end not in names:
            raise GraphError(f'{where}: object id {end} is not in "objects"; add the object or '
                             'leave the relation out')
    bad = [r for r in ranges if not 0 <= r[0] <= r[1]]
    if bad:
        raise GraphError(f'{where}: range {list(bad[0])} must be 0 <= start <= end; '
                         f'the video has {total} frames; correct the row')
    frames = {k for k, f in enumerate(keep) if any(a <= f <= b for a, b in ranges)}
    return RelationSpan(str(predicate), subject, target, frames)


def _mask_boxes(folder: Path, keep: list[int], names: dict[int, str]
                ) -> dict[int, dict[int, Box]]:
    cv2 = require('cv2', 'reading panoptic masks')
    boxes: dict[int, dict[int, Box]] = {k: {} for k in names}
    for k, frame in enumerate(keep):
        file = folder / f'{frame:04d}.png'
        mask = cv2.imread(str(file), cv2.IMREAD_UNCHANGED) if file.is_file() else None
        if mask is None:
            raise GraphError(f'{file}: no readable panoptic mask; unpack the masks of this video '
                             'or leave mask_root out')
        mask = mask if mask.ndim == 2 else mask[..., 0]
        for ident in np.intersect1d(np.unique(mask), list(names)):
            ys, xs = np.nonzero(mask == ident)
            boxes[int(ident)][k] = pixel_box(
                (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1), mask.shape[1], mask.shape[0])
    return boxes

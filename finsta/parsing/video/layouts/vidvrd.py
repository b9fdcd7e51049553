"""VidVRD and VidOR: one JSON per video with trajectories per frame and relation instances.

Keys: ``video_id``, ``frame_count``, ``fps``, ``width``, ``height``, ``subject/objects[{tid,
category}]``, ``trajectories`` (per frame a list of ``{tid, bbox{xmin, ymin, xmax, ymax}}``) and
``relation_instances[{subject_tid, object_tid, predicate, begin_fid, end_fid}]``, end exclusive.
"""

from functools import partial
from pathlib import Path

from finsta.parsing.video.builder import RelationSpan, Track, build_graph, pixel_box
from finsta.parsing.video.layouts.common import Graphs, add_unique, load_json, need, pick_frames
from finsta.structures import DynamicSceneGraph, GraphError

_NUMBER = (int, float)


def read_vidvrd(path: Path, max_frames: int = 256) -> Graphs:
    """Ids (file names) and graph builders of a file or a folder, sub-folders included."""
    if not path.exists():
        raise FileNotFoundError(f'{path}: no such annotation file or folder; check ann_file')
    graphs: Graphs = {}
    for file in sorted(path.rglob('*.json')) if path.is_dir() else [path]:
        name = file.stem
        if not path.is_dir():
            name = str(need(load_json(file), 'video_id', str, str(file)))
        add_unique(graphs, name, partial(_build, file, max_frames), str(file))
    return graphs


def _build(file: Path, max_frames: int) -> DynamicSceneGraph:
    row, where = load_json(file), str(file)
    total = need(row, 'frame_count', int, where)
    fps = float(need(row, 'fps', _NUMBER, where))
    width, height = (need(row, k, int, where) for k in ('width', 'height'))
    if min(total, fps, width, height) <= 0:
        raise GraphError(f'{where}: frame_count, fps, width and height must be positive; correct '
                         'the file')
    rows = need(row, 'trajectories', list, where)
    if len(rows) != total:
        raise GraphError(f'{where}: "trajectories" has {len(rows)} frames, frame_count says '
                         f'{total}; correct the file')
    keep = pick_frames(total, max_frames)
    tracks: dict[int, Track] = {}
    for i, thing in enumerate(need(row, 'subject/objects', list, where)):
        place = f'{where}, subject/objects[{i}]'
        tid = need(thing, 'tid', int, place)
        if tid in tracks:
            raise GraphError(f'{place}: tid {tid} is listed twice; keep one of the rows')
        tracks[tid] = Track(tid, need(thing, 'category', str, place), {})
    for k, frame in enumerate(keep):
        for i, found in enumerate(rows[frame]):
            place = f'{where}, trajectories[{frame}][{i}]'
            box = need(found, 'bbox', dict, place)
            corners = [need(box, key, _NUMBER, f'{place}, bbox')
                       for key in ('xmin', 'ymin', 'xmax', 'ymax')]
            track = _known(tracks, need(found, 'tid', int, place), place)
            track.boxes[k] = pixel_box(corners, width, height)
    relations = [_relation(r, f'{where}, relation_instances[{i}]', tracks, keep)
                 for i, r in enumerate(need(row, 'relation_instances', list, where))]
    return build_graph([t for t in tracks.values() if t.boxes], relations,
                       [f / fps for f in keep], str(row.get('video_id', file.stem)),
                       (width, height))


def _relation(row: dict, where: str, tracks: dict[int, Track], keep: list[int]) -> RelationSpan:
    ends = [_known(tracks, need(row, key, int, where), where).entity
            for key in ('subject_tid', 'object_tid')]
    begin, end = (need(row, key, int, where) for key in ('begin_fid', 'end_fid'))
    if not 0 <= begin < end:
        raise GraphError(f'{where}: begin_fid {begin} must lie before end_fid {end} (exclusive); '
                         'correct the row')
    label = need(row, 'predicate', str, where).replace('_', ' ')
    return RelationSpan(label, *ends, {k for k, f in enumerate(keep) if begin <= f < end})


def _known(tracks: dict[int, Track], tid: int, where: str) -> Track:
    if tid not in tracks:
        raise GraphError(f'{where}: tid {tid} is not in "subject/objects"; add the object or '
                         'leave the row out')
    return tracks[tid]

"""Action Genome, from the JSON that ``convert_action_genome`` writes out of upstream's pickles.

Each annotated frame is a key frame; the person is the subject of every relation. JSON:
``{"fps", "videos": {video: {"size": [w, h], "frames": {frame_number: {"person": [x1, y1, x2, y2] |
null, "objects": [{"class", "bbox": [x, y, w, h] | null, "visible", "attention", "spatial",
"contacting"}]}}}}}``. Frame numbers start at 1 and count at the video's own rate, which upstream
does not store: times are (number - 1) / fps with the converter's ``fps``. A class is one object
of the video: upstream marks at most one of each class a frame.
"""

from functools import partial
from pathlib import Path

from finsta.parsing.video.builder import RelationSpan, Track, build_graph, pixel_box
from finsta.parsing.video.layouts.common import Graphs, add_unique, load_json, need
from finsta.structures import DynamicSceneGraph, GraphError

_KINDS = ('attention', 'spatial', 'contacting')
_PERSON = 0


def read_action_genome(path: Path) -> Graphs:
    """Ids and graph builders; GraphError names the file, the frame and the key."""
    if path.suffix == '.pkl':
        raise GraphError(f'{path}: pickles of outside data are not read here; convert it once '
                         'with python -m finsta.parsing.video.convert_action_genome')
    data = load_json(path)
    fps = float(need(data, 'fps', (int, float), str(path)))
    if fps <= 0:
        raise GraphError(f'{path}: fps {fps} must be positive; convert the files again')
    graphs: Graphs = {}
    for video, row in need(data, 'videos', dict, str(path)).items():
        where = f'{path}, video {video!r}'
        add_unique(graphs, Path(video).stem, partial(_build, video, row, where, fps), where)
    return graphs


def _build(video: str, row: dict, where: str, fps: float) -> DynamicSceneGraph:
    width, height = need(row, 'size', list, where)
    frames = sorted((int(f), data) for f, data in need(row, 'frames', dict, where).items())
    person = Track(_PERSON, 'person', {})
    things: dict[str, Track] = {}
    spans: dict[tuple[str, str], RelationSpan] = {}
    for k, (number, data) in enumerate(frames):
        place = f'{where}, frame {number}'
        if data.get('person') is not None:
            person.boxes[k] = pixel_box(need(data, 'person', list, place), width, height)
        for i, thing in enumerate(need(data, 'objects', list, place)):
            spot = f'{place}, objects[{i}]'
            if not need(thing, 'visible', bool, spot):
                continue
            label = need(thing, 'class', str, spot)
            x, y, w, h = need(thing, 'bbox', list, spot)
            track = things.setdefault(label, Track(len(things) + 1, label.replace('_', ' '), {}))
            track.boxes[k] = pixel_box((x, y, x + w, y + h), width, height)
            for predicate in (p for kind in _KINDS for p in thing.get(kind) or ()):
                span = spans.setdefault((label, predicate), RelationSpan(
                    predicate.replace('_', ' '), _PERSON, track.entity, set()))
                span.frames.add(k)
    tracks = [t for t in (person, *things.values()) if t.boxes]
    return build_graph(tracks, list(spans.values()), [(f - 1) / fps for f, _ in frames], video,
                       (int(width), int(height)))

"""Own JSON: ``DynamicSceneGraph.to_dict``, as one object, as a mapping by video id, as rows.

Accepted: a file ``{"frames": [...], ...}`` (id from its ``video`` or the file name), a file
``{video_id: {"frames": ...}}``, a ``.jsonl`` of ``{"video_id", "dsg"}``, or a folder of these.
"""

from functools import partial
from pathlib import Path

from finsta.parsing.video.layouts.common import Graphs, add_unique, load_json, load_jsonl, need
from finsta.structures import DynamicSceneGraph


def read_finsta_json(path: Path) -> Graphs:
    """Ids and graph builders; GraphError names the file and the key."""
    graphs: Graphs = {}
    files = sorted(path.glob('*.json*')) if path.is_dir() else [path]
    for file in files:
        if '.jsonl' in file.name:
            for where, row in load_jsonl(file):
                add_unique(graphs, need(row, 'video_id', str, where),
                           partial(DynamicSceneGraph.from_dict, need(row, 'dsg', dict, where),
                                   where), where)
            continue
        data = load_json(file)
        if isinstance(data, dict) and 'frames' in data:
            video = Path(str(data.get('video') or file.name)).stem
            add_unique(graphs, video, partial(DynamicSceneGraph.from_dict, data, str(file)),
                       str(file))
        else:
            for video in data if isinstance(data, dict) else ():
                where = f'{file}, video {video!r}'
                add_unique(graphs, video, partial(DynamicSceneGraph.from_dict,
                                                  need(data, video, dict, where), where), where)
    return graphs

"""SynthVL's gold: ``gold/videos.jsonl.gz``, rows ``{"video_id", "dsg"}``.

Takes that file or the data root that holds it. Every rendered frame is a key frame.
"""

from pathlib import Path

from finsta.parsing.video.layouts.common import Graphs
from finsta.parsing.video.layouts.finsta_json import read_finsta_json


def read_synthvl(path: Path) -> Graphs:
    """Ids and graph builders; GraphError names the file, line and key."""
    return read_finsta_json(path / 'gold' / 'videos.jsonl.gz' if path.is_dir() else path)

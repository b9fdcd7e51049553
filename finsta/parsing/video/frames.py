"""VideoParser: from video files to frames, shared by the parsers that look at pixels."""

from collections.abc import Sequence

import numpy as np
from mmengine.logging import print_log

from finsta.datasets.transforms.video import open_video
from finsta.parsing.video.builder import empty_graph
from finsta.parsing.video.layouts.common import pick_frames
from finsta.structures import DynamicSceneGraph
from finsta.utils.errors import input_errors
from finsta.utils.optional import require


class VideoParser:
    """Reads evenly spread frames of each file and hands them to :meth:`parse_frames`.

    Args:
        max_frames: frames analysed of a video.
        max_size: longer side in pixels to which frames are shrunk, or None.
        backend: reader, see ``open_video``.

    Attributes:
        num_unreadable: files that could not be decoded, each logged; they give the empty graph.
    """

    kind = 'video'
    version = ''

    def __init__(self, max_frames: int, max_size: int | None, backend: str = 'auto') -> None:
        if max_frames < 1:
            raise ValueError(f'max_frames={max_frames} must be at least 1')
        self.max_frames, self.max_size, self.backend = max_frames, max_size, backend
        self.num_unreadable = 0

    def parse(self, videos: Sequence[str]) -> list[DynamicSceneGraph]:
        """Graphs of video files; one that cannot be decoded gives the empty graph, counted."""
        return [self._parse_file(str(v)) for v in videos]

    def parse_frames(self, frames: np.ndarray, times: Sequence[float], video: str = ''
                     ) -> DynamicSceneGraph:
        """Frames (n, H, W, 3) uint8 RGB at ``times`` seconds -> graph with n key frames."""
        raise NotImplementedError

    def _parse_file(self, path: str) -> DynamicSceneGraph:
        try:
            frames, times = self.read(path)
        except input_errors() as error:
            self.num_unreadable += 1
            print_log(f'{path}: cannot be read ({error}); empty graph '
                      f'({self.num_unreadable} so far)', 'current', 30)
            return empty_graph(path, self.version)
        return self.parse_frames(frames, times, path)

    def read(self, path: str) -> tuple[np.ndarray, np.ndarray]:
        """(n, H, W, 3) uint8 frames, shrunk to ``max_size``, and (n,) seconds."""
        with open_video(path, self.backend) as reader:
            if len(reader) == 0:
                raise ValueError('no frame')
            keep = pick_frames(len(reader), self.max_frames)
            # a few at a time: 64 full-size frames of a large video would not fit
            parts = [shrink(reader.get_batch(keep[i:i + 8]), self.max_size)
                     for i in range(0, len(keep), 8)]
            return np.concatenate(parts), np.asarray(reader.times, np.float64)[keep]


def shrink(frames: np.ndarray, max_size: int | None) -> np.ndarray:
    """(n, H, W, 3) -> the longer side at most ``max_size``, area-averaged."""
    height, width = frames.shape[1:3]
    if max_size is None or max(height, width) <= max_size:
        return frames
    cv2 = require('cv2', 'shrinking frames')
    scale = max_size / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.stack([cv2.resize(f, size, interpolation=cv2.INTER_AREA) for f in frames])

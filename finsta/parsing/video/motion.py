"""MotionVideoParser: a dynamic scene graph without any weights.

frames -> foreground (``background``) -> regions (``regions``, ``parting``) -> tracks
(``tracking``) -> trajectories (``trajectory``) -> names (``shapes``, ``appearance``), motion
predicates (``events``) and spatial relations (``relations``) -> graph (``builder``).

In a flat-coloured world things get their shape's name; in a real scene, where the background is
no smooth surface, only what moves is found and is called ``object``.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.logging import print_log

from finsta.parsing.video.background import Foreground, segment_foreground
from finsta.parsing.video.builder import Track, build_graph, pixel_box
from finsta.parsing.video.events import EventFinder
from finsta.parsing.video.frames import VideoParser, shrink
from finsta.parsing.video.parting import part_merged
from finsta.parsing.video.regions import Region, colour_cells, find_regions, sharpen, split_by_hue
from finsta.parsing.video.relations import spatial_relations
from finsta.parsing.video.shapes import UNKNOWN, ShapeClassifier
from finsta.parsing.video.tracking import Detections
from finsta.parsing.video.trajectory import Trajectory, colour_name, make_trajectory
from finsta.registry import SG_PARSERS, TRACKERS
from finsta.structures import DynamicSceneGraph

SHAPES = ('circle', 'square', 'triangle', 'star', 'heart', 'cross', 'ring', 'diamond')


@SG_PARSERS.register_module()
class MotionVideoParser(VideoParser):
    """Moving-region proposals, tracking, attributes and motion predicates by rules.

    Args:
        max_frames: key frames analysed of a video, evenly spread.
        max_size: longer side in pixels of the analysed frames.
        max_objects: tracks kept, those seen longest first; also regions looked at a frame.
        min_share: smallest region as a share of the frame.
        shapes: shape names to tell apart (``shapes.KNOWN_SHAPES``).
        large_radius: enclosing circle, as a share of the shorter side, from which a thing is
            ``large``; below, ``small``.
        idle: also say ``stop`` and ``wait``; see ``events``.
        tracker: config of TRACKERS.

    Attributes:
        num_empty: videos in which nothing was found (black, still, everything moves), each
            logged; they give a graph with key frames and no node.
    """

    version = 'MotionVideoParser/1'

    def __init__(self, max_frames: int = 64, max_size: int = 320, max_objects: int = 12,
                 min_share: float = 0.003, shapes: Sequence[str] = SHAPES,
                 large_radius: float = 0.139, idle: bool = False,
                 tracker: Mapping[str, Any] | None = None, backend: str = 'auto') -> None:
        super().__init__(max_frames, max_size, backend)
        self.max_objects, self.min_share, self.idle = max_objects, min_share, idle
        self.large_radius = large_radius
        self.shapes = ShapeClassifier(tuple(shapes))
        self.tracker = TRACKERS.build(dict(tracker or dict(type='IoUHungarianTracker')))
        self.num_empty = 0

    def parse_frames(self, frames: np.ndarray, times: Sequence[float], video: str = ''
                     ) -> DynamicSceneGraph:
        """Frames (n, H, W, 3) uint8 RGB at ``times`` seconds -> graph with n key frames."""
        size = (frames.shape[2], frames.shape[1])
        frames = shrink(frames, self.max_size)
        foreground = segment_foreground(frames)
        things = self._things(foreground)
        if not things:
            self.num_empty += 1
            print_log(f'{video or "clip"}: no region could be followed; a graph without nodes '
                      f'({self.num_empty} so far)', 'current', 30)
            return build_graph([], [], times, video, size, self.version)
        span = float(times[-1] - times[0])
        fps = (len(times) - 1) / span if span > 0 else 1.0
        moved = self._without_camera(things, foreground)
        relations = EventFinder(moved, len(frames), fps, self.idle).find()
        changing = {r.subject for r in relations if r.label in ('grow', 'shrink')}
        relations += spatial_relations(things)
        tracks = [self._track(k, thing, foreground, frames.shape[1:3], k in changing)
                  for k, thing in enumerate(things)]
        return build_graph(tracks, relations, times, video, size, self.version)

    def _things(self, foreground: Foreground) -> list[Trajectory]:
        """Trajectories, those seen longest, in order of first frame and then of place."""
        height, width = foreground.mask.shape[1:]
        flat = foreground.mode == 'surface'
        min_area = max(12, round(self.min_share * height * width * (1 if flat else 2)))
        cells = [colour_cells(lab) for lab in foreground.lab]
        regions = [find_regions(m, c, min_area, 2 * self.max_objects, 3 if flat else 7)
                   for m, c in zip(foreground.mask, cells, strict=True)]
        if flat:
            regions = [[sharpen(piece, far, c, min_area) for r in found
                        for piece in split_by_hue(r, lab, c, min_area)]
                       for found, lab, far, c in zip(regions, foreground.lab,
                                                     foreground.strength, cells, strict=True)]
            regions = part_merged(regions, cells, min_area)
        chains = self.tracker.track([_detections(r) for r in regions])
        chains = sorted(chains, key=len, reverse=True)[:self.max_objects]
        chains = [c for c in chains if len(c) >= min(3, len(regions))]
        chains.sort(key=lambda c: (c[0][0], *regions[c[0][0]][c[0][1]].box[:2]))
        return [make_trajectory([(t, regions[t][j]) for t, j in chain], foreground.lab)
                for chain in chains]

    @staticmethod
    def _without_camera(things: list[Trajectory], foreground: Foreground) -> list[Trajectory]:
        """Trajectories in the scene's own place: a panned camera is no motion."""
        if not foreground.camera.any():
            return things
        short = min(foreground.mask.shape[1:])
        return [thing.moved(-foreground.camera / short) for thing in things]

    def _track(self, number: int, thing: Trajectory, foreground: Foreground,
               shape: tuple[int, int], changing: bool) -> Track:
        flat = foreground.mode == 'surface'
        label, score = self.shapes(thing.masks) if flat else (UNKNOWN, 1.0)
        boxes = {thing.first + i: pixel_box(box, shape[1], shape[0])
                 for i, box in enumerate(thing.box)}
        track = Track(number, label, boxes, score=score if label != UNKNOWN else 1.0)
        for name in sorted({colour_name(c) for c in thing.lasting_colours()}):
            when = thing.first + np.flatnonzero(
                [colour_name(c) == name for c in thing.lasting_colours()])
            track.attributes.append((name, frozenset(when.tolist())))
        if flat:
            track.attributes.append(('striped' if thing.striped > 0.15 else 'plain', None))
        if not changing:
            radius = float(np.median(thing.radius))
            track.attributes.append(('large' if radius > self.large_radius else 'small', None))
        return track


def _detections(regions: list[Region]) -> Detections:
    if not regions:
        return Detections(np.zeros((0, 4)), np.zeros((0, 1)))
    return Detections(np.stack([r.box for r in regions]), np.stack([r.histogram for r in regions]))

"""AnnotationVideoParser: gold or foreign annotations -> DynamicSceneGraph."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmengine.logging import print_log

from finsta.parsing.video.builder import empty_graph
from finsta.parsing.video.layouts import LAYOUTS
from finsta.registry import SG_PARSERS
from finsta.structures import DynamicSceneGraph, GraphError


@SG_PARSERS.register_module()
class AnnotationVideoParser:
    """Looks a video up in an annotation file and gives its graph.

    Args:
        ann_file: file or folder in the layout.
        layout: one of ``LAYOUTS``: finsta, synthvl, pvsg, action_genome, vidvrd, vidor.
        on_error: ``'raise'`` stops at a bad row with GraphError; ``'skip'`` gives the empty graph
            and counts it in ``num_failed``.
        options: further arguments of the layout's reader (``max_frames``, ``mask_root``).

    Attributes:
        num_missing: asked-for videos that the annotation does not hold.
        num_failed: rows skipped under ``on_error='skip'``.
    """

    kind = 'video'
    version = 'AnnotationVideoParser/1'

    def __init__(self, ann_file: str, layout: str = 'finsta', on_error: str = 'raise',
                 **options: Any) -> None:
        if layout not in LAYOUTS:
            raise ValueError(f'layout={layout!r} is none of {sorted(LAYOUTS)}')
        if on_error not in ('raise', 'skip'):
            raise ValueError(f"on_error={on_error!r} must be 'raise' or 'skip'")
        self.layout, self.on_error = layout, on_error
        self._graphs = LAYOUTS[layout](Path(ann_file), **options)
        self.num_missing = self.num_failed = 0

    @property
    def video_ids(self) -> list[str]:
        """Ids that the annotation holds."""
        return list(self._graphs)

    def parse(self, videos: Sequence[str]) -> list[DynamicSceneGraph]:
        """Graphs of videos given by path or id (a path's id is its name without suffix).

        A video that the annotation does not hold gives the empty graph and a counted warning.

        Raises:
            GraphError: naming file, key and remedy, at a bad row under ``on_error='raise'``.
        """
        return [self._one(str(v)) for v in videos]

    def _one(self, video: str) -> DynamicSceneGraph:
        build = self._graphs.get(video) or self._graphs.get(Path(video).stem)
        if build is None:
            self.num_missing += 1
            print_log(f'{video}: not in the {self.layout} annotation; empty graph '
                      f'({self.num_missing} so far)', 'current', 30)
            return empty_graph(video, self.version)
        try:
            graph = build()
        except GraphError as error:
            if self.on_error == 'raise':
                raise
            self.num_failed += 1
            print_log(f'{error}; empty graph ({self.num_failed} so far)', 'current', 30)
            return empty_graph(video, self.version)
        return replace(graph, video=graph.video or Path(video).stem,
                       parser=graph.parser or f'{self.version} {self.layout}')

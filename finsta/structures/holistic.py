"""Holistic scene graph: a text graph and a dynamic graph joined by cross-modal coreference.

method.md section 1 (HSG, paper); storing only the edges beside references to the two graphs is
ours.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

from finsta.structures.scene_graph import DynamicSceneGraph, GraphError, SceneGraph


class CrossEdge(NamedTuple):
    """Text node ``text`` and node ``visual`` of key frame ``frame`` are the same thing."""

    text: int
    frame: int
    visual: int
    score: float = 1.0


@dataclass(frozen=True)
class HolisticSceneGraph:
    """TSG + DSG + cross-modal coreference edges.

    Args:
        tsg: graph of the sentence.
        dsg: graph of the video.
        cross: coreference edges between nodes of the same kind.
        matcher: which matcher made them.

    Raises:
        GraphError: if an edge points outside the graphs or joins different kinds.
    """

    tsg: SceneGraph
    dsg: DynamicSceneGraph
    cross: tuple[CrossEdge, ...] = ()
    matcher: str = ''

    def __post_init__(self) -> None:
        object.__setattr__(self, 'cross', tuple(CrossEdge(*e) for e in self.cross))
        for k, edge in enumerate(self.cross):
            if not 0 <= edge.frame < len(self.dsg.frames):
                raise GraphError(f'cross edge {k}: frame {edge.frame} of '
                                 f'{len(self.dsg.frames)} frames')
            visual = self.dsg.frames[edge.frame].nodes
            if not (0 <= edge.text < len(self.tsg.nodes) and 0 <= edge.visual < len(visual)):
                raise GraphError(f'cross edge {k}: {tuple(edge)} points outside '
                                 f'{len(self.tsg.nodes)} text or {len(visual)} visual nodes')
            if self.tsg.nodes[edge.text].kind != visual[edge.visual].kind:
                raise GraphError(f'cross edge {k}: joins a {self.tsg.nodes[edge.text].kind} and '
                                 f'a {visual[edge.visual].kind}')

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {'tsg': self.tsg.to_dict(), 'dsg': self.dsg.to_dict(),
                'cross': [[e.text, e.frame, e.visual, round(float(e.score), 4)]
                          for e in self.cross],
                'matcher': self.matcher}

    @classmethod
    def from_dict(cls, data: dict[str, Any], where: str = 'holistic scene graph'
                  ) -> 'HolisticSceneGraph':
        """Inverse of :meth:`to_dict`; raises GraphError naming ``where`` and the key."""
        for key in ('tsg', 'dsg'):
            if not isinstance(data, dict) or key not in data:
                raise GraphError(f'{where}: key {key!r} is missing')
        cross = []
        for i, row in enumerate(data.get('cross', ())):
            try:
                text, frame, visual, score = row
                cross.append(CrossEdge(int(text), int(frame), int(visual), float(score)))
            except (TypeError, ValueError) as error:
                raise GraphError(f'{where}, cross edge {i}: expected [text, frame, visual, '
                                 f'score], got {row!r}') from error
        return cls(SceneGraph.from_dict(data['tsg'], f'{where}, tsg'),
                   DynamicSceneGraph.from_dict(data['dsg'], f'{where}, dsg'), tuple(cross),
                   str(data.get('matcher', '')))

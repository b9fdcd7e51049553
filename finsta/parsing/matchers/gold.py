"""Cross-modal coreference from identities: for graphs that share their entity numbers (ours)."""

from finsta.parsing.matchers.base import Links, View, hanging_links, holistic, views
from finsta.parsing.matchers.words import content_words
from finsta.registry import MATCHERS
from finsta.structures import DynamicSceneGraph, HolisticSceneGraph, SceneGraph


@MATCHERS.register_module()
class GoldMatcher:
    """Joins nodes of the same kind and the same ``entity``; scores are 1.

    Attributes of joined objects and adverbs of joined predicates are joined where they mean the
    same word, because gold graphs number things and events only.
    """

    # the graphs must carry identities: the --gold option of tools/scene_graphs imports them
    gold = True

    def match(self, tsg: SceneGraph, dsg: DynamicSceneGraph,
              video_id: str | None = None) -> HolisticSceneGraph:
        """The holistic graph; nodes without an entity stay alone."""
        wanted: dict[tuple[str, int], list[int]] = {}
        for i, node in enumerate(tsg.nodes):
            if node.entity is not None:
                wanted.setdefault((node.kind, node.entity), []).append(i)
        links: Links = {(i, frame, v): 1.0
                        for frame, graph in enumerate(dsg.frames)
                        for v, node in enumerate(graph.nodes) if node.entity is not None
                        for i in wanted.get((node.kind, node.entity), ())}
        parents = {key: s for key, s in links.items()
                   if tsg.nodes[key[0]].kind in ('object', 'predicate')}
        hanging = hanging_links(
            View(tsg), views(dsg), parents,
            lambda a, b: float(content_words(a) == content_words(b)), threshold=1.0)
        return holistic(tsg, dsg, 'GoldMatcher', links, hanging)

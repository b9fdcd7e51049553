"""From a draft to a SceneGraph: one node per entity, one per predicate, spans kept."""

from finsta.parsing.text.coreference import link
from finsta.parsing.text.draft import Draft, Relation, Span
from finsta.parsing.text.trees import Tree
from finsta.structures import Edge, Node, SceneGraph


def build_graph(tree: Tree, draft: Draft, text: str, parser: str) -> SceneGraph:
    """Merge coreferent mentions and write nodes and edges, in order of the text."""
    links, possessives = link(tree, draft)
    heads = [i for i in sorted(draft.mentions) if not draft.mentions[i].hidden]
    entities = {head: k for k, head in enumerate(h for h in heads if h not in links)}
    nodes, edges = _objects(draft, heads, entities, links, possessives)

    def ends(head: int | None) -> list[int]:
        head = draft.resolve(head)
        if head is None:
            return []
        return [entities[h] for h in links.get(head, [head]) if h in entities]

    for group in _grouped(draft.relations):
        pairs = []
        for relation in group:
            subjects, objects = ends(relation.subject), ends(relation.object)
            lost = ((relation.subject is not None and not subjects)
                    or (relation.object is not None and not objects))
            if not lost:
                pairs += [(s, o) for s in subjects or [None] for o in objects or [None]
                          if s is None or s != o]
        _predicates(nodes, edges, group[0], list(dict.fromkeys(pairs)))
    return SceneGraph(tuple(nodes), tuple(edges), text, parser)


def _objects(draft: Draft, heads: list[int], entities: dict[int, int],
             links: dict[int, list[int]], possessives: dict[int, list[Span]]):
    """Object nodes (index = entity) and their attribute nodes."""
    spans: dict[int, list[Span]] = {head: list(possessives.get(head, ())) for head in entities}
    said: dict[int, dict[str, Span]] = {head: {} for head in entities}
    for head in heads:
        for owner in links.get(head, [head]):
            if owner not in entities:
                continue
            if owner != head:
                spans[owner].append(draft.mentions[head].span)
            for phrase in draft.mentions[head].attributes:
                said[owner].setdefault(phrase.label, phrase.span)
    nodes = [Node('object', draft.mentions[head].label, draft.mentions[head].span,
                  mentions=tuple(sorted(spans[head])), entity=k)
             for head, k in entities.items()]
    edges: list[Edge] = []
    for head, k in entities.items():
        for label, span in said[head].items():
            edges.append(Edge(k, len(nodes), 'attribute'))
            nodes.append(Node('attribute', label, span))
    return nodes, edges


def _grouped(relations: list[Relation]) -> list[list[Relation]]:
    """Relations of one verb (or preposition) and label together, in order of appearance."""
    groups: dict[tuple, list[Relation]] = {}
    for relation in relations:
        groups.setdefault((relation.verb, relation.label), []).append(relation)
    return list(groups.values())


def _predicates(nodes: list[Node], edges: list[Edge], like: Relation,
                pairs: list[tuple[int | None, int | None]]) -> None:
    """One predicate node if all its subjects have all its objects, else one for each pair."""
    if not pairs:
        return
    subjects = list(dict.fromkeys(s for s, _ in pairs))
    objects = list(dict.fromkeys(o for _, o in pairs))
    whole = len(pairs) == len(subjects) * len(objects)
    for some_subjects, some_objects in ([(subjects, objects)] if whole else
                                        [([s], [o]) for s, o in pairs]):
        index = len(nodes)
        nodes.append(Node('predicate', like.label, like.span))
        edges += [Edge(s, index, 'subject') for s in some_subjects if s is not None]
        edges += [Edge(index, o, 'object') for o in some_objects if o is not None]
        for phrase in like.adverbs:
            edges.append(Edge(index, len(nodes), 'predicate_attribute'))
            nodes.append(Node('predicate_attribute', phrase.label, phrase.span))

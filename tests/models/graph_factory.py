"""Random valid graphs for tests of the model packages."""

import random

from finsta.structures import (
    CrossEdge,
    DynamicSceneGraph,
    Edge,
    HolisticSceneGraph,
    Node,
    SceneGraph,
)

COLOURS = ['red', 'blue', 'green', 'yellow']
SHAPES = ['circle', 'square', 'star', 'heart']
VERBS = ['move left', 'move right', 'hit', 'rotate']


def text_graph(rng: random.Random, num_objects: int = 2) -> SceneGraph:
    """'red circle hits blue square then ...' with exact spans and entities."""
    nodes, edges, text = [], [], ''

    def add(kind: str, word: str, entity: int | None = None) -> int:
        nonlocal text
        start = len(text) + bool(text)
        text = f'{text} {word}'.strip()
        nodes.append(Node(kind, word, (start, start + len(word)), entity=entity))
        return len(nodes) - 1

    objects = []
    for entity in range(num_objects):
        colour = add('attribute', rng.choice(COLOURS), entity)
        thing = add('object', rng.choice(SHAPES), entity)
        edges.append(Edge(thing, colour, 'attribute'))
        objects.append(thing)
        verb = add('predicate', rng.choice(VERBS), entity)
        edges.append(Edge(thing, verb, 'subject'))
        if entity and rng.random() < 0.5:
            edges.append(Edge(verb, objects[0], 'object'))
    return SceneGraph(tuple(nodes), tuple(edges), text=text, parser='test')


def video_graph(rng: random.Random, tsg: SceneGraph, num_frames: int) -> DynamicSceneGraph:
    """The same things in every frame, each present with probability 0.8, boxes moving."""
    frames = []
    for t in range(num_frames):
        keep = [i for i, n in enumerate(tsg.nodes) if n.kind != 'object' or rng.random() < 0.8]
        objects = {i for i in keep if tsg.nodes[i].kind == 'object'}
        linked = {e.dst for e in tsg.edges if e.src in objects}
        keep = [i for i in keep if i in objects or i in linked]
        at = {i: k for k, i in enumerate(keep)}
        nodes = [Node(tsg.nodes[i].kind, tsg.nodes[i].label, entity=tsg.nodes[i].entity,
                      box=(rng.random(), rng.random(), 0.2, 0.2 + 0.01 * t)
                      if tsg.nodes[i].kind == 'object' else None) for i in keep]
        edges = [Edge(at[e.src], at[e.dst], e.type) for e in tsg.edges
                 if e.src in at and e.dst in at]
        frames.append(SceneGraph(tuple(nodes), tuple(edges)))
    return DynamicSceneGraph(tuple(frames), tuple(float(t) for t in range(num_frames)))


def holistic_graph(seed: int, num_objects: int = 2, num_frames: int = 3) -> HolisticSceneGraph:
    """A text graph and its video, joined where kind and entity agree."""
    rng = random.Random(seed)
    tsg = text_graph(rng, num_objects)
    dsg = video_graph(rng, tsg, num_frames)
    cross = [CrossEdge(i, t, k) for t, frame in enumerate(dsg.frames)
             for k, v in enumerate(frame.nodes) for i, n in enumerate(tsg.nodes)
             if (n.kind, n.entity) == (v.kind, v.entity)]
    return HolisticSceneGraph(tsg, dsg, tuple(cross), 'test')


def empty_graph(num_frames: int = 2) -> HolisticSceneGraph:
    """No nodes at all, as a parser gives for an empty text and a black video."""
    return HolisticSceneGraph(SceneGraph(text=''), DynamicSceneGraph(
        tuple(SceneGraph() for _ in range(num_frames)), tuple(range(num_frames))))

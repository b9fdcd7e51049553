"""Pages and drawings: well-formed, self-contained, escaped, nothing on top of anything else."""

import base64
import math
import re
from html.parser import HTMLParser
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest

from finsta.structures import CrossEdge, DynamicSceneGraph, HolisticSceneGraph, Node, SceneGraph
from finsta.visualization import (
    HtmlPage,
    alignment_rows,
    draw_curves,
    draw_holistic,
    draw_scene_graph,
    draw_timeline,
    write_report,
)
from finsta.visualization.alignment import marked_sentence
from finsta.visualization.curves_svg import round_ticks
from finsta.visualization.frames import encode_image, frame_strip, pick_frames
from finsta.visualization.svg import text_width
from finsta.visualization.tracks import intervals, number_tracks, track_rows

NASTY = '<script>alert("x")</script> & \'quoted\' \x00 \ud800'


class Checker(HTMLParser):
    """Collects tags and attributes, and checks that elements close in order."""

    VOID = {'meta', 'br', 'image', 'img', 'link'}

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.links = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [v for k, v in attrs if k in ('href', 'src')]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [v for k, v in attrs if k in ('href', 'src')]

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, f'</{tag}> does not fit'


def checked(html):
    checker = Checker()
    checker.feed(html)
    checker.close()
    assert not checker.open
    return checker


def sentence():
    text = 'the red circle quickly moves left and pushes the square'
    nodes = (Node('object', 'circle', span=(8, 14), entity=0), Node('attribute', 'red'),
             Node('predicate', 'move', span=(23, 28)), Node('predicate_attribute', 'quickly'),
             Node('predicate', 'push', span=(38, 44)), Node('object', 'square', span=(49, 55)))
    return SceneGraph(nodes, ((0, 1, 'attribute'), (0, 2, 'subject'),
                              (2, 3, 'predicate_attribute'), (0, 4, 'subject'),
                              (4, 5, 'object')), text, 'hand')


def video(frames=6):
    """Two tracks; the second is away in frames 2 and 3; the first pushes it at the end."""
    graphs = []
    for t in range(frames):
        nodes = [Node('object', 'circle', box=(0.1 + 0.1 * t, 0.5, 0.2, 0.2), entity=7),
                 Node('attribute', 'red'), Node('predicate', 'move left')]
        edges = [(0, 1, 'attribute'), (0, 2, 'subject')]
        if t not in (2, 3):
            nodes.append(Node('object', 'square', box=(0.8, 0.5, 0.2, 0.2), entity=9))
        if t >= 4:
            nodes.append(Node('predicate', 'push'))
            edges += [(0, 4, 'subject'), (4, 3, 'object')]
        graphs.append(SceneGraph(tuple(nodes), tuple(edges)))
    return DynamicSceneGraph(tuple(graphs), tuple(0.5 * t for t in range(frames)), video='v')


def joined():
    cross = [CrossEdge(0, t, 0, 0.9) for t in range(6)] + [CrossEdge(4, 4, 4, 0.6),
                                                          CrossEdge(4, 5, 4, 0.8)]
    return HolisticSceneGraph(sentence(), video(), tuple(cross), 'hand')


def pictures(count=6):
    return [np.full((48, 64, 3), 20 * t, np.uint8) for t in range(count)]


def boxes_of(svg, css):
    """(x, y, width, height) of every rect of one class."""
    root = ElementTree.fromstring(svg)
    return [tuple(float(e.get(k)) for k in ('x', 'y', 'width', 'height'))
            for e in root.iter('{http://www.w3.org/2000/svg}rect') if e.get('class') == css]


def overlap(a, b):
    return (a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3]
            and b[1] < a[1] + a[3])


def test_page_is_self_contained_and_well_formed(tmp_path):
    page = HtmlPage('A title', 'below')
    page.add_heading('Part')
    page.add_text('one\n\ntwo')
    page.add_facts({'key frames': 6, 'none': None})
    page.add_table(['model', 'R@1'], [['a', 0.5], ['b', 0.25], ['c', None]], 'results',
                   {'R@1': 'max'})
    page.add_curves('loss', {'a': [(0, 1.0), (10, 0.5)]})
    page.add_video_panel(pictures(), video(), sentence(), joined(), title='clip')
    path = page.save(tmp_path / 'deep' / 'page.html')
    html = path.read_text(encoding='utf-8')
    checker = checked(html)
    assert 'script' not in checker.tags and '<b>0.5</b>' in html
    assert checker.links and all(link.startswith('data:image/') for link in checker.links)
    assert not re.search(r'url\((?!#)|@import|https?://(?!www\.w3\.org/2000/svg)', html)
    assert [p.name for p in path.parent.iterdir()] == ['page.html']


def test_everything_is_escaped():
    graph = SceneGraph((Node('object', NASTY), Node('attribute', NASTY), Node('predicate', NASTY)),
                       ((0, 1, 'attribute'), (0, 2, 'subject')), NASTY, NASTY)
    frame = SceneGraph((Node('object', NASTY, box=(0.5, 0.5, 0.5, 0.5), entity=0),
                        Node('attribute', NASTY)), ((0, 1, 'attribute'),))
    dsg = DynamicSceneGraph((frame,), (0.0,), video=NASTY)
    page = HtmlPage(NASTY, NASTY)
    page.add_heading(NASTY)
    page.add_text(NASTY)
    page.add_facts({NASTY: NASTY})
    page.add_table([NASTY], [[NASTY]], NASTY)
    page.add_curves(NASTY, {NASTY: [(0, 1)]}, NASTY, NASTY)
    page.add_video_panel(pictures(1), dsg, graph,
                         HolisticSceneGraph(graph, dsg, (CrossEdge(0, 0, 0),)), title=NASTY)
    html = page.html()
    assert 'script' not in checked(html).tags and '<script' not in html
    html.encode('utf-8')
    assert '\x00' not in html


def test_table_refuses_ragged_rows():
    with pytest.raises(ValueError, match='1 cells in a table of 2 columns'):
        HtmlPage('x').add_table(['a', 'b'], [[1]])


def random_graph(rng, objects, predicates):
    words = ['a', 'man', 'large vehicle', 'WWW MMM', 'x' * 40, 'striped rectangle']
    nodes = [Node('object', words[rng.integers(6)]) for _ in range(objects)]
    edges = []
    for k in range(objects):
        for _ in range(rng.integers(4)):
            edges.append((k, len(nodes), 'attribute'))
            nodes.append(Node('attribute', words[rng.integers(6)]))
    for _ in range(predicates):
        p = len(nodes)
        nodes.append(Node('predicate', words[rng.integers(6)]))
        edges += [(int(rng.integers(objects)), p, 'subject'),
                  (p, int(rng.integers(objects)), 'object')]
    return SceneGraph(tuple(nodes), tuple(edges))


@pytest.mark.parametrize('seed', range(12))
def test_no_card_covers_another_and_all_lie_inside(seed):
    rng = np.random.default_rng(seed)
    drawing = draw_scene_graph(random_graph(rng, 1 + seed % 7, seed))
    cards = boxes_of(drawing, 'card') + boxes_of(drawing, 'pill')
    assert len(cards) == 1 + seed % 7 + seed
    assert not any(overlap(a, b) for k, a in enumerate(cards) for b in cards[:k])
    _, _, width, height = map(float, ElementTree.fromstring(drawing).get('viewBox').split())
    assert all(x >= 0 and y >= 0 and x + w <= width and y + h <= height for x, y, w, h in cards)


def test_layers_go_from_subject_to_object_and_cycles_are_drawn():
    drawing = draw_scene_graph(sentence())
    circle, square = sorted(boxes_of(drawing, 'card'))
    assert all(circle[0] < pill[0] < square[0] for pill in boxes_of(drawing, 'pill'))
    cycle = SceneGraph((Node('object', 'a'), Node('predicate', 'hit'), Node('object', 'b'),
                        Node('predicate', 'hit'), Node('predicate', 'see')),
                       ((0, 1, 'subject'), (1, 2, 'object'), (2, 3, 'subject'), (3, 0, 'object'),
                        (0, 4, 'subject'), (4, 0, 'object')))
    assert draw_scene_graph(cycle).count('class="link"') == 6


def test_many_predicates_are_cut_and_counted():
    graph = random_graph(np.random.default_rng(0), 5, 40)
    drawing = draw_scene_graph(graph, max_predicates=10)
    assert len(boxes_of(drawing, 'pill')) == 10 and 'and 30 more' in drawing


def test_empty_things_are_drawn():
    empty = DynamicSceneGraph()
    hsg = HolisticSceneGraph(SceneGraph(), empty)
    for drawing in (draw_scene_graph(SceneGraph()), draw_timeline(empty), draw_holistic(hsg),
                    draw_curves({}), draw_curves({'a': [(0, math.nan)]})):
        ElementTree.fromstring(drawing)
    page = HtmlPage('x')
    page.add_video_panel([], empty, SceneGraph(text=''), hsg)
    checked(page.html())


def test_tracks_and_intervals():
    assert intervals([0, 1, 2, 5, 7, 8]) == [(0, 2), (5, 5), (7, 8)] and intervals([]) == []
    number = number_tracks(video())
    # the square went and came back: one number
    assert {number[t, 3] for t in (0, 1, 4, 5)} == {1} and number[3, 0] == 0
    rows = track_rows(video())
    assert [(r.label, r.attributes, sorted(r.nodes)) for r in rows] == [
        ('circle', ['red'], [0, 1, 2, 3, 4, 5]), ('square', [], [0, 1, 4, 5])]
    assert [(a.label, a.other, a.frames) for a in rows[0].actions] == [
        ('move left', None, [0, 1, 2, 3, 4, 5]), ('push', 1, [4, 5])]


def test_timeline_bars_stand_where_the_frames_are():
    drawing = draw_timeline(video())
    root = ElementTree.fromstring(drawing)
    bars = {e[0].text: float(e.get('width')) for e in root.iter(
        '{http://www.w3.org/2000/svg}rect') if len(e)}
    whole = bars['#0 red circle: key frames 0 to 5']
    assert bars['#1 square: key frames 0 to 1'] == pytest.approx(whole / 3, rel=0.01)
    assert bars['push #1: key frames 4 to 5'] == pytest.approx(whole / 3, rel=0.01)


def test_alignment_rows_and_marks():
    rows = alignment_rows(joined())
    assert [(r.kind, r.text, r.visual, r.track, r.frames, round(r.score, 3)) for r in rows] == [
        ('object', 'circle', '#0 circle', 0, [0, 1, 2, 3, 4, 5], 0.9),
        ('predicate', 'push', '#0 push #1', 0, [4, 5], 0.7)]
    marked = marked_sentence(sentence(), {0: 0, 4: 0})
    assert re.findall(r'<mark[^>]*>([^<]+)</mark>', marked) == ['circle', 'pushes']
    drawing = draw_holistic(joined(), rows)
    assert '0.90' in drawing and '0.70' in drawing
    boxes = boxes_of(drawing, 'card') + boxes_of(drawing, 'pill')
    assert len(boxes) == 4 + 3      # four text nodes; two tracks and one action
    assert not any(overlap(a, b) for k, a in enumerate(boxes) for b in boxes[:k])


def test_frames_are_encoded_and_counted():
    uri = encode_image(np.dstack([np.full((600, 900), v, np.uint8) for v in (200, 100, 50)]))
    import cv2
    data = np.frombuffer(base64.b64decode(uri.split(',')[1]), np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert image.shape == (320, 480, 3)
    assert np.abs(image[0, 0, ::-1].astype(int) - (200, 100, 50)).max() < 4
    strip = frame_strip(pictures(), video(), max_frames=3)
    assert strip.count('<figure>') == 3 and strip.count('class="box"') >= 4
    with pytest.raises(ValueError, match='5 images for 6 key frames'):
        frame_strip(pictures(5), video())
    with pytest.raises(ValueError, match='uint8'):
        encode_image(np.zeros((4, 4, 3), np.float32))
    picks = pick_frames(video(), 3)
    assert len(picks) == 3 and picks[2] in (4, 5) and pick_frames(DynamicSceneGraph(), 3) == []


@pytest.mark.parametrize(('low', 'high'), [(0, 1), (0.031, 0.97), (-3, 4200), (1e-7, 3e-7),
                                           (5, 5), (0, 0)])
def test_ticks_are_round_and_enclose(low, high):
    ticks = round_ticks(low, high)
    assert ticks[0] <= low and ticks[-1] >= high and 3 <= len(ticks) <= 9
    steps = {round((b - a) / (ticks[1] - ticks[0]), 6) for a, b in pairwise(ticks)}
    assert steps == {1.0}
    digits = (ticks[1] - ticks[0]) / 10 ** math.floor(math.log10(ticks[1] - ticks[0]) + 1e-9)
    assert round(digits, 6) in (1, 2, 2.5, 5)


def test_curves_skip_what_is_not_finite_and_thin_long_runs():
    drawing = draw_curves({'a': [(0, 1), (1, math.nan), (2, 3), (3, 4)],
                           'long': [(i, 1.0) for i in range(50_000)]})
    root = ElementTree.fromstring(drawing)
    lines = [e.get('d') for e in root.iter('{http://www.w3.org/2000/svg}path')
             if e.get('class') == 'curve']
    # one piece of "a" (its first point stands alone), "long", two lines of the legend
    assert len(lines) == 4 and len(drawing) < 40_000
    assert 'nan' not in drawing


def test_text_width_grows_with_the_text():
    assert text_width('wide') > text_width('il') > 0
    assert text_width('漢字') > text_width('ab')


def test_report(tmp_path):
    path = write_report(
        tmp_path / 'report.html',
        {'title': 'Quickstart', 'facts': {'seconds': 12.5},
         'tables': [{'title': 'QA', 'columns': ['run', 'acc'], 'rows': [['plain', 0.4]],
                     'note': 'one seed', 'best': {'acc': 'max'}}]},
        {'loss': {'plain': [[0, 1.0], [1, 0.9]]}},
        [{'dsg': video(), 'frames': pictures(), 'tsg': sentence(), 'hsg': joined(), 'title': 'v'},
         {'dsg': video()}])
    html = path.read_text()
    checked(html)
    for part in ('Quickstart', '12.5', 'one seed', '<b>0.4</b>', 'loss', 'Alignments'):
        assert part in html
    with pytest.raises(KeyError, match='dsg'):
        write_report(path, {}, {}, [{}])

"""The quickstart's page from a work directory made by hand."""

import json
import re

import numpy as np
import pytest

from finsta.apis.quickstart_report import read_curves, sample_panels, write_quickstart_report
from finsta.parsing.store import GraphStore
from finsta.structures import DynamicSceneGraph, Node, SceneGraph

av = pytest.importorskip('av')
FRAMES = 12


def write_clip(path) -> None:
    """Frame t is a grey of 20 t: what was read can be told from the picture."""
    with av.open(str(path), 'w') as out:
        stream = out.add_stream('mpeg4', rate=4)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 64, 48, 'yuv420p', 2000000
        for t in range(FRAMES):
            image = np.full((48, 64, 3), 20 * t, np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(image, format='rgb24')))
        out.mux(stream.encode())


def seen(video: str, frames: int = FRAMES) -> DynamicSceneGraph:
    graphs = tuple(SceneGraph((Node('object', 'circle', box=(.5, .5, .2, .2), entity=0),
                               Node('attribute', 'red')), ((0, 1, 'attribute'),))
                   for _ in range(frames))
    return DynamicSceneGraph(graphs, tuple(t / 4 for t in range(frames)), video=video,
                             size=(64, 48), parser='hand/1')


def said(text: str) -> SceneGraph:
    return SceneGraph((Node('object', 'circle', span=(6, 12)), Node('attribute', 'red')),
                      ((0, 1, 'attribute'),), text, 'hand/1')


@pytest.fixture
def data(tmp_path):
    """Four training videos: a and b whole, c without a video graph, d of one key frame."""
    root = tmp_path / 'data'
    (root / 'YouTubeClips').mkdir(parents=True)
    clips, captions = [], []
    with GraphStore(root / 'graphs', readonly=False) as store:
        for name in 'cdab':
            clips.append(root / 'YouTubeClips' / f'{name}.mp4')
            write_clip(clips[-1])
            texts = [f'a red circle in {name}', 'red']
            captions.append({'id': f'{name}.avi', 'caption': texts})
            store.put_text(texts[0], said(texts[0]), video_id=name)
            if name != 'c':
                store.put_video(name, seen(name, 1 if name == 'd' else FRAMES))
    (root / 'training_label.json').write_text(json.dumps(captions))
    (root / 'train_videos.txt').write_text('\n'.join(map(str, clips)) + '\n')
    return root


@pytest.fixture
def work(tmp_path):
    root = tmp_path / 'work'

    def log(folder: str, *rows: dict) -> None:
        path = root / folder / '20260101_000000' / 'vis_data' / 'scalars.json'
        path.parent.mkdir(parents=True)
        path.write_text('\n'.join(map(json.dumps, rows)) + '\n')
    log('finsta/seed0/posttrain', {'step': 10, 'loss': 3.0, 'loss_itc': 1.0, 'loss_osc': 2.0},
        {'step': 20, 'loss': 2.0, 'loss_itc': 0.5, 'loss_osc': 1.5}, {'step': 20, 'qa/acc': 7.0})
    log('plain/seed0/videoqa/train', {'step': 10, 'loss': 4.0}, {'step': 20, 'loss': 1.0})
    log('finsta/seed0/videoqa/train', {'step': 10, 'loss': 3.5})
    log('plain/seed0/videoqa/test', {'step': 0, 'qa/acc': 7.0})
    return root


def test_curves_are_by_stage_and_arm_with_the_terms_of_a_post_training(work):
    assert read_curves(work) == {
        'posttrain: total loss': {'finsta': [(10, 3.0), (20, 2.0)]},
        'finsta: the terms of the loss': {'loss_itc': [(10, 1.0), (20, 0.5)],
                                          'loss_osc': [(10, 2.0), (20, 1.5)]},
        'videoqa: total loss': {'plain': [(10, 4.0), (20, 1.0)], 'finsta': [(10, 3.5)]}}


def test_without_a_training_there_are_no_curves(tmp_path):
    assert read_curves(tmp_path) == {}


def test_panels_are_of_videos_with_both_graphs_and_show_their_frames(data):
    panels = sample_panels(data, num_videos=4, num_frames=4)
    assert [p['title'] for p in panels] == ['a: a red circle in a', 'b: a red circle in b']
    for panel in panels:
        assert len(panel['frames']) == len(panel['dsg'].frames) == 4
        grey = [float(np.mean(f)) for f in panel['frames']]
        wanted = [20 * round(4 * t) for t in panel['dsg'].times]
        assert wanted[0] == 0 and wanted[-1] == 20 * (FRAMES - 1)
        np.testing.assert_allclose(grey, wanted, atol=6)
        assert {(e.text, e.visual) for e in panel['hsg'].cross} >= {(0, 0)}
    assert len(sample_panels(data, num_videos=1, num_frames=4)) == 1


def test_page_has_table_curves_and_strips_and_needs_nothing_else(work, data):
    head = ['start', 'video QA, accuracy %', 'pairs %']
    rows = [['plain', 41.2, None], ['finsta', 43.7, 9.0]]
    page = write_quickstart_report(work, data, rows, head, num_videos=2, num_frames=4)
    assert page == work / 'report.html'
    html = page.read_text(encoding='utf-8')
    assert all(title in html for title in head) and '<b>43.7</b>' in html
    assert '<b>41.2</b>' not in html
    assert html.count('<figure class="chart">') == 3 and 'videoqa: total loss' in html
    assert html.count('data:image/') == 2 * 4 and 'a: a red circle in a' in html
    links = re.findall(r'(?:src|href)="([^"#]{5})', html)
    assert links and set(links) == {'data:'}
    assert not re.search(r'<script|@import|https?://(?!www\.w3\.org/2000/svg)', html)

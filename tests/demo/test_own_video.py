"""The own-video demo from a real file to the page, by what needs no weights."""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from finsta.registry import SG_PARSERS
from finsta.structures import Node, SceneGraph

av = pytest.importorskip('av')
ROOT = Path(__file__).resolve().parents[2]


class WordsParser:
    """Stands for the text parser: the demo's own parts do not depend on its quality."""

    def parse(self, texts):
        out = []
        for text in texts:
            if 'circle' not in text:
                out.append(SceneGraph((), (), text, 'WordsParser/1'))
                continue
            start = text.index('circle')
            nodes = (Node('object', 'circle', span=(start, start + 6)), Node('attribute', 'red'),
                     Node('predicate', 'move right'))
            out.append(SceneGraph(nodes, ((0, 1, 'attribute'), (0, 2, 'subject')), text,
                                  'WordsParser/1'))
        return out


@pytest.fixture
def demo(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    SG_PARSERS.import_from_location()
    monkeypatch.setitem(SG_PARSERS.module_dict, 'RuleTextParser', WordsParser)
    spec = importlib.util.spec_from_file_location('own_video', ROOT / 'demo' / 'own_video.py')
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, 'own_video', module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def clip(tmp_path):
    """A red disc that moves to the right over a dark ground, 24 frames."""
    path = tmp_path / 'disc.mp4'
    rows, columns = np.mgrid[:96, :128]
    with av.open(str(path), 'w') as out:
        stream = out.add_stream('mpeg4', rate=8)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 128, 96, 'yuv420p', 2000000
        for t in range(24):
            image = np.full((96, 128, 3), 40, np.uint8)
            image[(rows - 48) ** 2 + (columns - 24 - 3 * t) ** 2 < 196] = (220, 30, 30)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(image, format='rgb24')))
        out.mux(stream.encode())
    return path


def test_page_shows_the_disc_and_joins_it_with_the_sentence(demo, clip, tmp_path, capsys):
    page = tmp_path / 'page.html'
    status = demo.main([str(clip), 'a red circle moves right', '--out', str(page), '--show', '4'])
    assert status == 0, capsys.readouterr().err
    html = page.read_text(encoding='utf-8')
    assert html.count('data:image/') == 4 and 'class="box"' in html
    assert 'MotionVideoParser' in html and 'Textual scene graph' in html
    assert 'Alignments' in html and '2 of 2 objects and actions' in html
    assert 'similarity' not in html.lower() or 'Video-text similarity' not in html
    assert str(page) in capsys.readouterr().out


def test_similarity_with_a_saved_backbone(demo, clip, tmp_path, monkeypatch):
    class Backbone(torch.nn.Module):
        num_frames = 4

        def preprocess_frames(self, frames):
            assert frames.shape == (1, 4, 3, 96, 128) and frames.dtype == torch.uint8
            return frames.float()

        def encode_video(self, frames):
            return frames.mean()

        def encode_text(self, texts):
            return torch.tensor([float(len(t)) for t in texts])

        def similarity(self, text, video):
            return (text / 100)[:, None]

    import finsta.models.backbones as backbones
    loaded = []
    monkeypatch.setattr(backbones, 'load_backbone', lambda f: loaded.append(f) or Backbone())
    page = tmp_path / 'page.html'
    assert demo.main([str(clip), 'a red circle', '--out', str(page), '--checkpoint', 'mine',
                      '--against', 'a blue circle is here']) == 0
    html = page.read_text(encoding='utf-8')
    assert loaded == ['mine'] and '>0.12<' in html and '<b>0.21</b>' in html


def test_newest_checkpoint_is_found(demo, tmp_path):
    assert demo.find_checkpoint(tmp_path / 'none') is None
    from finsta.models.backbones.checkpoint import FORMAT
    for k, name in enumerate(('old', 'deep/new')):
        folder = tmp_path / 'runs' / name
        folder.mkdir(parents=True)
        (folder / 'config.json').write_text(json.dumps({'format': FORMAT}))
        import os
        os.utime(folder / 'config.json', (k, k))
    (tmp_path / 'runs' / 'config.json').write_text('{"format": "other"}')
    assert demo.find_checkpoint(tmp_path / 'runs').name == 'new'


@pytest.mark.parametrize(('video', 'sentence', 'message'), [
    ('disc.mp4', '   ', 'the sentence is empty'),
    ('gone.mp4', 'a circle', 'gone.mp4: no such file'),
    ('empty.mp4', 'a circle', 'empty.mp4'),
    ('text.avi', 'a circle', 'text.avi'),
])
def test_bad_input_ends_in_a_sentence(demo, clip, tmp_path, capsys, video, sentence, message):
    (tmp_path / 'empty.mp4').write_bytes(b'')
    (tmp_path / 'text.avi').write_text('this is no video\n' * 50)
    assert demo.main([str(tmp_path / video), sentence, '--out', 'page.html']) == 2
    err = capsys.readouterr().err
    assert err.startswith('error: ') and message in err
    assert not (tmp_path / 'page.html').exists()


def test_sentence_without_any_node_still_gives_a_page(demo, clip, tmp_path, capsys):
    assert demo.main([str(clip), 'hm', '--out', str(tmp_path / 'p.html')]) == 0
    assert 'no object and no action' in capsys.readouterr().err
    assert 'No node of the text was found' in (tmp_path / 'p.html').read_text()

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
def real_demo(monkeypatch, tmp_path):
    """The demo with all its real parts."""
    monkeypatch.chdir(tmp_path)
    SG_PARSERS.import_from_location()
    spec = importlib.util.spec_from_file_location('own_video', ROOT / 'demo' / 'own_video.py')
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, 'own_video', module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def demo(real_demo, monkeypatch):
    monkeypatch.setitem(SG_PARSERS.module_dict, 'RuleTextParser', WordsParser)
    return real_demo


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
    from finsta.models.backbones.checkpoint import FORMAT
    (tmp_path / 'mine').mkdir()
    (tmp_path / 'mine' / 'config.json').write_text(json.dumps({'format': FORMAT}))
    page = tmp_path / 'page.html'
    assert demo.main([str(clip), 'a red circle', '--out', str(page), '--checkpoint', 'mine',
                      '--against', 'a blue circle is here']) == 0
    html = page.read_text(encoding='utf-8')
    assert loaded == [Path('mine')] and '>0.12<' in html and '<b>0.21</b>' in html


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
    assert status(demo, [str(tmp_path / video), sentence, '--out', 'page.html']) == 2
    err = capsys.readouterr().err
    assert err.startswith('\nerror: ') and message in err and 'Traceback' not in err
    assert not (tmp_path / 'page.html').exists()


def status(demo, argv):
    """Exit code of a call that ends in a sentence."""
    with pytest.raises(SystemExit) as end:
        demo.main(argv)
    return end.value.code


@pytest.mark.parametrize(('options', 'message'), [
    (['--classes', 'dog'], 'give --detector FOLDER or leave --classes out'),
    (['--against', 'a dog'], '--against compares sentences by a backbone, and there is none'),
    (['--max-frames', '1'], '--max-frames 1 must be at least 2'),
    (['--show', '0'], '--show 0 at least 1'),
    (['--checkpoint', 'none'], "--checkpoint 'none': no saved backbone in none or "),
    (['--checkpoint', 'folder'], "--checkpoint 'folder': no saved backbone in folder or "),
    (['--checkpoint', 'broken'], 'config.json is not a JSON object'),
    (['--out', 'folder'], '--out folder is a folder; name a file, e.g. folder/own_video.html'),
    (['--out', 'disc.mp4/page.html'], 'disc.mp4'),
    (['--detector', 'none'], 'detector=none: no model can be read there'),
    (['--clip', 'none'], 'folder=none: no model can be read there'),
])
def test_options_that_cannot_be_or_would_do_nothing(demo, clip, tmp_path, capsys, options,
                                                    message):
    (tmp_path / 'folder').mkdir()
    (tmp_path / 'broken').mkdir()
    (tmp_path / 'broken' / 'config.json').write_text('{')
    assert status(demo, [str(clip), 'a circle', *options]) == 2
    err = capsys.readouterr().err
    assert message in err and 'Traceback' not in err


def test_debug_shows_the_traceback(demo, tmp_path):
    with pytest.raises(FileNotFoundError):
        demo.main([str(tmp_path / 'gone.mp4'), 'a circle', '--debug'])


def test_more_pictures_than_key_frames_are_noted(demo, clip, tmp_path, capsys):
    page = tmp_path / 'new' / 'folder' / 'page.html'
    assert demo.main([str(clip), 'a circle', '--max-frames', '3', '--show', '5', '--out',
                      str(page)]) == 0
    assert 'note: --show 5, but no more than the --max-frames 3' in capsys.readouterr().err
    assert page.read_text(encoding='utf-8').count('data:image/') == 3
    assert demo.main([str(clip), 'a circle', '--max-frames', '3']) == 0
    assert 'note' not in capsys.readouterr().err


def test_sentence_without_any_node_still_gives_a_page(demo, clip, tmp_path, capsys):
    assert demo.main([str(clip), 'hm', '--out', str(tmp_path / 'p.html')]) == 0
    assert 'no object and no action' in capsys.readouterr().err
    assert 'No node of the text was found' in (tmp_path / 'p.html').read_text()


SAID = 'A red circle moves to the right.'


@pytest.fixture
def folders(tmp_path_factory):
    """Tiny random models in folders as transformers writes them: clip, a closed detector, an
    open-vocabulary one."""
    import transformers
    torch.manual_seed(0)
    characters = 'abcdefghijklmnopqrstuvwxyz0123456789._-'
    words = [*characters, *(f'{c}</w>' for c in characters), '<|startoftext|>', '<|endoftext|>']
    vocab = {word: i for i, word in enumerate(words)}
    end = len(vocab) - 1
    tokenizer = transformers.CLIPTokenizer(vocab=vocab, merges=[], model_max_length=64)
    layer = dict(hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2)
    text = dict(layer, vocab_size=len(vocab), max_position_embeddings=64, eos_token_id=end,
                bos_token_id=end - 1, pad_token_id=end)
    root = tmp_path_factory.mktemp('models')

    def save(name, model, processor, with_words=True):
        model.save_pretrained(root / name)
        if with_words:
            tokenizer.save_pretrained(root / name)
        (root / name / 'preprocessor_config.json').write_text(json.dumps(processor))
        return str(root / name)
    clip = transformers.CLIPModel(transformers.CLIPConfig(
        text_config=text, vision_config=dict(layer, image_size=32, patch_size=8),
        projection_dim=16))
    resnet = transformers.ResNetConfig(embedding_size=8, hidden_sizes=[8, 8, 8, 16],
                                       depths=[1, 1, 1, 1], out_features=['stage4'])
    detr = transformers.DetrForObjectDetection(transformers.DetrConfig(
        use_timm_backbone=False, backbone_config=resnet, backbone=None,
        use_pretrained_backbone=False, d_model=16, encoder_layers=1, decoder_layers=1,
        encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=16,
        decoder_ffn_dim=16, num_queries=4, id2label={0: 'cat', 1: 'dog'},
        label2id={'cat': 0, 'dog': 1}))
    owl = transformers.Owlv2ForObjectDetection(transformers.Owlv2Config(
        text_config=text, vision_config=dict(layer, image_size=32, patch_size=16),
        projection_dim=16))
    return {
        'clip': save('clip', clip, dict(
            image_processor_type='CLIPImageProcessor', size=dict(shortest_edge=32),
            crop_size=dict(height=32, width=32))),
        'closed': save('closed', detr, dict(image_processor_type='DetrImageProcessor', size=dict(
            shortest_edge=64, longest_edge=96)), False),
        'open': save('open', owl, dict(
            image_processor_type='Owlv2ImageProcessor', processor_class='Owlv2Processor',
            size=dict(height=32, width=32)))}


def test_shipped_text_parser_and_shipped_backbone(real_demo, clip, capsys):
    """No stand-in: the text model and the tiny CLIP4Clip of the package."""
    pytest.importorskip('spacy')
    weights = ROOT / 'finsta/weights/clip4clip_tiny'
    assert real_demo.main([str(clip), SAID, '--out', 'p.html', '--checkpoint', str(weights),
                           '--against', 'A blue square stops.']) == 0, capsys.readouterr().err
    html = Path('p.html').read_text(encoding='utf-8')
    assert 'RuleTextParser' in html and '2 of 2 objects and actions' in html
    assert 'Video-text similarity' in html and 'A blue square stops.' in html
    frames = np.zeros((8, 48, 48, 3), np.uint8)
    scores = real_demo.similarities(weights, frames, [SAID, 'A blue square stops.'])
    assert all(-1e3 < s < 1e3 for s in scores) and scores[0] != scores[1]


@pytest.mark.parametrize(('kind', 'labels'), [('closed', {'cat', 'dog'}), ('open', {'circle'})])
def test_detector_folder(real_demo, folders, clip, kind, labels):
    """An open-vocabulary detector looks for the objects of the sentence."""
    args = real_demo.parse_args([str(clip), SAID, '--detector', folders[kind],
                                 '--max-frames', '3'])
    tsg = SG_PARSERS.build(dict(type='RuleTextParser')).parse([SAID])[0]
    asked = []
    build = SG_PARSERS.build
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SG_PARSERS, 'build', lambda c: asked.append(c) or build(dict(
            c, score_thr=0.0)))
        frames, _, dsg = real_demo.see(args, tsg)
    assert len(asked) == 1 and len(frames) == len(dsg.frames) == 3
    seen = {n.label for f in dsg.frames for n in f.nodes if n.kind == 'object'}
    assert seen and seen <= labels


def test_detector_and_clip_folders_through_main(real_demo, folders, clip, capsys):
    assert real_demo.main([
        str(clip), SAID, '--out', 'p.html', '--detector', folders['open'], '--classes', 'circle',
        '--clip', folders['clip'], '--max-frames', '3']) == 0, capsys.readouterr().err
    html = Path('p.html').read_text(encoding='utf-8')
    assert 'DetectorVideoParser' in html and 'FrozenSimilarityMatcher' in html


def test_the_first_error_of_a_detector_is_the_one_shown(real_demo, folders, clip, capsys):
    """Not that of a second try with other options."""
    config = Path(folders['closed'], 'preprocessor_config.json')
    config.write_text(json.dumps({'image_processor_type': 'NoSuchProcessor'}))
    assert status(real_demo, [str(clip), SAID, '--detector', folders['closed']]) == 2
    err = capsys.readouterr().err
    assert 'NoSuchProcessor' in err or 'image processor' in err
    assert 'fixed classes' not in err


def test_classes_for_a_detector_that_has_its_own_are_refused(real_demo, folders, clip, capsys):
    assert status(real_demo, [str(clip), SAID, '--detector', folders['closed'],
                              '--classes', 'bird']) == 2
    assert 'fixed classes' in capsys.readouterr().err

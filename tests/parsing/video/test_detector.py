"""DetectorVideoParser with tiny random models, saved and loaded as a real folder is."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from finsta.parsing.video.detector import _Scorer
from finsta.parsing.video.vocab import load_vocabulary
from finsta.registry import SG_PARSERS
from finsta.structures import GraphError
from finsta.utils.errors import CheckpointError

transformers = pytest.importorskip('transformers')


def bpe_vocabulary():
    """Single characters and their end-of-word forms: CLIP's tokeniser without merges."""
    chars = 'abcdefghijklmnopqrstuvwxyz0123456789._-'
    tokens = [*chars, *(f'{c}</w>' for c in chars), '<|startoftext|>', '<|endoftext|>']
    return {t: i for i, t in enumerate(tokens)}


@pytest.fixture(scope='module')
def clip_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp('clip')
    vocab = bpe_vocabulary()
    torch.manual_seed(0)
    end = vocab['<|endoftext|>']
    text = dict(vocab_size=len(vocab), hidden_size=16, intermediate_size=16, num_hidden_layers=1,
                num_attention_heads=2, max_position_embeddings=64, eos_token_id=end,
                bos_token_id=end - 1, pad_token_id=end)
    vision = dict(hidden_size=16, intermediate_size=16, num_hidden_layers=1,
                  num_attention_heads=2, image_size=32, patch_size=8)
    config = transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=16)
    transformers.CLIPModel(config).save_pretrained(folder)
    transformers.CLIPTokenizer(vocab=vocab, merges=[]).save_pretrained(folder)
    (folder / 'preprocessor_config.json').write_text(json.dumps(dict(
        image_processor_type='CLIPImageProcessor', size=dict(shortest_edge=32),
        crop_size=dict(height=32, width=32))))
    return str(folder)


@pytest.fixture(scope='module')
def detr_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp('detr')
    torch.manual_seed(0)
    backbone = transformers.ResNetConfig(embedding_size=8, hidden_sizes=[8, 8, 8, 16],
                                         depths=[1, 1, 1, 1], out_features=['stage4'])
    config = transformers.DetrConfig(
        use_timm_backbone=False, backbone_config=backbone, backbone=None,
        use_pretrained_backbone=False, d_model=16, encoder_layers=1, decoder_layers=1,
        encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=16,
        decoder_ffn_dim=16, num_queries=6, id2label={0: 'cat', 1: 'dog'},
        label2id={'cat': 0, 'dog': 1})
    transformers.DetrForObjectDetection(config).save_pretrained(folder)
    (folder / 'preprocessor_config.json').write_text(json.dumps(dict(
        image_processor_type='DetrImageProcessor',
        size=dict(shortest_edge=64, longest_edge=96))))
    return str(folder)


def frames(num=5):
    rng = np.random.default_rng(0)
    return rng.integers(0, 255, (num, 48, 64, 3), np.uint8), np.arange(num) / 4


def build(**kwargs):
    return SG_PARSERS.build({'type': 'DetectorVideoParser', 'device': 'cpu', **kwargs})


def test_graph_of_a_closed_vocabulary_detector(detr_dir, clip_dir):
    parser = build(detector=detr_dir, scorer=clip_dir, score_thr=0.0, attribute_thr=0.0,
                   relation_thr=0.0, max_objects=4, max_pairs=3, batch_size=2,
                   attributes={'colour': ['red', 'blue']})
    pixels, times = frames()
    dsg = parser.parse_frames(pixels, times, 'clip')
    assert len(dsg.frames) == 5 and dsg.size == (64, 48) and dsg.times == tuple(times)
    for graph in dsg.frames:
        objects = [graph.nodes[i] for i in graph.of_kind('object')]
        assert 0 < len(objects) <= 4 and {n.label for n in objects} <= {'cat', 'dog'}
        assert {graph.nodes[i].label for i in graph.of_kind('attribute')} <= {'red', 'blue'}
        assert 0 < len(graph.triples()) <= 3
        assert {graph.nodes[p].label for _, p, _ in graph.triples()} <= set(parser.predicates)
    assert any(p >= 0 for row in dsg.predecessors for p in row)
    again = build(detector=detr_dir, scorer=clip_dir, score_thr=0.0, attribute_thr=0.0,
                  relation_thr=0.0, max_objects=4, max_pairs=3, batch_size=5,
                  attributes={'colour': ['red', 'blue']}).parse_frames(pixels, times, 'clip')
    boxes = [[n.box for g in d.frames for n in g.nodes if n.box] for d in (dsg, again)]
    assert np.allclose(*boxes, atol=1e-4)                       # whatever the batch size


def test_thresholds_and_no_scorer(detr_dir):
    pixels, times = frames(2)
    nothing = build(detector=detr_dir, score_thr=0.999).parse_frames(pixels, times)
    assert all(not g.nodes for g in nothing.frames)
    objects = build(detector=detr_dir, score_thr=0.0).parse_frames(pixels, times)
    assert {n.kind for g in objects.frames for n in g.nodes} == {'object'}


def test_scorer_agrees_with_the_model_itself(clip_dir):
    scorer = _Scorer(clip_dir, torch.device('cpu'), torch.float32, batch_size=2)
    pictures = [f[:30, :40] for f in frames(3)[0]]
    texts = ['a red cat', 'a blue dog on a cat']
    with torch.inference_mode():
        got = scorer.chances(scorer.images(pictures), texts)
        tokens = scorer.tokenizer(texts, padding=True, return_tensors='pt')
        pixels = scorer.processor(images=pictures, return_tensors='pt')['pixel_values']
        want = scorer.model(input_ids=tokens['input_ids'], pixel_values=pixels,
                            attention_mask=tokens['attention_mask']).logits_per_image.softmax(-1)
    assert torch.allclose(got, want, atol=1e-5)


def test_open_vocabulary_owlv2(tmp_path, clip_dir):
    vocab = bpe_vocabulary()
    end = vocab['<|endoftext|>']
    torch.manual_seed(0)
    config = transformers.Owlv2Config(
        text_config=dict(vocab_size=len(vocab), hidden_size=16, intermediate_size=16,
                         num_hidden_layers=1, num_attention_heads=2, max_position_embeddings=16,
                         eos_token_id=end, bos_token_id=end - 1, pad_token_id=end),
        vision_config=dict(hidden_size=16, intermediate_size=16, num_hidden_layers=1,
                           num_attention_heads=2, image_size=32, patch_size=16),
        projection_dim=16)
    transformers.Owlv2ForObjectDetection(config).save_pretrained(tmp_path)
    transformers.CLIPTokenizer(vocab=vocab, merges=[], model_max_length=16).save_pretrained(
        tmp_path)
    (tmp_path / 'preprocessor_config.json').write_text(json.dumps(dict(
        image_processor_type='Owlv2ImageProcessor', processor_class='Owlv2Processor',
        size=dict(height=32, width=32))))
    parser = build(detector=str(tmp_path), classes=['cat', 'red dog'], score_thr=0.0,
                   max_objects=3)
    dsg = parser.parse_frames(*frames(2))
    labels = {n.label for g in dsg.frames for n in g.nodes}
    assert labels and labels <= {'cat', 'red dog'}
    with pytest.raises(ValueError, match='classes='):
        build(detector=str(tmp_path))


@pytest.fixture(scope='module')
def grounding_dir(tmp_path_factory):
    """A tiny Grounding DINO; its code knows [CLS], [SEP], "." and "?" by BERT's numbers."""
    folder = tmp_path_factory.mktemp('grounding')
    fixed = {0: '[PAD]', 100: '[UNK]', 101: '[CLS]', 102: '[SEP]', 103: '[MASK]', 1012: '.',
             1029: '?', 1030: 'cat', 1031: 'red', 1032: 'dog', 1033: 'a'}
    tokens = [fixed.get(i, f'[unused{i}]') for i in range(1034)]
    (folder / 'vocab.txt').write_text('\n'.join(tokens) + '\n')
    transformers.BertTokenizer(vocab=str(folder / 'vocab.txt')).save_pretrained(folder)
    torch.manual_seed(0)
    text = transformers.BertConfig(
        vocab_size=len(tokens), hidden_size=16, intermediate_size=16, num_hidden_layers=1,
        num_attention_heads=2, max_position_embeddings=64)
    swin = transformers.SwinConfig(
        image_size=32, patch_size=4, embed_dim=8, depths=[1, 1, 1, 1], num_heads=[1, 1, 2, 2],
        window_size=4, out_features=['stage2', 'stage3', 'stage4'])
    config = transformers.GroundingDinoConfig(
        backbone_config=swin, text_config=text, d_model=32, num_queries=6, encoder_layers=1,
        decoder_layers=2, encoder_ffn_dim=16, decoder_ffn_dim=16, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_n_points=2, decoder_n_points=2, max_text_len=32,
        disable_custom_kernels=True)
    transformers.GroundingDinoForObjectDetection(config).save_pretrained(folder)
    (folder / 'preprocessor_config.json').write_text(json.dumps(dict(
        image_processor_type='GroundingDinoImageProcessor',
        processor_class='GroundingDinoProcessor', size=dict(shortest_edge=64, longest_edge=96))))
    return str(folder)


def test_grounding_dino(grounding_dir):
    """Its labels are the classes that were asked for, not mixtures of their words."""
    parser = build(detector=grounding_dir, classes=['Cat', 'red dog'], score_thr=0.0,
                   max_objects=3, batch_size=2)
    assert parser.detector.grounding
    pixels, times = frames(3)
    dsg = parser.parse_frames(pixels, times, 'clip')
    assert all(0 < len(g.nodes) <= 3 for g in dsg.frames)
    assert {n.label for g in dsg.frames for n in g.nodes} <= {'cat', 'red dog'}
    nothing = build(detector=grounding_dir, classes=['cat'], score_thr=1.0)
    assert not any(g.nodes for g in nothing.parse_frames(pixels, times).frames)
    with pytest.raises(ValueError, match='open-vocabulary detector: give classes='):
        build(detector=grounding_dir)


def test_grounding_dino_is_asked_for_each_word_in_lower_case(grounding_dir):
    """The sentence that the model reads, and what its answer is cut at."""
    detector = build(detector=grounding_dir, classes=['Cat', 'red dog']).detector
    inputs = detector._inputs(list(frames(2)[0]))
    words = [detector.processor.tokenizer.convert_ids_to_tokens(row)
             for row in inputs['input_ids'].tolist()]
    assert words == [['[CLS]', 'cat', '.', 'red', 'dog', '.', '[SEP]']] * 2
    assert inputs['pixel_values'].shape[0] == 2 and inputs['pixel_values'].dtype == torch.float32


def test_grounding_dino_boxes_are_those_of_transformers(grounding_dir):
    """With one class the answers must agree, and the class of several is the likeliest token."""
    pictures = list(frames(2)[0])
    detector = build(detector=grounding_dir, classes=['cat']).detector
    with torch.inference_mode():
        inputs = detector._inputs(pictures)
        outputs = detector.model(**inputs)
        outputs.logits[:, :, [0, 2, 3]] = -20.0          # [CLS], "." and [SEP] are no class
        got = detector._grounded(outputs, inputs['input_ids'][0], 0.0, [(48, 64)] * 2)
        want = detector.processor.post_process_grounded_object_detection(
            outputs, inputs['input_ids'], threshold=0.0, target_sizes=[(48, 64)] * 2)
    for a, b in zip(got, want, strict=True):
        assert torch.allclose(a['boxes'], b['boxes'], atol=1e-4) and len(a['boxes']) == 6
        assert torch.allclose(a['scores'], b['scores']) and set(a['text_labels']) == {'cat'}
    detector = build(detector=grounding_dir, classes=['cat', 'red dog']).detector
    logits = torch.full((1, 2, 32), -9.0)   # [CLS] cat . red dog . [SEP]
    logits[0, 0, 4], logits[0, 0, 5], logits[0, 1, 1], logits[0, 1, 3] = 1.0, 4.0, 2.0, 1.0
    answer = SimpleNamespace(logits=logits, pred_boxes=torch.full((1, 2, 4), 0.5))
    row, = detector._grounded(answer, torch.tensor([101, 1030, 1012, 1031, 1032, 1012, 102]), 0.3,
                              [(48, 64)])
    assert row['text_labels'] == ['red dog', 'cat']
    assert torch.allclose(row['scores'], torch.tensor([1.0, 2.0]).sigmoid())
    assert row['boxes'][0].tolist() == [16, 12, 48, 36]


def test_more_classes_than_a_detector_reads_are_refused(grounding_dir):
    parser = build(detector=grounding_dir, classes=['cat', 'red dog'])
    tokens = torch.tensor([101, 1030, 1012, 1031, 102])              # the second one is cut off
    with pytest.raises(ValueError, match='2 classes do not fit into the 5 tokens'):
        parser.detector._grounded(SimpleNamespace(), tokens, 0.3, [])


def test_wrong_use_is_named(detr_dir, tmp_path):
    with pytest.raises(ValueError, match='fixed classes'):
        build(detector=detr_dir, classes=['cat'])
    with pytest.raises(CheckpointError, match='absent: no model can be read there'):
        build(detector=str(tmp_path / 'absent'))
    with pytest.raises(GraphError, match='vg50_predicates'):
        build(detector=detr_dir, predicates='vg51')
    for wrong in (dict(device='abacus'), dict(dtype='float33'), dict(dtype='int32')):
        with pytest.raises(ValueError, match=f'{next(iter(wrong))}='):
            build(detector=detr_dir, **wrong)
    parser = build(detector=detr_dir)
    (tmp_path / 'empty.mp4').write_bytes(b'')
    assert not parser.parse([str(tmp_path / 'empty.mp4')])[0].frames[0].nodes
    assert parser.num_unreadable == 1


def test_shipped_vocabulary_and_own_file(tmp_path):
    shipped = load_vocabulary('vg50_predicates')
    assert len(shipped) == len(set(shipped)) == 50 and 'in front of' in shipped
    (tmp_path / 'mine.txt').write_text('push\n\n pull \n')
    assert load_vocabulary(str(tmp_path / 'mine.txt')) == ['push', 'pull']
    with pytest.raises(GraphError, match='no phrase'):
        load_vocabulary([])

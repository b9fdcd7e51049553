"""Where STGT's weights come from: BLIP-2, and folders that it saved, old and new."""

import json

import pytest
import torch
import transformers

from finsta.models.backbones import CheckpointError, load_backbone
from finsta.models.backbones.saved import take_sizes
from finsta.models.backbones.tokenizers import load_tokenizer
from finsta.registry import BACKBONES
from tests.models.backbones.hosts import HOSTS, build
from tests.models.backbones.test_contract import TEXTS, frames

WORDS = len(load_tokenizer('tiny'))
SIZES = {k: v for k, v in HOSTS['STGT'].items() if k not in ('vision', 'text')}


@pytest.fixture
def blip2(tmp_path):
    """``blip2(words)``: folder of a random Blip2ForImageTextRetrieval, as transformers writes it,
    and the model."""
    def write(words=WORDS):
        model = transformers.Blip2ForImageTextRetrieval(transformers.Blip2Config(
            vision_config=dict(HOSTS['STGT']['vision'], initializer_range=0.1),
            qformer_config=dict(HOSTS['STGT']['text'], vocab_size=words, initializer_range=0.1,
                                encoder_hidden_size=24, use_qformer_text_input=True),
            num_query_tokens=4, image_text_hidden_size=16)).eval()
        torch.nn.init.normal_(model.query_tokens)
        model.save_pretrained(tmp_path / 'blip2')
        return tmp_path / 'blip2', model
    return write


@pytest.mark.parametrize('words', [WORDS, 500, 3000])
def test_blip2_of_any_vocabulary_starts_trains_and_is_saved(blip2, tmp_path, words):
    folder, original = blip2(words)
    host = BACKBONES.build({**SIZES, 'blip2_pretrained': str(folder)})
    shared = min(words, WORDS)
    own = host.embeddings.word_embeddings.weight
    assert own.shape == (WORDS, 32)
    assert torch.equal(own[:shared], original.embeddings.word_embeddings.weight[:shared])
    pixels = host.preprocess_frames(frames(2))
    losses = host.host_loss(host.encode_text(TEXTS[:2]), host.encode_video(pixels))
    assert {'loss_vtc', 'loss_vtm', 'loss_vtg'} <= set(losses)
    host.eval().save(tmp_path / 'saved')
    again = load_backbone(tmp_path / 'saved').eval()
    assert again.cfg == host.cfg
    assert again.tower_fingerprint() == host.tower_fingerprint()
    with torch.no_grad():
        for one, other in ((host.encode_text(TEXTS).text, again.encode_text(TEXTS).text),
                           (host.encode_video(pixels).video_queries,
                            again.encode_video(pixels).video_queries)):
            assert torch.equal(one, other)


@torch.no_grad()
def test_its_text_vectors_are_those_of_blip2(blip2):
    folder, original = blip2()
    host = BACKBONES.build({**SIZES, 'blip2_pretrained': str(folder)}).eval()
    tokens = host.tokenize(TEXTS)
    expected = original(pixel_values=torch.zeros(len(TEXTS), 3, 32, 32),
                        input_ids=tokens['input_ids'],
                        attention_mask=tokens['attention_mask'].long()).text_embeds
    torch.testing.assert_close(host.encode_text(TEXTS).text_pooled, expected.squeeze(1),
                               rtol=1e-4, atol=1e-5)


def _rewrite(folder, **parts):
    """Folder's config.json with these parts of the config."""
    path = folder / 'config.json'
    info = json.loads(path.read_text())
    info['config'].update(parts)
    path.write_text(json.dumps(info))


def test_what_transformers_notes_for_itself_is_neither_saved_nor_compared(blip2, tmp_path):
    folder, _ = blip2()
    host = BACKBONES.build({**SIZES, 'blip2_pretrained': str(folder)})
    saved = host.save(tmp_path / 'saved')
    text = (saved / 'config.json').read_text()
    for word in ('transformers_version', 'dtype', 'initializer_range', 'model_type'):
        assert word not in text
    # as earlier versions wrote it, under another release of transformers
    vision, qformer = host.vision.config.to_diff_dict(), host.qformer.config.to_diff_dict()
    _rewrite(saved, vision=dict(vision, transformers_version='5.99.0', dtype='bfloat16'),
             text=dict(qformer, transformers_version='5.99.0', initializer_range=0.5))
    for other in (load_backbone(saved), BACKBONES.build(HOSTS['STGT'])):
        other.load(saved)
        assert torch.equal(other.itm_head.weight, host.itm_head.weight)
        assert other.temp.dtype == torch.float32
        assert other.vision.embeddings.patch_embedding.weight.dtype == torch.float32


def test_a_setting_left_out_is_its_default(tmp_path):
    """Folders of earlier versions named what their config named, and no more."""
    host = build('STGT')
    saved = host.save(tmp_path / 'saved')
    spelt = dict(HOSTS['STGT']['text'], hidden_act='gelu', cross_attention_frequency=2)
    _rewrite(saved, vision=HOSTS['STGT']['vision'], text=HOSTS['STGT']['text'],
             adapter=dict(num_heads=2))
    BACKBONES.build({**HOSTS['STGT'], 'text': spelt,
                     'adapter': dict(num_heads=2, num_layers=1, position='sincos')}).load(saved)


@pytest.mark.parametrize(('change', 'named'), [
    (dict(vision=dict(HOSTS['STGT']['vision'], layer_norm_eps=1e-5)), r'vision\.layer_norm_eps'),
    (dict(text=dict(HOSTS['STGT']['text'], num_attention_heads=4)), r'text\.num_attention_heads'),
    (dict(adapter=dict(num_heads=4)), r'adapter\.num_heads: 2 in the file, 4 in the config'),
    (dict(adapter=dict(num_heads=2, position='table', grid=(4, 4))), r'adapter\.position'),
    (dict(stem='conv'), 'stem'),
])
def test_what_weights_depend_on_is_compared(tmp_path, change, named):
    saved = build('STGT').save(tmp_path / 'saved')
    with pytest.raises(CheckpointError, match=f'another backbone.*{named}'):
        BACKBONES.build({**HOSTS['STGT'], **change}).load(saved)


def test_bookkeeping_of_other_hosts_is_not_compared(tmp_path):
    source = build('CLIP4Clip-meanP')
    source.clip.save_pretrained(tmp_path / 'clip')
    source.tokenizer.save_pretrained(str(tmp_path / 'clip'))
    host = BACKBONES.build(dict(type='CLIP4Clip', pretrained=str(tmp_path / 'clip')))
    saved = host.save(tmp_path / 'saved')
    _rewrite(saved, vision=dict(host.cfg['vision'], transformers_version='5.99.0'))
    host.load(saved)


@pytest.mark.parametrize(('config', 'key'), [
    (dict(HOSTS['STGT'], tokenizer='no-one/words'), 'tokenizer'),
    (dict(SIZES, blip2_pretrained='no-one/blip2'), 'blip2_pretrained'),
    (dict(HOSTS['ALPRO'], tokenizer='no-one/words'), 'tokenizer'),
    (dict(HOSTS['ALPRO'], tokenizer=None, text_pretrained='no-one/bert'), 'text_pretrained'),
    (dict(HOSTS['ALPRO'], text_pretrained='no-one/bert'), 'text_pretrained'),
    (dict(HOSTS['ALPRO'], video_pretrained='no-one/timesformer'), 'video_pretrained'),
    (dict(type='CLIP4Clip', pretrained='no-one/clip'), 'pretrained'),
    (dict(type='CLIP4Clip', pretrained='no-one/clip', tokenizer='no-one/words'), 'tokenizer'),
    (dict(type='VideoLLaVA', pretrained='no-one/llava'), 'pretrained'),
    (dict(type='VideoLLaVA', pretrained='no-one/llava', tokenizer='tiny'), 'pretrained'),
])
def test_the_advice_for_a_machine_without_network_names_the_setting(config, key):
    with pytest.raises(FileNotFoundError, match=rf'--cfg-options model\.backbone\.{key}='):
        BACKBONES.build(config)


@pytest.mark.parametrize(('change', 'message'), [
    (dict(adapter=dict(num_heads=2, sim_threshold=0.5)),
     r"adapter must not hold \['sim_threshold'\].*model\.backbone\.sim_threshold"),
    (dict(vision=dict(HOSTS['STGT']['vision'], hidden_sise=24)), r"vision .*\['hidden_sise'\]"),
    (dict(text=dict(HOSTS['STGT']['text'], layers=2)), r"text .*\['layers'\]"),
])
def test_wrong_settings_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        BACKBONES.build({**HOSTS['STGT'], **change})


def test_a_saved_folder_takes_the_place_of_blip2(tmp_path):
    host = BACKBONES.build({**HOSTS['STGT'], 'adapter': dict(num_heads=2, position='table',
                                                            grid=(4, 4))})
    saved = host.save(tmp_path / 'saved')
    config = dict(SIZES, adapter=None, blip2_pretrained='no-one/blip2', tokenizer='no-one/words')
    take_sizes(config, saved)
    other = BACKBONES.build(config)
    other.load(saved)
    assert torch.equal(other.adapter.position_table, host.adapter.position_table)
    # what the config states is kept, and compared as ever
    config = dict(SIZES, blip2_pretrained='no-one/blip2')
    take_sizes(config, saved)
    with pytest.raises(CheckpointError, match=r'adapter\.position'):
        BACKBONES.build(config).load(saved)


def test_nothing_else_takes_the_place_of_blip2(tmp_path):
    config = dict(SIZES, blip2_pretrained='no-one/blip2')
    alpro = build('ALPRO').save(tmp_path / 'alpro')
    for source in (None, tmp_path, tmp_path / 'iter_10.pth', alpro):
        before = dict(config)
        take_sizes(config, source)
        assert config == before

"""Against transformers itself: outputs, and loading its folders."""

import pytest
import torch
import transformers

from finsta.models.backbones import CheckpointError, load_backbone
from finsta.models.backbones.timesformer import timesformer_forward
from finsta.registry import BACKBONES
from tests.models.backbones.hosts import FRAMES, HOSTS, SIZE, build
from tests.models.backbones.test_contract import TEXTS, frames


def _noise(module):
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)


@torch.no_grad()
def test_meanp_on_one_frame_is_clip():
    host = build('CLIP4Clip-meanP')
    _noise(host)
    pixels = host.preprocess_frames(frames(3, 1))
    tokens = host.tokenize(TEXTS)
    out = host.clip(input_ids=tokens['input_ids'], pixel_values=pixels[:, 0],
                    attention_mask=tokens['attention_mask'].long())
    scores = host.similarity(host.encode_text(TEXTS), host.encode_video(pixels))
    torch.testing.assert_close(scores * host.logit_scale(), out.logits_per_text,
                               rtol=1e-4, atol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize('number', [FRAMES, 2, 7])
def test_timesformer_equals_transformers_without_padding(number):
    config = transformers.TimesformerConfig(
        hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=2,
        image_size=SIZE, patch_size=8, num_frames=FRAMES)
    model = transformers.TimesformerModel(config).eval()
    _noise(model)
    clips = torch.randn(2, number, 3, SIZE, SIZE)
    config.num_frames = number  # its layers read the number of frames from here
    reference = model(clips).last_hidden_state
    mask = torch.ones(2, number, dtype=torch.bool)
    cls, tokens = timesformer_forward(model, clips, mask)
    torch.testing.assert_close(cls, reference[:, 0], rtol=1e-4, atol=1e-5)
    patches = reference[:, 1:].reshape(2, 16, number, 32).transpose(1, 2)
    torch.testing.assert_close(tokens, patches, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_split_bert_equals_transformers():
    host = build('ALPRO')
    _noise(host)
    tokens = host.tokenize(TEXTS)
    reference = host.text_encoder(input_ids=tokens['input_ids'],
                                  attention_mask=tokens['attention_mask'].long(),
                                  output_hidden_states=True)
    text = host.encode_text(TEXTS)
    mask = text.text_mask
    torch.testing.assert_close(text.text[mask], reference.hidden_states[1][mask],
                               rtol=1e-4, atol=1e-5)
    upper = host._bert(text.text, mask, host.fusion_layer, None)
    torch.testing.assert_close(upper[mask], reference.last_hidden_state[mask],
                               rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_video_llava_equals_transformers():
    host = build('VideoLLaVA')
    _noise(host)
    pixels = host.preprocess_frames(frames(1))
    text, video = host.encode_text(TEXTS[:1]), host.encode_video(pixels)
    scores = host.caption_log_likelihood(text, video)
    # transformers: the same sequence with placeholders, its own scatter, its own logits
    tokenizer, placeholder = host.tokenizer, host.tokenizer.convert_tokens_to_ids('<video>')
    model = host.vlm
    model.config.video_token_index = placeholder

    def words(value):
        return tokenizer(value, add_special_tokens=False)['input_ids']

    number = FRAMES * (1 + host.cells ** 2)
    prefix = [tokenizer.bos_token_id, *words('USER: '), *[placeholder] * number,
              *words('\nDescribe the video. ASSISTANT: ')]
    caption = text.text_ids[0, 1:].tolist()
    model.model.image_tower = None
    out = model(input_ids=torch.tensor([prefix + caption]), pixel_values_videos=pixels)
    logits = out.logits[0, len(prefix) - 1:-1].log_softmax(-1)
    expected = logits[torch.arange(len(caption)), torch.tensor(caption)]
    torch.testing.assert_close(scores[0], expected, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_generation_is_the_greedy_choice_of_the_scores():
    host = build('VideoLLaVA')
    _noise(host)
    pixels = host.preprocess_frames(frames(2))
    mask = torch.ones(2, FRAMES, dtype=torch.bool)
    mask[1, 2:] = False
    together = host.generate(['Describe the video.', 'What is it?'], pixels, mask,
                             max_new_tokens=3)
    alone = host.generate(['What is it?'], pixels[1:, :2], max_new_tokens=3)
    assert together[1] == alone[0] and len(together) == 2
    best = host.generate(['Describe the video.'], pixels[:1], max_new_tokens=1)[0]
    others = ['red', 'two', 'circle', 'moves']
    text = host.encode_text([best, *others])
    video = host.encode_video(pixels[:1]).select(torch.zeros(5, dtype=torch.long))
    first = host.caption_log_likelihood(text, video)[:, 0]
    assert text.text_mask[0].sum() == 3 and first.argmax() == 0


@torch.no_grad()
def test_lora_merges_into_plain_weights():
    host = build('VideoLLaVA-lora')
    for name, parameter in host.named_parameters():
        if 'lora_B' in name:
            parameter.normal_(std=0.1)
    before = host.encode_text(TEXTS).text_pooled
    host.hidden_layer = -1
    after_layers = host.encode_text(TEXTS).text_pooled
    host.merge_lora()
    torch.testing.assert_close(host.encode_text(TEXTS).text_pooled, after_layers,
                               rtol=1e-4, atol=1e-5)
    assert set(host.state_dict()) == set(build('VideoLLaVA').state_dict())
    assert not torch.allclose(before, after_layers)


@torch.no_grad()
def test_from_a_transformers_folder(tmp_path):
    source = build('CLIP4Clip-meanP')
    _noise(source)
    source.clip.save_pretrained(tmp_path)
    source.tokenizer.save_pretrained(str(tmp_path))
    loaded = BACKBONES.build(dict(type='CLIP4Clip', pretrained=str(tmp_path), num_frames=FRAMES))
    loaded.eval()
    pixels = source.preprocess_frames(frames())
    assert torch.equal(source.encode_video(pixels).video_pooled,
                       loaded.encode_video(pixels).video_pooled)
    assert torch.equal(source.encode_text(TEXTS).text_pooled,
                       loaded.encode_text(TEXTS).text_pooled)
    loaded.save(tmp_path / 'ours')
    again = load_backbone(tmp_path / 'ours').eval()
    assert torch.equal(again.encode_text(TEXTS).text, loaded.encode_text(TEXTS).text)


def test_a_transformers_folder_that_lacks_weights_fails(tmp_path):
    source = build('CLIP4Clip-meanP')
    state = source.clip.state_dict()
    state.pop('visual_projection.weight')
    source.clip.save_pretrained(tmp_path, state_dict=state)
    source.tokenizer.save_pretrained(str(tmp_path))
    cfg = dict(type='CLIP4Clip', pretrained=str(tmp_path))
    with pytest.raises(CheckpointError, match=r'missing: visual_projection\.weight'):
        BACKBONES.build(cfg)
    BACKBONES.build({**cfg, 'allow_missing': [r'visual_projection\.']})


@pytest.mark.parametrize(('name', 'change', 'message'), [
    ('CLIP4Clip', dict(temporal='mean'), 'temporal must be one of'),
    ('CLIP4Clip', dict(text=None), 'needs pretrained'),
    ('ALPRO', dict(fusion_layer=2), r'fusion_layer must lie in 1\.\.1'),
    ('ALPRO', dict(host_losses=('mlm',)), 'host_losses'),
    ('VideoLLaVA', dict(host_losses=('lm', 'itc')), 'embed_dim'),
    ('VideoLLaVA', dict(lora=dict(rank=4)), r"no entries \['rank'\]"),
])
def test_wrong_settings_are_named(name, change, message):
    with pytest.raises(ValueError, match=message):
        BACKBONES.build({**HOSTS[name], **change})

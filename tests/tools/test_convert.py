"""Released names and layouts, written down as a state dict; an independent forward in plain
torch from the same facts; and the converted backbone, which must agree with it."""

import importlib.util
import re

import pytest
import torch
from torch.nn import functional as F

from finsta.models.backbones import CheckpointError, load_backbone
from finsta.models.backbones.convert import Rule, rename
from tests.models.backbones.hosts import build

WIDTH, HEADS, PATCH, CELLS, VOCAB, FRAMES = 128, 2, 8, 2, 2207, 3
TEXTS = ['the red circle moves', 'a zebra']


@pytest.fixture
def tool(repo_root):
    def load(name):
        spec = importlib.util.spec_from_file_location(name, repo_root / f'tools/convert/{name}.py')
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    return load


def _fill(shapes, seed=0):
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for key, shape in shapes.items():
        value = torch.randn(shape, generator=generator) * (0.5 * WIDTH ** -0.5)
        is_norm = key.endswith('.weight') and ('ln_' in key or 'norm' in key.lower())
        state[key] = value + 1 if is_norm else value
    return state


def _clip_block(prefix):
    c = WIDTH
    return {f'{prefix}.attn.in_proj_weight': (3 * c, c), f'{prefix}.attn.in_proj_bias': (3 * c,),
            f'{prefix}.attn.out_proj.weight': (c, c), f'{prefix}.attn.out_proj.bias': (c,),
            f'{prefix}.ln_1.weight': (c,), f'{prefix}.ln_1.bias': (c,),
            f'{prefix}.mlp.c_fc.weight': (4 * c, c), f'{prefix}.mlp.c_fc.bias': (4 * c,),
            f'{prefix}.mlp.c_proj.weight': (c, 4 * c), f'{prefix}.mlp.c_proj.bias': (c,),
            f'{prefix}.ln_2.weight': (c,), f'{prefix}.ln_2.bias': (c,)}


def _clip4clip_state():
    c = WIDTH
    shapes = {
        'clip.positional_embedding': (24, c), 'clip.text_projection': (c, c),
        'clip.visual.class_embedding': (c,),
        'clip.visual.positional_embedding': (CELLS ** 2 + 1, c), 'clip.visual.proj': (c, c),
        'clip.visual.conv1.weight': (c, 3, PATCH, PATCH),
        'clip.token_embedding.weight': (VOCAB, c), 'frame_position_embeddings.weight': (10, c)}
    for norm in ('visual.ln_pre', 'visual.ln_post', 'ln_final'):
        shapes |= {f'clip.{norm}.weight': (c,), f'clip.{norm}.bias': (c,)}
    for i in range(2):
        shapes |= _clip_block(f'clip.visual.transformer.resblocks.{i}')
        shapes |= _clip_block(f'clip.transformer.resblocks.{i}')
    shapes |= _clip_block('transformerClip.resblocks.0')
    state = _fill(shapes)
    state['clip.logit_scale'] = torch.tensor(3.0)
    return state


def _attention(q, k, v, heads, mask=None):
    def split(x):
        return x.unflatten(-1, (heads, -1)).transpose(-2, -3)
    q, k, v = split(q), split(k), split(v)
    scores = q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5
    if mask is not None:
        scores = scores + mask
    return (scores.softmax(-1) @ v).transpose(-2, -3).flatten(-2)


def _linear(x, state, name):
    return x @ state[name + '.weight'].T + state[name + '.bias']


def _norm(x, state, name, eps):
    return F.layer_norm(x, x.shape[-1:], state[name + '.weight'], state[name + '.bias'], eps)


def _clip_transformer(x, state, prefix, layers, mask=None):
    for i in range(layers):
        p = f'{prefix}.resblocks.{i}.'
        y = _norm(x, state, p + 'ln_1', 1e-5)
        qkv = y @ state[p + 'attn.in_proj_weight'].T + state[p + 'attn.in_proj_bias']
        x = x + _linear(_attention(*qkv.chunk(3, -1), HEADS, mask), state, p + 'attn.out_proj')
        y = _linear(_norm(x, state, p + 'ln_2', 1e-5), state, p + 'mlp.c_fc')
        x = x + _linear(y * torch.sigmoid(1.702 * y), state, p + 'mlp.c_proj')
    return x


def _clip4clip_reference(state, ids, ends, frames):
    """Unit text and video vectors of CLIP4Clip seqTransf."""
    b, f = frames.shape[:2]
    x = F.conv2d(frames.flatten(0, 1), state['clip.visual.conv1.weight'], stride=PATCH)
    x = x.flatten(2).transpose(1, 2)
    cls = state['clip.visual.class_embedding'].expand(len(x), 1, -1)
    x = torch.cat([cls, x], 1) + state['clip.visual.positional_embedding']
    x = _norm(x, state, 'clip.visual.ln_pre', 1e-5)
    x = _clip_transformer(x, state, 'clip.visual.transformer', 2)
    x = _norm(x[:, 0], state, 'clip.visual.ln_post', 1e-5) @ state['clip.visual.proj']
    z = x.view(b, f, -1)
    positions = state['frame_position_embeddings.weight'][:f]
    z = z + _clip_transformer(z + positions, state, 'transformerClip', 1)
    video = F.normalize(F.normalize(z, dim=-1).mean(1), dim=-1)
    length = ids.shape[1]
    t = state['clip.token_embedding.weight'][ids] + state['clip.positional_embedding'][:length]
    causal = torch.full((length, length), -torch.inf).triu(1)
    t = _clip_transformer(t, state, 'clip.transformer', 2, causal)
    t = _norm(t, state, 'clip.ln_final', 1e-5)[torch.arange(len(t)), ends]
    return F.normalize(t @ state['clip.text_projection'], dim=-1), video


@torch.no_grad()
def test_clip4clip_agrees_with_the_reference(tool, tmp_path):
    state = _clip4clip_state()
    torch.save({f'module.{k}': v for k, v in state.items()}, tmp_path / 'pytorch_model.bin')
    tool('clip_to_finsta').main([str(tmp_path / 'pytorch_model.bin'), str(tmp_path / 'out'),
                                 '--tokenizer', 'tiny'])
    host = load_backbone(tmp_path / 'out').eval()
    frames = torch.randn(2, FRAMES, 3, PATCH * CELLS, PATCH * CELLS)
    ids = host.tokenize(TEXTS)['input_ids']
    # with eos_token_id 2 transformers pools at the largest id, as the original does
    text, video = _clip4clip_reference(state, ids, ids.argmax(1), frames)
    torch.testing.assert_close(host.encode_video(frames).video_pooled, video, rtol=1e-4,
                               atol=1e-5)
    torch.testing.assert_close(host.encode_text(TEXTS).text_pooled, text, rtol=1e-4, atol=1e-5)
    assert host.temporal == 'seqTransf' and host.logit_scale() == pytest.approx(20.0855, rel=1e-4)


@torch.no_grad()
def test_plain_clip_names_in_half_precision(tool, tmp_path):
    state = {k.removeprefix('clip.'): v.half() for k, v in _clip4clip_state().items()
             if k.startswith('clip.')}
    torch.save(state, tmp_path / 'clip.pt')
    tool('clip_to_finsta').main([str(tmp_path / 'clip.pt'), str(tmp_path / 'out'),
                                 '--tokenizer', 'tiny'])
    host = load_backbone(tmp_path / 'out')
    assert host.temporal == 'meanP' and host.clip.logit_scale.dtype == torch.float32
    assert torch.equal(host.clip.visual_projection.weight, state['visual.proj'].float().T)


def _alpro_state():
    c = WIDTH
    def linear(name, out, inp=c):
        return {f'{name}.weight': (out, inp), f'{name}.bias': (out,)}
    def norm(name):
        return {f'{name}.weight': (c,), f'{name}.bias': (c,)}
    v, t = 'visual_encoder.model.', 'text_encoder.bert.'
    shapes = {v + 'cls_token': (1, 1, c), v + 'pos_embed': (1, CELLS ** 2 + 1, c),
              v + 'time_embed': (1, FRAMES, c), v + 'patch_embed.proj.bias': (c,),
              v + 'patch_embed.proj.weight': (c, 3, PATCH, PATCH),
              t + 'embeddings.word_embeddings.weight': (VOCAB, c),
              t + 'embeddings.position_embeddings.weight': (32, c),
              t + 'embeddings.token_type_embeddings.weight': (2, c), **norm(v + 'norm'),
              **norm(t + 'embeddings.LayerNorm'), **linear('vision_proj', 24),
              **linear('text_proj', 24), **linear('itm_head', 2), **linear(t + 'pooler.dense', c),
              **linear('text_encoder.cls.predictions.decoder', VOCAB)}
    for i in range(2):
        p = f'{v}blocks.{i}.'
        shapes |= {**norm(p + 'norm1'), **norm(p + 'norm2'), **norm(p + 'temporal_norm1'),
                   **linear(p + 'attn.qkv', 3 * c), **linear(p + 'attn.proj', c),
                   **linear(p + 'temporal_attn.qkv', 3 * c), **linear(p + 'temporal_attn.proj', c),
                   **linear(p + 'temporal_fc', c), **linear(p + 'mlp.fc1', 4 * c),
                   **linear(p + 'mlp.fc2', c, 4 * c)}
        p = f'{t}encoder.layer.{i}.'
        shapes |= {**linear(p + 'attention.self.query', c), **linear(p + 'attention.self.key', c),
                   **linear(p + 'attention.self.value', c),
                   **linear(p + 'attention.output.dense', c),
                   **norm(p + 'attention.output.LayerNorm'),
                   **linear(p + 'intermediate.dense', 4 * c), **norm(p + 'output.LayerNorm'),
                   **linear(p + 'output.dense', c, 4 * c)}
    state = _fill(shapes, 1)
    state['temp'] = torch.tensor(0.07)
    return state


def _alpro_block(x, state, p):
    """x (B, 1 + N * T, C), patch-major, time-minor."""
    b, _, c = x.shape
    n, t = CELLS ** 2, FRAMES
    def attend(y, name):
        return _linear(_attention(*_linear(y, state, f'{p}{name}.qkv').chunk(3, -1), HEADS), state,
                       f'{p}{name}.proj')
    y = x[:, 1:].reshape(b * n, t, c)
    y = attend(_norm(y, state, p + 'temporal_norm1', 1e-6), 'temporal_attn')
    patches = x[:, 1:] + _linear(y.reshape(b, n * t, c), state, p + 'temporal_fc')
    frames = patches.view(b, n, t, c).transpose(1, 2).reshape(b * t, n, c)
    cls = x[:, :1].repeat(1, t, 1).reshape(b * t, 1, c)
    y = attend(_norm(torch.cat([cls, frames], 1), state, p + 'norm1', 1e-6), 'attn')
    cls_out = y[:, 0].view(b, t, c).mean(1, keepdim=True)
    y = y[:, 1:].reshape(b, t, n, c).transpose(1, 2).reshape(b, n * t, c)
    x = torch.cat([x[:, :1], patches], 1) + torch.cat([cls_out, y], 1)
    y = F.gelu(_linear(_norm(x, state, p + 'norm2', 1e-6), state, p + 'mlp.fc1'))
    return x + _linear(y, state, p + 'mlp.fc2')


def _bert_layer(x, state, p, mask):
    q, k, v = (_linear(x, state, f'{p}attention.self.{n}') for n in ('query', 'key', 'value'))
    y = _linear(_attention(q, k, v, HEADS, mask), state, p + 'attention.output.dense')
    x = _norm(x + y, state, p + 'attention.output.LayerNorm', 1e-12)
    y = _linear(F.gelu(_linear(x, state, p + 'intermediate.dense')), state, p + 'output.dense')
    return _norm(x + y, state, p + 'output.LayerNorm', 1e-12)


def _alpro_reference(state, ids, mask, frames):
    """Text vector, video vector, match logits of ALPRO."""
    b, t = frames.shape[:2]
    v, p = 'visual_encoder.model.', 'text_encoder.bert.'
    x = F.conv2d(frames.flatten(0, 1), state[v + 'patch_embed.proj.weight'],
                 state[v + 'patch_embed.proj.bias'], stride=PATCH).flatten(2).transpose(1, 2)
    x = x + state[v + 'pos_embed'][:, 1:]
    x = x.view(b, t, CELLS ** 2, WIDTH).transpose(1, 2) + state[v + 'time_embed'][:, None]
    cls = (state[v + 'cls_token'] + state[v + 'pos_embed'][:, :1]).expand(b, -1, -1)
    x = torch.cat([cls, x.reshape(b, -1, WIDTH)], 1)
    for i in range(2):
        x = _alpro_block(x, state, f'{v}blocks.{i}.')
    x = _norm(x, state, v + 'norm', 1e-6)
    image = torch.cat([x[:, :1], x[:, 1:].view(b, CELLS ** 2, t, WIDTH).mean(2)], 1)
    y = (state[p + 'embeddings.word_embeddings.weight'][ids]
         + state[p + 'embeddings.position_embeddings.weight'][:ids.shape[1]]
         + state[p + 'embeddings.token_type_embeddings.weight'][0])
    y = _norm(y, state, p + 'embeddings.LayerNorm', 1e-12)
    bias = torch.zeros(mask.shape).masked_fill(~mask, -torch.inf)
    y = _bert_layer(y, state, p + 'encoder.layer.0.', bias[:, None, None])
    bias = torch.cat([bias, torch.zeros(b, image.shape[1])], 1)[:, None, None]
    fused = _bert_layer(torch.cat([y, image], 1), state, p + 'encoder.layer.1.', bias)
    return (F.normalize(_linear(y[:, 0], state, 'text_proj'), dim=-1),
            F.normalize(_linear(image[:, 0], state, 'vision_proj'), dim=-1),
            _linear(fused[:, 0], state, 'itm_head'))


@torch.no_grad()
def test_alpro_agrees_with_the_reference(tool, tmp_path):
    state = _alpro_state()
    torch.save({'model': state}, tmp_path / 'alpro.pt')
    tool('alpro_to_finsta').main([str(tmp_path / 'alpro.pt'), str(tmp_path / 'out'),
                                  '--tokenizer', 'tiny'])
    host = load_backbone(tmp_path / 'out').eval()
    frames = torch.randn(2, FRAMES, 3, PATCH * CELLS, PATCH * CELLS)
    tokens = host.tokenize(TEXTS)
    expected = _alpro_reference(state, tokens['input_ids'], tokens['attention_mask'], frames)
    text, video = host.encode_text(TEXTS), host.encode_video(frames)
    found = text.text_pooled, video.video_pooled, host.match_logits(text, video)
    for value, reference in zip(found, expected, strict=True):
        torch.testing.assert_close(value, reference, rtol=1e-4, atol=1e-5)


def refused(main, command, capsys):
    """What a converter says that ends with exit code 2."""
    with pytest.raises(SystemExit) as end:
        main(command)
    assert end.value.code == 2
    return capsys.readouterr().err


def test_keys_that_do_not_fit_fail_by_default(tool, tmp_path, capsys):
    state = _clip4clip_state()
    state['cross.pooler.weight'] = torch.zeros(2)
    del state['clip.visual.ln_post.bias']
    path = tmp_path / 'odd.bin'
    torch.save(state, path)
    clip = tool('clip_to_finsta')
    command = [str(path), str(tmp_path / 'out'), '--tokenizer', 'tiny']
    assert re.search(r'post_layernorm\.bias.*cross\.pooler\.weight',
                     refused(clip.main, command, capsys))
    with pytest.raises(CheckpointError):
        clip.main([*command, '--debug'])
    assert not (tmp_path / 'out').exists()
    clip.main([*command, '--allow-unexpected', r'cross\.', '--allow-missing',
               r'clip\.vision_model\.post_layernorm\.bias'])
    state['clip.ln_final.weight'] = torch.zeros(3)
    torch.save(state, path)
    assert 'out holds something already' in refused(clip.main, command, capsys)
    command.append('--overwrite')
    said = refused(clip.main, [*command, '--allow-unexpected', '.*', '--allow-missing', '.*'],
                   capsys)
    assert re.search(r'1 mismatched: .*final_layer_norm\.weight', said)
    assert 'no checkpoint of ALPRO' in refused(tool('alpro_to_finsta').main, command, capsys)


def test_rules_that_collide_are_refused():
    state = {'a': torch.ones(3), 'b': torch.ones(3)}
    with pytest.raises(CheckpointError, match='b becomes x'):
        rename(state, [Rule('[ab]', 'x')])
    with pytest.raises(CheckpointError, match='1 tensors for 2 names'):
        rename(state, [Rule('[ab]', ('x', 'y'))])


@torch.no_grad()
def test_merged_adapters_leave_the_plain_model(tool, tmp_path, capsys):
    host = build('VideoLLaVA-lora').eval()
    for name, parameter in host.named_parameters():
        if 'lora_B' in name:
            parameter.normal_(std=0.1)
    host.save(tmp_path / 'lora')
    convert = tool('merge_lora').main
    convert([str(tmp_path / 'lora'), str(tmp_path / 'merged')])
    merged, plain = load_backbone(tmp_path / 'merged').eval(), build('VideoLLaVA').eval()
    for one in (host, merged, plain):
        one.hidden_layer = -1   # behind the layers that are adapted
    found = merged.encode_text(TEXTS).text
    torch.testing.assert_close(found, host.encode_text(TEXTS).text, rtol=1e-4, atol=1e-5)
    layers = [m for n, m in host.named_modules() if n.endswith('lora_B.default')]
    for layer in layers:
        layer.weight.zero_()
    assert layers and not torch.allclose(found, host.encode_text(TEXTS).text, atol=1e-3)
    assert set(merged.state_dict()) == set(plain.state_dict())
    with pytest.raises(SystemExit):
        convert([str(tmp_path / 'merged'), str(tmp_path / 'again')])
    assert 'no LoRA adapters' in capsys.readouterr().err

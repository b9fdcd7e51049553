"""STGT's converter: every name of the released checkpoint at full size, on the meta device, and a
small checkpoint converted for real."""

import json
import runpy
from pathlib import Path

import pytest
import torch

from finsta.models.backbones.checkpoint import CheckpointError, compare, load_backbone
from finsta.models.backbones.convert import rename
from finsta.models.backbones.tokenizers import load_tokenizer
from finsta.registry import BACKBONES
from tests.small_msvd import make_msvd

TOOL = Path(__file__).resolve().parents[2] / 'tools' / 'convert' / 'stgt_to_finsta.py'


def released(width: int, hidden: int, vision_layers: int, layers: int, graph_layers: int,
             mlp: int, inner: int, vocab: int, cells: int, patch: int, queries: int, embed: int,
             frames: int, positions: int) -> dict[str, torch.Size]:
    """Names and shapes as the released evaluation code saves them."""
    shapes: dict[str, tuple[int, ...]] = {}

    def linear(name: str, rows: int, columns: int, bias: bool = True) -> None:
        shapes[f'{name}.weight'] = (rows, columns)
        if bias:
            shapes[f'{name}.bias'] = (rows,)

    def norm(name: str, size: int) -> None:
        shapes[f'{name}.weight'] = shapes[f'{name}.bias'] = (size,)

    def clip_block(name: str) -> None:
        shapes[f'{name}attn.in_proj_weight'] = (3 * width, width)
        shapes[f'{name}attn.in_proj_bias'] = (3 * width,)
        linear(f'{name}attn.out_proj', width, width)
        norm(f'{name}ln_1', width)
        linear(f'{name}mlp.c_fc', 4 * width, width)
        linear(f'{name}mlp.c_proj', width, 4 * width)
        norm(f'{name}ln_2', width)

    v = 'visual_encoder.'
    shapes[v + 'cls_token'] = (1, 1, width)
    shapes[v + 'pos_embed'] = (1, cells + 1, width)
    shapes[v + 'patch_embed.proj.weight'] = (width, 3, patch, patch)
    shapes[v + 'patch_embed.proj.bias'] = (width,)
    for i in range(vision_layers):
        block = f'{v}blocks.{i}.'
        norm(block + 'norm1', width)
        norm(block + 'norm2', width)
        linear(block + 'attn.qkv', 3 * width, width, bias=False)
        shapes[block + 'attn.q_bias'] = shapes[block + 'attn.v_bias'] = (width,)
        linear(block + 'attn.proj', width, width)
        linear(block + 'mlp.fc1', mlp, width)
        linear(block + 'mlp.fc2', width, mlp)
    norm('ln_vision', width)
    g = 'graph_cross_model.'
    shapes[g + 'time_embed'] = (frames, width)
    shapes[g + 'pos_2D_embed'] = (cells + 1, width)
    shapes[g + 'proj'] = (width, width)
    norm(g + 'ln_post', width)
    for i in range(graph_layers):
        block = f'{g}resblocks.{i}.'
        linear(block + 'proj_fc', width, width)
        for letter in 'QKVO':
            linear(f'{block}graphattn.W_{letter}', width, width)
        clip_block(block + 'message_attn.')
        clip_block(block)
    shapes['query_tokens'] = (1, queries, hidden)
    bert = 'Qformer.bert.'
    shapes[bert + 'embeddings.position_ids'] = (1, positions)
    shapes[bert + 'embeddings.word_embeddings.weight'] = (vocab, hidden)
    shapes[bert + 'embeddings.position_embeddings.weight'] = (positions, hidden)
    norm(bert + 'embeddings.LayerNorm', hidden)
    for i in range(layers):
        layer = f'{bert}encoder.layer.{i}.'
        for part, source in (('attention', hidden), ('crossattention', width)):
            if part == 'crossattention' and i % 2:
                continue
            linear(f'{layer}{part}.self.query', hidden, hidden)
            linear(f'{layer}{part}.self.key', hidden, source)
            linear(f'{layer}{part}.self.value', hidden, source)
            linear(f'{layer}{part}.output.dense', hidden, hidden)
            norm(f'{layer}{part}.output.LayerNorm', hidden)
        for end in ('', '_query'):
            linear(f'{layer}intermediate{end}.dense', inner, hidden)
            linear(f'{layer}output{end}.dense', hidden, inner)
            norm(f'{layer}output{end}.LayerNorm', hidden)
    head = 'Qformer.cls.predictions.'
    linear(head + 'transform.dense', hidden, hidden)
    norm(head + 'transform.LayerNorm', hidden)
    shapes[head + 'bias'] = shapes[head + 'decoder.bias'] = (vocab,)
    shapes[head + 'decoder.weight'] = (vocab, hidden)
    linear('vision_proj', embed, hidden)
    linear('text_proj', embed, hidden)
    linear('itm_head', 2, hidden)
    shapes['temp'] = ()
    return shapes


@pytest.fixture(scope='module')
def tool():
    return runpy.run_path(str(TOOL))


def test_every_released_name_has_its_place_at_full_size(tool):
    shapes = released(1408, 768, 39, 12, 1, 6144, 3072, 30523, 256, 14, 32, 256, 8, 512)
    with torch.device('meta'):
        state = tool['join_biases']({k: torch.empty(s) for k, s in shapes.items()})
        # the tokeniser is only read for its beginning-of-text token
        model = BACKBONES.build(tool['infer'](state, 'tiny'))
        renamed, dropped, unknown = rename(state, tool['RULES'])
    assert not unknown and len(dropped) == 3
    report = compare(model.state_dict(), renamed)
    assert not report, report.text()
    assert 1.1e9 < sum(p.numel() for p in model.parameters()) < 1.3e9


SMALL = (88, 64, 2, 2, 1, 32, 48, 100, 4, 8, 3, 16, 4, 32)


def test_a_small_checkpoint_is_converted(tool, tmp_path):
    torch.manual_seed(0)
    shapes = released(*SMALL)
    state = {k: torch.randn(s) * 0.1 for k, s in shapes.items()}
    state['Qformer.bert.embeddings.position_ids'] = torch.arange(32)[None]
    state['temp'] = torch.tensor(0.05)
    torch.save({'model': state}, tmp_path / 'released.pth')
    command = [str(tmp_path / 'released.pth'), str(tmp_path / 'out'), '--tokenizer', 'tiny']
    tool['main'](command)
    model = load_backbone(tmp_path / 'out').eval()
    own = model.state_dict()
    bias = own['vision.encoder.layers.1.self_attn.qkv.bias']
    block = 'visual_encoder.blocks.1.attn.'
    assert torch.equal(bias, torch.cat([state[block + 'q_bias'], torch.zeros(88),
                                        state[block + 'v_bias']]))
    assert torch.equal(own['adapter.proj.weight'], state['graph_cross_model.proj'].T)
    assert torch.equal(own['adapter.position_table'], state['graph_cross_model.pos_2D_embed'])
    with torch.no_grad():
        video = model.encode_video(torch.randn(1, 4, 3, 16, 16))
    assert video.video_queries.shape == (1, 3, 16) and torch.isfinite(video.video_queries).all()
    del state[block + 'v_bias']
    torch.save(state, tmp_path / 'released.pth')
    with pytest.raises(CheckpointError, match=r'q_bias stands without .*v_bias'):
        tool['main']([*command, '--overwrite', '--debug'])


# num_queries, embed_dim and the data's size; vision, text, adapter and tokeniser are the folder's
FEW = [*(f'model.backbone.{key}' for key in ('num_queries=3', 'embed_dim=16', 'num_frames=4')),
       *(f'{loader}_dataloader.{key}' for loader in ('train', 'val', 'test')
         for key in ('num_workers=0', 'persistent_workers=False', 'batch_size=2'))]


@pytest.fixture
def converted(tool, tmp_path):
    """A random checkpoint with the released names and a stored position table, converted; MSVD
    beside it."""
    make_msvd(tmp_path / 'data' / 'msvd')
    words = len(load_tokenizer('tiny'))
    shapes = released(88, 64, 1, 2, 1, 32, 48, words, 4, 8, 3, 16, 4, 32)
    state = {k: torch.randn(s) * 0.1 for k, s in shapes.items()}
    state['Qformer.bert.embeddings.position_ids'] = torch.arange(32)[None]
    torch.save({'model': state}, tmp_path / 'released.pth')
    tool['main']([str(tmp_path / 'released.pth'), str(tmp_path / 'checkpoints/stgt'),
                  '--tokenizer', 'tiny'])
    return 'checkpoints/stgt'


def test_the_converted_folder_is_tested_with_the_shipped_config(converted, tool_in, tmp_path):
    """Without BLIP-2: the suite has no network."""
    done = tool_in(tmp_path)(
        'test.py', 'configs/stgt/retrieval_msvd.py', converted, '--dump', 'out.json',
        '--cfg-options', *FEW)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    metrics = json.loads((tmp_path / 'out.json').read_text())
    assert {'retrieval/t2v_R1', 'rerank/t2v_R1'} <= set(metrics)


@pytest.mark.slow
def test_fine_tuning_begins_at_the_converted_folder(converted, tool_in, tmp_path):
    run = tool_in(tmp_path)
    few = [*FEW, 'train_cfg.max_iters=1', 'train_cfg.val_interval=1']
    done = run('train.py', 'configs/stgt/retrieval_msvd.py', '--work-dir', 'run', '--no-validate',
               '--cfg-options', *few, f'load_from={converted}')
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    assert 'tensors loaded from checkpoints/stgt' in done.stdout + done.stderr
    # the written config has the sizes that the weights need: BLIP-2 is not read here either
    done = run('test.py', 'run/retrieval_msvd.py', 'run/iter_1.pth', '--dump', 'out.json')
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]

"""Post-training with Finsta and question answering on a SynthVL twin, a few iterations each, as a
user calls them, for ALPRO and Video-LLaVA; CLIP4Clip and STGT have files of their own."""

import json
from pathlib import Path

import pytest

from finsta.models.backbones.checkpoint import load_backbone
from finsta.registry import BACKBONES

REPO = Path(__file__).resolve().parents[2]
FEW = ['train_cfg.max_iters=3', 'train_dataloader.batch_size=4', 'train_dataloader.num_workers=0',
       'train_dataloader.persistent_workers=False']
SIZES = dict(
    type='VideoLLaVA', tokenizer='tiny',
    text=dict(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
              num_key_value_heads=4, max_position_embeddings=512),
    vision=dict(hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=4,
                image_size=48, patch_size=12, hidden_act='gelu'),
    vision_feature_layer=-1, embed_dim=32, host_losses=('lm', 'itc'), stem='conv', num_frames=8,
    max_text_length=64)


def run(tool, *args):
    done = tool(*args)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize('name,streams', [('alpro', ('text', 'video', 'cross')),
                                          ('videollava', ('text', 'video', 'cross'))])
def test_posttraining_then_questions(tool, tmp_path, name, streams):
    run(tool, 'datasets/make_synthvl.py', '--layout', 'msvd', '--num-train', 6, '--num-val', 1,
        '--num-test', 3, '--pairs', 1, '--workers', 1, '--out', 'data/synthvl/msvd', '--quiet')
    data = 'data/synthvl/msvd'
    for tool_name in ('parse_text.py', 'parse_video.py'):
        run(tool, f'scene_graphs/{tool_name}', '--gold', data, '--out', f'{data}/graphs')
    start = 'alpro_tiny'
    if name == 'videollava':
        start = str(BACKBONES.build(SIZES).save(tmp_path / 'start'))
    configs = REPO / 'configs' / 'synthvl'
    log = run(tool, 'train.py', configs / f'posttrain_msvd_{name}.py', '--work-dir', 'post',
              '--no-validate', '--cfg-options', *FEW, f'model.backbone.pretrained={start}',
              'custom_hooks.0.warmup_iters=1', 'default_hooks.logger.interval=1')
    assert all(f'loss_pooled_{stream}' in log for stream in streams)
    assert 'loss_choice_itc' in log and 'loss_reversal_itc' in log
    before = load_backbone(tmp_path / 'start' if name == 'videollava'
                           else REPO / 'finsta/weights/alpro_tiny').state_dict()
    after = load_backbone(tmp_path / 'post/backbone').state_dict()
    assert list(before) == list(after)
    assert any((before[k] != after[k]).any() for k in before)
    run(tool, 'train.py', configs / f'videoqa_msvd_{name}.py', '--work-dir', 'qa',
        '--no-validate', '--cfg-options', *FEW, 'model.backbone.pretrained=post/backbone')
    run(tool, 'test.py', configs / f'videoqa_msvd_{name}.py', 'qa/iter_3.pth', '--dump', 'q.json',
        '--cfg-options', 'model.backbone.pretrained=post/backbone')
    run(tool, 'test.py', configs / f'videoqa_msvd_{name}.py', '--zero-shot', '--dump', 'z.json',
        '--cfg-options', 'model.backbone.pretrained=post/backbone')
    for file in ('q.json', 'z.json'):
        assert 0 <= json.loads((tmp_path / file).read_text())['qa/acc'] <= 100

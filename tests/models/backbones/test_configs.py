import inspect
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from finsta.registry import BACKBONES

TINY = {'clip4clip_tiny': 1_355_225, 'alpro_tiny': 999_835, 'video_llava_tiny': 939_577,
        'stgt_tiny': 1_124_250}
FULL = ('clip4clip_vit-b32', 'clip4clip_seqtransf_vit-b32', 'alpro', 'video_llava_7b', 'stgt')
STGT = sorted(path.stem for path in (Path(__file__).parents[3] / 'configs/stgt').glob('*.py'))


def _config(repo_root, name):
    config = Config.fromfile(repo_root / f'configs/_base_/backbones/{name}.py')
    # sizes to lay over a real config, without its type
    return config.model.backbone if 'model' in config else dict(config.stgt_tiny, type='STGT')


@pytest.mark.parametrize('name', sorted(TINY))
def test_tiny_sizes_are_the_documented_ones(name, repo_root):
    backbone = BACKBONES.build(_config(repo_root, name))
    assert sum(p.numel() for p in backbone.parameters()) == TINY[name]
    page = (repo_root / 'docs/en/design/backbones.md').read_text(encoding='utf-8')
    assert f'| {name} | {TINY[name]:,} |' in page


def test_the_tiny_stgt_tells_texts_and_videos_apart_before_it_has_learnt(repo_root):
    """With BERT's initial scale all cosines were above 0.999, and VTC stayed at ln B."""
    sizes = Config.fromfile(repo_root / 'configs/_base_/backbones/stgt_tiny.py').stgt_tiny
    backbone = BACKBONES.build(dict(sizes, type='STGT'))
    frames = torch.zeros(4, 8, 3, 48, 48, dtype=torch.uint8)
    for i in range(4):
        frames[i, :, i % 3, 8 * i:8 * i + 16, 8:24] = 255
    texts = ['a red circle moves left', 'two blue squares grow', 'the green star rotates slowly',
             'a yellow triangle is above a circle']
    with torch.no_grad():
        text = backbone.encode_text(texts).text_pooled
        video = backbone.encode_video(backbone.preprocess_frames(frames)).video_queries[:, 0]
    off = ~torch.eye(4, dtype=torch.bool)
    assert (text @ text.T)[off].mean() < 0.98
    assert (video @ video.T)[off].mean() < 0.98


@pytest.mark.parametrize('name', FULL)
def test_full_sizes_name_settings_that_exist(name, repo_root):
    cfg = _config(repo_root, name)
    cls = BACKBONES.get(cfg.pop('type'))
    assert set(cfg) <= set(inspect.signature(cls.__init__).parameters)


@pytest.mark.parametrize('name', STGT)
def test_every_config_of_stgt_builds_at_full_size(name, repo_root):
    """On the meta device, the sizes of BLIP-2's weights being the classes' defaults."""
    cfg = Config.fromfile(repo_root / f'configs/stgt/{name}.py').model.backbone
    assert cfg.pop('blip2_pretrained') == 'Salesforce/blip2-itm-vit-g'
    # the released tokeniser's size, without the tokeniser
    assert cfg.pop('tokenizer') == 'bert-base-uncased'
    cfg.update(tokenizer='tiny', text=dict(vocab_size=30523))
    with torch.device('meta'):
        backbone = BACKBONES.build(cfg)
    assert sum(p.numel() for p in backbone.parameters()) == 1_232_186_558
    assert len(backbone.losses) == 3 and backbone.freeze_vision
    stage2 = any(loss.name == 'csal' for loss in backbone.losses)
    assert stage2 == (name == 'pretrain_stage2' or name.startswith('retrieval'))


@pytest.mark.parametrize('task', ['retrieval', 'videoqa'])
@pytest.mark.parametrize(('data', 'epochs', 'rows'), [
    ('msvd', 12, dict(retrieval=48_774, videoqa=30_933)),
    ('msrvtt', 9, dict(retrieval=180_000, videoqa=158_581))])
def test_stgt_is_fine_tuned_as_published(task, data, epochs, rows, repo_root):
    """8 frames, 20 a step, 9 epochs (MSVD 12), half precision, 2.5e-5 to 1e-6 along a cosine."""
    cfg = Config.fromfile(repo_root / f'configs/stgt/{task}_{data}.py')
    steps = cfg.train_cfg.max_iters
    assert cfg.train_dataloader.batch_size == 20
    assert steps * 20 == pytest.approx(epochs * rows[task], abs=20)
    assert cfg.optim_wrapper.type == 'Bf16OptimWrapper'
    optimizer = cfg.optim_wrapper.optimizer
    assert (optimizer.lr, optimizer.betas, optimizer.weight_decay) == (2.5e-5, (0.9, 0.98), 0.05)
    cosine = cfg.param_scheduler[-1]
    assert (cosine.type, cosine.end, cosine.eta_min) == ('CosineAnnealingLR', steps, 1e-6)
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        frames = [t.num_frames for t in loader.dataset.pipeline if 'num_frames' in t]
        assert frames == [8, 8]

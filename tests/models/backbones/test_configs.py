import inspect

import pytest
import torch
from mmengine.config import Config

from finsta.registry import BACKBONES

TINY = {'clip4clip_tiny': 1_355_225, 'alpro_tiny': 999_835, 'video_llava_tiny': 939_577}
FULL = ('clip4clip_vit-b32', 'clip4clip_seqtransf_vit-b32', 'alpro', 'video_llava_7b')


def _config(repo_root, name):
    return Config.fromfile(repo_root / f'configs/_base_/backbones/{name}.py').model.backbone


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

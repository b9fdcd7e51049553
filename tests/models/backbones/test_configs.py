import inspect

import pytest
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


@pytest.mark.parametrize('name', FULL)
def test_full_sizes_name_settings_that_exist(name, repo_root):
    cfg = _config(repo_root, name)
    cls = BACKBONES.get(cfg.pop('type'))
    assert set(cfg) <= set(inspect.signature(cls.__init__).parameters)

"""The command line that fills a feature store, and training from what it wrote."""

import shutil
from pathlib import Path

import pytest
from mmengine.config import Config

pytest.importorskip('pyarrow')

from finsta.models import FinstaModel

CONFIGS = Path(__file__).resolve().parents[2] / 'configs' / 'synthvl'
CACHED = CONFIGS / 'pretrain_stgt_stage2_cached.py'


def said(done) -> str:
    return done.stdout + done.stderr


def test_filled_once_then_kept_then_trained_on(tool, tmp_path):
    done = tool('datasets/make_synthvl.py', '--layout', 'msvd', '--num-train', 4, '--num-val', 1,
                '--num-test', 1, '--pairs', 0, '--workers', 1, '--out', 'data/synthvl/pretrain',
                '--quiet')
    assert done.returncode == 0, said(done)
    backbone = FinstaModel(backbone=Config.fromfile(CACHED).model.backbone).backbone
    weights = str(backbone.save(tmp_path / 'weights'))

    def fill(config, *args):
        return tool('misc/cache_features.py', config, '--workers', 0, *args)

    # weights are missing, and a config without a cache is named before they are
    assert 'no checkpoint at work_dirs/pretrain_stgt_stage1' in said(fill(CACHED))
    plain = fill(CONFIGS / 'pretrain_stgt_stage2.py')
    assert plain.returncode != 0
    assert 'no loader of the config has LoadFrameFeatures' in said(plain)
    # four videos and the black frames
    assert '0 kept, 5 added, 0 unreadable' in said(fill(CACHED, '--weights', weights))
    assert '5 kept, 0 added, 0 unreadable' in said(fill(CACHED, '--weights', weights))
    stale = fill(CACHED, '--cfg-options', 'load_from=None')
    assert stale.returncode != 0 and 'Delete data/synthvl/pretrain/.features, or' in said(stale)
    frames = tmp_path / 'data/synthvl/pretrain/.frames'
    shutil.rmtree(frames)
    done = tool('train.py', CACHED, '--work-dir', 'w', '--no-validate', '--cfg-options',
                f'load_from={weights}', 'train_cfg.max_iters=2', 'train_dataloader.batch_size=2',
                'train_dataloader.num_workers=0', 'train_dataloader.persistent_workers=False',
                'default_hooks.logger.interval=1')
    assert done.returncode == 0 and 'loss_csal' in said(done), said(done)
    assert not frames.exists(), 'training read videos'

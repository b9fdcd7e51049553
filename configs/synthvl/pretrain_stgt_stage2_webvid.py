# STGT's second stage in WebVid's layout, from the first stage's backbone
# (pretrain_stgt_stage1_webvid.py).
#   python tools/train.py configs/synthvl/pretrain_stgt_stage2_webvid.py
_base_ = './pretrain_stgt_stage1_webvid.py'
max_iters = 500
model = dict(backbone=dict(host_losses='stage2'))
load_from = 'work_dirs/pretrain_stgt_stage1_webvid/backbone'

train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
optim_wrapper = dict(optimizer=dict(lr=2e-4))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=30),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=30, end=max_iters, eta_min_ratio=0.05)]

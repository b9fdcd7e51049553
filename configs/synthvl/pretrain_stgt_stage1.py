# STGT's first stage (VTC + VTM + VTG) on the embedded world, from random weights.
#   python tools/datasets/make_synthvl.py --layout msvd --size pretrain --out data/synthvl/pretrain
#   python tools/train.py configs/synthvl/pretrain_stgt_stage1.py
_base_ = ['../stgt/pretrain_stage1.py', '../_base_/backbones/stgt_tiny.py']
data_root = 'data/synthvl/pretrain'
max_iters = 2000

pipeline = [
    dict(type='LoadVideoFrames', num_frames=8, sampling='uniform',
         cache=dict(root='{data_root}/.frames', short_side=48)),
    dict(type='ChooseCaption'),
    dict(type='PadFrames', num_frames=8)]
train_dataloader = dict(batch_size=48, num_workers=1,
                        dataset=dict(_delete_=True, type='MSVD', split='train', rows='video',
                                     data_root=data_root, pipeline=pipeline))

model = dict(backbone={{_base_.stgt_tiny}})

train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
auto_scale_lr = dict(base_batch_size=48)
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(lr=5e-4))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=100),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=100, end=max_iters, eta_min_ratio=0.02)]

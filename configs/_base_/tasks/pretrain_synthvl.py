# Pre-training of a tiny backbone on the embedded world, without a backbone: 6,000 clips, batch 64,
# the backbone's own objective; watched on the validation split of the twin (the pre-training set
# is all training).
_base_ = './retrieval_msvd.py'
data_root = 'data/synthvl/pretrain'
max_iters = 1800

pipeline = [
    dict(type='LoadVideoFrames', num_frames=8, sampling='uniform',
         cache=dict(root='{data_root}/.frames', short_side=48)),
    dict(type='ChooseCaption'),
    dict(type='PadFrames', num_frames=8)]
train_dataloader = dict(batch_size=64, num_workers=1,
                        dataset=dict(data_root=data_root, rows='video', pipeline=pipeline))
val_dataloader = dict(batch_size=64, num_workers=0, persistent_workers=False,
                      dataset=dict(data_root='data/synthvl/msvd', pipeline=pipeline))
test_dataloader = None
test_cfg = None
test_evaluator = None

train_cfg = dict(max_iters=max_iters, val_interval=500)
auto_scale_lr = dict(base_batch_size=64)
optim_wrapper = dict(optimizer=dict(lr=2e-3, weight_decay=0.05))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=200),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=200, end=max_iters, eta_min_ratio=0.02)]
custom_hooks = [dict(type='BackboneExportHook')]

# MSVD retrieval on the embedded twin.
_base_ = '../finsta/retrieval_msvd.py'
data_root = 'data/synthvl/msvd'
max_iters = 100

pipeline = [
    dict(type='LoadVideoFrames', num_frames=8, sampling='uniform',
         cache=dict(root='{data_root}/.frames', short_side=48)),
    dict(type='ChooseCaption'),
    dict(type='PadFrames', num_frames=8)]
train_dataloader = dict(batch_size=48, num_workers=1,
                        dataset=dict(data_root=data_root, pipeline=pipeline))
val_dataloader = dict(batch_size=64, num_workers=0, persistent_workers=False,
                      dataset=dict(data_root=data_root, pipeline=pipeline))
test_dataloader = dict(batch_size=64, num_workers=0,
                       dataset=dict(data_root=data_root, pipeline=pipeline))

model = dict(backbone=dict(_delete_=True, type='SavedBackbone', pretrained='clip4clip_tiny'))

train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
auto_scale_lr = dict(base_batch_size=48)
optim_wrapper = dict(optimizer=dict(lr=3e-4))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=20),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=20, end=max_iters, eta_min_ratio=0.05)]

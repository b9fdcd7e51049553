# The control: the same pairs, the same number of steps of the host's own objective, no structure.
_base_ = './posttrain_msvd.py'
max_iters = 18000  # max_iters - warmup_iters of posttrain_msvd.py: the warm-up does not run the host
model = dict(teacher=None, transfer=None, choice=None, reversal=None)
train_dataloader = dict(dataset=dict(pipeline=[
    dict(type='LoadVideoFrames', num_frames=12, sampling='random'),
    dict(type='ResizeFrames', size=256),
    dict(type='RandomCropFrames', size=224, scale=(0.6, 1.0)),
    dict(type='ChooseCaption'),
    dict(type='PadFrames', num_frames=12)]))
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=500),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=500, end=max_iters, eta_min_ratio=0.01)]
custom_hooks = [dict(type='BackboneExportHook')]

# The control of posttrain_msvd_alpro_twins.py: the same clips and steps, no structure.
_base_ = './posttrain_msvd_alpro_twins.py'
max_iters = 800
model = dict(teacher=None, transfer=None, choice=None, reversal=None)
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
train_dataloader = dict(
    sampler=dict(_delete_=True, type='ResumableSampler', shuffle=True),
    dataset=dict(pipeline=[
        dict(type='LoadVideoFrames', num_frames=8, sampling='uniform',
             cache=dict(root='{data_root}/.frames', short_side=48)),
        dict(type='ChooseCaption'),
        dict(type='PadFrames', num_frames=8)]))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=30),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=30, end=max_iters, eta_min_ratio=0.05)]
custom_hooks = [dict(type='BackboneExportHook')]

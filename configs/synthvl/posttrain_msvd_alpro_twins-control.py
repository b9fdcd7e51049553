# The control of posttrain_msvd_alpro_twins.py: the same clips and steps, no structure.
_base_ = './posttrain_msvd_alpro_twins.py'
model = dict(teacher=None, transfer=None, choice=None, reversal=None, neighbours=None)
train_dataloader = dict(
    sampler=dict(_delete_=True, type='ResumableSampler', shuffle=True),
    dataset=dict(pipeline=[
        dict(type='LoadVideoFrames', num_frames=8, sampling='uniform',
             cache=dict(root='{data_root}/.frames', short_side=48)),
        dict(type='ChooseCaption'),
        dict(type='PadFrames', num_frames=8)]))
custom_hooks = [dict(type='BackboneExportHook')]

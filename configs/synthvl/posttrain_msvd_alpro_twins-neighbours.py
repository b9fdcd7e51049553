# posttrain_msvd_alpro_twins.py without teacher and transfer: text graphs choose the neighbours, which
# compete (NeighbourChoice).
_base_ = './posttrain_msvd_alpro_twins.py'
model = dict(teacher=None, transfer=None)
train_dataloader = dict(dataset=dict(pipeline=[
    dict(type='LoadVideoFrames', num_frames=8, sampling='uniform',
         cache=dict(root='{data_root}/.frames', short_side=48)),
    dict(type='PadFrames', num_frames=8)]))
custom_hooks = [dict(type='BackboneExportHook')]

# STGT's second stage with the tower of the first one frozen and its outputs read from disk.
#   python tools/misc/cache_features.py configs/synthvl/pretrain_stgt_stage2_cached.py
#   python tools/train.py configs/synthvl/pretrain_stgt_stage2_cached.py
_base_ = './pretrain_stgt_stage2.py'
pipeline = [
    dict(type='LoadFrameFeatures', root='{data_root}/.features', pipeline=[
        dict(type='LoadVideoFrames', num_frames=8, sampling='uniform',
             cache=dict(root='{data_root}/.frames', short_side=48)),
        dict(type='PadFrames', num_frames=8)]),
    dict(type='ChooseCaption')]
train_dataloader = dict(dataset=dict(pipeline=pipeline))
model = dict(backbone=dict(freeze_vision=True))

# The first stage with the frozen tower's outputs read from disk: no ViT in a step. The frames are
# then the middle crop of frames at equal distances, the same in every epoch.
#   python tools/misc/cache_features.py configs/stgt/pretrain_stage1_cached.py --device cuda
#   python tools/train.py configs/stgt/pretrain_stage1_cached.py
_base_ = './pretrain_stage1.py'
pipeline = [
    dict(type='LoadFrameFeatures', root='{data_root}/features', pipeline=[
        dict(type='LoadVideoFrames', num_frames=8, sampling='uniform'),
        dict(type='ResizeFrames', size=224),
        dict(type='CenterCropFrames', size=224),
        dict(type='PadFrames', num_frames=8)])]
train_dataloader = dict(dataset=dict(pipeline=pipeline))
model = dict(backbone=dict(freeze_vision=True))

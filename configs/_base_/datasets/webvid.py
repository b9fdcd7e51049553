# Pre-training on JSON rows {"video", "caption"}: one or several corpora joined.
data_root = 'data/webvid'

train_pipeline = [
    dict(type='LoadVideoFrames', num_frames=8, sampling='random'),
    dict(type='ResizeFrames', size=256),
    dict(type='RandomCropFrames', size=224, scale=(0.5, 1.0)),
    dict(type='PadFrames', num_frames=8)]

train_dataloader = dict(
    batch_size=20, num_workers=4, persistent_workers=True, drop_last=True,
    sampler=dict(type='ResumableSampler', shuffle=True),
    collate_fn=dict(type='video_text_collate'),
    dataset=dict(type='WebVid', split='train', data_root=data_root, pipeline=train_pipeline))
val_dataloader = None
val_evaluator = None
test_dataloader = None
test_evaluator = None

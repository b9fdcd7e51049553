# MSVD captions for text-video retrieval: a row a caption in training, a video with all of its
# captions in testing. A config that inherits this and sets data_root of the three data sets reads its own
# data; '{data_root}' inside a pipeline follows it.
data_root = 'data/msvd'

train_pipeline = [
    dict(type='LoadVideoFrames', num_frames=12, sampling='random'),
    dict(type='ResizeFrames', size=256),
    dict(type='RandomCropFrames', size=224, scale=(0.6, 1.0)),
    dict(type='ChooseCaption'),
    dict(type='PadFrames', num_frames=12)]
test_pipeline = [
    dict(type='LoadVideoFrames', num_frames=12, sampling='uniform'),
    dict(type='ResizeFrames', size=224),
    dict(type='CenterCropFrames', size=224),
    dict(type='ChooseCaption'),
    dict(type='PadFrames', num_frames=12)]

train_dataloader = dict(
    batch_size=32, num_workers=4, persistent_workers=True, drop_last=True,
    sampler=dict(type='ResumableSampler', shuffle=True),
    collate_fn=dict(type='video_text_collate'),
    dataset=dict(type='MSVD', split='train', rows='caption', data_root=data_root,
                 pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=32, num_workers=4, persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='video_text_collate'),
    # with a handful of videos, none of them of the validation split, training still runs
    dataset=dict(type='MSVD', split='val', rows='video', data_root=data_root, test_mode=True,
                 empty_split='borrow', pipeline=test_pipeline))
test_dataloader = dict(
    batch_size=32, num_workers=4,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='video_text_collate'),
    dataset=dict(type='MSVD', split='test', rows='video', data_root=data_root, test_mode=True,
                 pipeline=test_pipeline))

val_evaluator = dict(type='RetrievalMetric')
test_evaluator = dict(type='RetrievalMetric')

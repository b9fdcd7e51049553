# MSR-VTT for text-video retrieval: training on the 9,000 videos of 1k-A, tested on its 1,000
# pairs. Checkpoints are never selected on them: the validation split is the published one of the
# full partition (497 videos), which 1k-A's training videos hold, so its numbers only watch.
data_root = 'data/msrvtt'

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
    dataset=dict(type='MSRVTT', partition='1k-A', split='train', rows='caption',
                 data_root=data_root, pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=32, num_workers=4, persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='video_text_collate'),
    dataset=dict(type='MSRVTT', partition='full', split='val', rows='video',
                 data_root=data_root, test_mode=True, empty_split='borrow',
                 pipeline=test_pipeline))
test_dataloader = dict(
    batch_size=32, num_workers=4,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='video_text_collate'),
    dataset=dict(type='MSRVTT', partition='1k-A', split='test', data_root=data_root,
                 test_mode=True, pipeline=test_pipeline))

val_evaluator = dict(type='RetrievalMetric')
test_evaluator = dict(type='RetrievalMetric')

# MSRVTT-QA: open-ended questions about MSR-VTT clips; answers are words of the training questions.
# A config that sets data_root of the three data sets reads its own data.
data_root = 'data/msrvtt'

train_pipeline = [
    dict(type='LoadVideoFrames', num_frames=12, sampling='random'),
    dict(type='ResizeFrames', size=256),
    dict(type='RandomCropFrames', size=224, scale=(0.6, 1.0)),
    dict(type='PadFrames', num_frames=12)]
test_pipeline = [
    dict(type='LoadVideoFrames', num_frames=12, sampling='uniform'),
    dict(type='ResizeFrames', size=224),
    dict(type='CenterCropFrames', size=224),
    dict(type='PadFrames', num_frames=12)]

train_dataloader = dict(
    batch_size=32, num_workers=4, persistent_workers=True, drop_last=True,
    sampler=dict(type='ResumableSampler', shuffle=True),
    collate_fn=dict(type='video_text_collate'),
    dataset=dict(type='MSRVTTQA', split='train', data_root=data_root,
                 pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=32, num_workers=4, persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='video_text_collate'),
    # with a handful of videos, none of them of the validation split, training still runs
    dataset=dict(type='MSRVTTQA', split='val', data_root=data_root, test_mode=True,
                 empty_split='borrow', pipeline=test_pipeline))
test_dataloader = dict(
    batch_size=32, num_workers=4,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='video_text_collate'),
    dataset=dict(type='MSRVTTQA', split='test', data_root=data_root, test_mode=True,
                 pipeline=test_pipeline))

val_evaluator = dict(type='QAAccuracy')
test_evaluator = dict(type='QAAccuracy')

# Frames as STGT is fine-tuned on them: 8 of 224 px, in training a random crop; for a task's own
# data sets, e.g. train_dataloader = dict(dataset=dict(pipeline={{_base_.stgt_qa.train}})).
stgt_qa = dict(
    train=[
        dict(type='LoadVideoFrames', num_frames=8, sampling='random'),
        dict(type='ResizeFrames', size=256),
        dict(type='RandomCropFrames', size=224, scale=(0.5, 1.0)),
        dict(type='PadFrames', num_frames=8)],
    test=[
        dict(type='LoadVideoFrames', num_frames=8, sampling='uniform'),
        dict(type='ResizeFrames', size=224),
        dict(type='CenterCropFrames', size=224),
        dict(type='PadFrames', num_frames=8)])
# with captions
stgt_retrieval = dict(
    train=[
        dict(type='LoadVideoFrames', num_frames=8, sampling='random'),
        dict(type='ResizeFrames', size=256),
        dict(type='RandomCropFrames', size=224, scale=(0.5, 1.0)),
        dict(type='ChooseCaption'),
        dict(type='PadFrames', num_frames=8)],
    test=[
        dict(type='LoadVideoFrames', num_frames=8, sampling='uniform'),
        dict(type='ResizeFrames', size=224),
        dict(type='CenterCropFrames', size=224),
        dict(type='ChooseCaption'),
        dict(type='PadFrames', num_frames=8)])

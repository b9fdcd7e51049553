# The MSVD training captions with their scene graphs, for Finsta's post-training. The graphs lie in
# data/msvd/graphs, made by tools/scene_graphs/parse_text.py and parse_video.py.
data_root = 'data/msvd'

train_pipeline = [
    dict(type='LoadVideoFrames', num_frames=12, sampling='random'),
    dict(type='ResizeFrames', size=256),
    dict(type='RandomCropFrames', size=224, scale=(0.6, 1.0)),
    dict(type='ChooseCaption'),
    dict(type='LoadGraphs', store=dict(type='GraphStore', root='{data_root}/graphs'),
         matcher=dict(type='LexicalMatcher')),
    dict(type='GraphHardNegatives', num=3,
         store=dict(type='GraphStore', root='{data_root}/graphs')),
    dict(type='PadFrames', num_frames=12)]

train_dataloader = dict(
    batch_size=32, num_workers=4, persistent_workers=True, drop_last=True,
    sampler=dict(type='ResumableSampler', shuffle=True),
    collate_fn=dict(type='video_text_collate'),
    dataset=dict(type='MSVD', split='train', rows='video', data_root=data_root,
                 pipeline=train_pipeline))

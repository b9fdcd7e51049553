# Minimal pairs of the embedded world: two videos and two captions that differ in one factor.
data_root = 'data/synthvl/msvd'

test_dataloader = dict(
    batch_size=32, num_workers=2,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='video_text_collate'),
    dataset=dict(
        type='MinimalPairs', data_root=data_root,
        pipeline=[
            dict(type='LoadVideoFrames', num_frames=8, sampling='uniform',
                 cache=dict(root='{data_root}/.frames', short_side=96)),
            dict(type='ResizeFrames', size=(96, 96)),
            dict(type='PadFrames', num_frames=8)]))
test_cfg = dict(type='TestLoop')
test_evaluator = dict(type='MinimalPairMetric')

# Without the captions made false through the text graph: transfer losses only.
_base_ = './posttrain_msvd.py'
train_dataloader = dict(dataset=dict(pipeline=[
    dict(type='LoadVideoFrames', num_frames=8, sampling='uniform',
         cache=dict(root='{data_root}/.frames', short_side=48)),
    dict(type='ChooseCaption'),
    dict(type='LoadGraphs', store=dict(type='GraphStore', root='{data_root}/graphs'),
         matcher=dict(type='LexicalMatcher')),
    dict(type='PadFrames', num_frames=8)]))

# Oracle graphs: SynthVL's own, matched by identity. What Finsta does when parsing is perfect.
#   python tools/scene_graphs/parse_text.py --gold data/synthvl/msvd --out data/synthvl/msvd/graphs_gold
#   python tools/scene_graphs/parse_video.py --gold data/synthvl/msvd --out data/synthvl/msvd/graphs_gold
_base_ = './posttrain_msvd.py'
train_dataloader = dict(dataset=dict(pipeline=[
    dict(type='LoadVideoFrames', num_frames=8, sampling='uniform',
         cache=dict(root='{data_root}/.frames', short_side=48)),
    dict(type='ChooseCaption'),
    dict(type='LoadGraphs', store=dict(type='GraphStore', root='{data_root}/graphs_gold'),
         matcher=dict(type='GoldMatcher')),
    dict(type='GraphHardNegatives', num=3,
         store=dict(type='GraphStore', root='{data_root}/graphs_gold')),
    dict(type='PadFrames', num_frames=8)]))

# posttrain_msvd_alpro_twins.py with parsed graphs in the place of oracle ones.
#   D=data/synthvl/posttrain
#   python tools/scene_graphs/parse_text.py --ann $D/training_label.json --out $D/graphs
#   python tools/scene_graphs/parse_video.py --videos $D/YouTubeClips --out $D/graphs
_base_ = './posttrain_msvd_alpro_twins.py'
store = dict(type='GraphStore', root='{data_root}/graphs')
train_dataloader = dict(
    sampler=dict(store=store),
    dataset=dict(pipeline=[
        dict(type='LoadVideoFrames', num_frames=8, sampling='uniform',
             cache=dict(root='{data_root}/.frames', short_side=48)),
        dict(type='LoadGraphs', store=dict(cache_nodes=3_000_000, **store),
             matcher=dict(type='LexicalMatcher'), num_key_frames=4),
        dict(type='PadFrames', num_frames=8)]))

# Finsta's post-training on the embedded world: the real config with another data root, a tiny
# backbone (its weights ship with the package), small graph encoders and a short schedule.
#   python tools/datasets/make_synthvl.py --layout msvd --size small --out data/synthvl/msvd
#   D=data/synthvl/msvd
#   python tools/scene_graphs/parse_text.py --ann $D/training_label.json --out $D/graphs
#   python tools/scene_graphs/parse_video.py --videos $D/YouTubeClips --out $D/graphs
#   python tools/train.py configs/synthvl/posttrain_msvd.py
_base_ = '../finsta/posttrain_msvd.py'
data_root = 'data/synthvl/msvd'
graphs = '{data_root}/graphs'
max_iters = 350
warmup_iters = 100

pipeline = [
    dict(type='LoadVideoFrames', num_frames=8, sampling='uniform',
         cache=dict(root='{data_root}/.frames', short_side=48)),
    dict(type='ChooseCaption'),
    dict(type='LoadGraphs', store=dict(type='GraphStore', root=graphs),
         matcher=dict(type='LexicalMatcher')),
    dict(type='GraphHardNegatives', num=3, store=dict(type='GraphStore', root=graphs)),
    dict(type='PadFrames', num_frames=8)]
train_dataloader = dict(batch_size=32, num_workers=1,
                        dataset=dict(data_root=data_root, pipeline=pipeline))

dynamic = dict(stages=[dict(type='RGTrmEncoder', num_layers=1),
                       dict(type='STGDEncoder', num_layers=1),
                       dict(type='RGTrmEncoder', num_layers=1)])
model = dict(
    backbone=dict(_delete_=True, type='SavedBackbone', pretrained='clip4clip_tiny'),
    teacher=dict(encoder=dict(dim=96, num_heads=4, dynamic=dynamic, holistic=dynamic,
                              text=dict(stages=[dict(type='GTrmEncoder', num_layers=2)])),
                 embed_dim=128))

train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
auto_scale_lr = dict(base_batch_size=32)
optim_wrapper = dict(optimizer=dict(lr=5e-4))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=30),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=30, end=max_iters, eta_min_ratio=0.05)]
custom_hooks = [dict(type='StageHook', warmup_iters=warmup_iters),
                dict(type='StructureLogHook', interval=20), dict(type='BackboneExportHook')]

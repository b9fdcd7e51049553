# Finsta with oracle graphs on 6,000 clips of which four in five are halves of a minimal pair and
# stand beside their other half (make_synthvl.py --size posttrain): what is there does not tell
# what happens, so a model cannot learn the clips by heart.
#   python tools/datasets/make_synthvl.py --layout msvd --size posttrain --out data/synthvl/posttrain
#   G=data/synthvl/posttrain; python tools/scene_graphs/parse_text.py --gold $G --out $G/graphs_gold
#   python tools/scene_graphs/parse_video.py --gold $G --out $G/graphs_gold
_base_ = './posttrain_msvd.py'
data_root = 'data/synthvl/posttrain'
store = dict(type='GraphStore', root='{data_root}/graphs_gold')
max_iters = 600
warmup_iters = 40

# captions of other clips that name the same things stand side by side in the batch; the control's
# batches are random. False captions and backward clips cost more time than they teach here
# (results/method.md).
train_dataloader = dict(
    batch_size=48,
    sampler=dict(type='GraphNeighbourSampler', store=store, min_similarity=0.85,
                 random_groups=0.0),
    dataset=dict(data_root=data_root, rows='caption', pipeline=[
        dict(type='LoadVideoFrames', num_frames=8, sampling='uniform',
             cache=dict(root='{data_root}/.frames', short_side=48)),
        dict(type='LoadGraphs', store=dict(cache_nodes=3_000_000, **store),
             matcher=dict(type='GoldMatcher'), num_key_frames=4),
        dict(type='PadFrames', num_frames=8)]))
model = dict(
    backbone=dict(pretrained='alpro_tiny'),
    choice=None,
    reversal=None,
    neighbours=dict(type='NeighbourChoice', weights=dict(itc=2.0, itm=2.0)),
    transfer=[dict(type='PooledTransfer', weight=0.5), dict(type='RelationalTransfer', weight=0.5),
              dict(type='TokenAlignment', weight=0.25, dim=128),
              dict(type='GraphReadout', weight=0.5)])

train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
auto_scale_lr = dict(base_batch_size=48)
optim_wrapper = dict(type='Bf16OptimWrapper', optimizer=dict(lr=1e-3),
                     paramwise_cfg=dict(custom_keys=dict(teacher=dict(lr_mult=2.0),
                                                         transfer=dict(lr_mult=2.0))))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=30),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=30, end=max_iters, eta_min_ratio=0.05)]
custom_hooks = [dict(type='StageHook', warmup_iters=warmup_iters, structure_every=4),
                dict(type='StructureLogHook', interval=20), dict(type='BackboneExportHook')]

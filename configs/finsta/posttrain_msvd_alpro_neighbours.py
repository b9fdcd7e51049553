# Finsta on ALPRO with captions of other clips that name the same things side by side
# (GraphNeighbourSampler), which compete (NeighbourChoice), and the graph's facts read off the host's
# features (GraphReadout). Half of each batch is random: with look-alikes alone retrieval loses.
# Measured on SynthVL only (docs/en/results/method.md); its twin there has the same recipe.
# Graphs as for posttrain_msvd_alpro.py.
_base_ = './posttrain_msvd_alpro.py'
store = dict(type='GraphStore', root='{data_root}/graphs')

train_dataloader = dict(
    sampler=dict(type='GraphNeighbourSampler', store=store, min_similarity=0.85,
                 random_groups=0.5),
    dataset=dict(rows='caption', pipeline=[
        dict(type='LoadVideoFrames', num_frames=8, sampling='random'),
        dict(type='ResizeFrames', size=256),
        dict(type='RandomCropFrames', size=224, scale=(0.6, 1.0)),
        dict(type='LoadGraphs', store=store, matcher=dict(type='LexicalMatcher')),
        dict(type='PadFrames', num_frames=8)]))
model = dict(
    choice=None,
    reversal=None,
    neighbours=dict(type='NeighbourChoice', weights=dict(itc=2.0, itm=2.0)),
    transfer=[dict(type='PooledTransfer', weight=0.5), dict(type='RelationalTransfer', weight=0.5),
              dict(type='TokenAlignment', weight=0.25, dim=256),
              dict(type='GraphReadout', weight=0.5)])
custom_hooks = [dict(type='StageHook', warmup_iters=2000, structure_every=4),
                dict(type='StructureLogHook', interval=20), dict(type='BackboneExportHook')]

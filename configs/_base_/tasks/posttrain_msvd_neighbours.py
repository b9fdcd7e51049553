# Finsta's post-training on MSVD with captions of other clips that name the same things side by side
# (GraphNeighbourSampler), which compete (NeighbourChoice), and the graph's facts read off the host's
# features (GraphReadout), in the place of false captions and backward clips; without a backbone.
# Half of each batch is random: with look-alikes alone retrieval loses.
# Measured on SynthVL with ALPRO only (docs/en/results/method.md): no training on real captions was run.
# What would stand side by side among MSVD's was looked at there; a quarter of the pairs say the same.
_base_ = './posttrain_msvd.py'
store = dict(type='GraphStore', root='{data_root}/graphs')

train_dataloader = dict(
    sampler=dict(type='GraphNeighbourSampler', store=store, min_similarity=0.85,
                 random_groups=0.5),
    dataset=dict(rows='caption'))
choice = None
reversal = None
neighbours = dict(type='NeighbourChoice', weights=dict(itc=2.0, itm=2.0))
transfer = [
    dict(type='PooledTransfer', weight=0.5),
    dict(type='RelationalTransfer', weight=0.5),
    dict(type='TokenAlignment', weight=0.25, dim=256),
    dict(type='GraphReadout', weight=0.5),
]
custom_hooks = [dict(type='StageHook', warmup_iters={{_base_.warmup_iters}}, structure_every=4),
                dict(type='StructureLogHook', interval=20), dict(type='BackboneExportHook')]

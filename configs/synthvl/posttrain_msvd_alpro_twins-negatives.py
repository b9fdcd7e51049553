# posttrain_msvd_alpro_twins.py without teacher and transfer: graph-neighbour batches and the false
# captions made through the text graphs; 100 steps fewer, as there is no warm-up.
_base_ = './posttrain_msvd_alpro_twins.py'
max_iters = 800
store = dict(type='GraphStore', root='{data_root}/graphs_gold')
swaps = ['swap_attributes', 'swap_arguments', 'swap_predicates', 'swap_order', 'swap_adverbs']
model = dict(teacher=None, transfer=None)
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
train_dataloader = dict(dataset=dict(pipeline=[
    dict(type='LoadVideoFrames', num_frames=8, sampling='uniform',
         cache=dict(root='{data_root}/.frames', short_side=48)),
    dict(type='ChooseCaption'),
    dict(type='LoadGraphs', store=store, num_key_frames=1),
    dict(type='GraphHardNegatives', num=2, operations=swaps, store=store),
    dict(type='PadFrames', num_frames=8)]))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=30),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=30, end=max_iters, eta_min_ratio=0.05)]
custom_hooks = [dict(type='BackboneExportHook')]

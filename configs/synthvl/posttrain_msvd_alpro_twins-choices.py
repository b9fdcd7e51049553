# posttrain_msvd_alpro_twins.py without teacher and transfer: batches of neighbours, and the choices
# between true and false captions, clips and their backward copies, neighbours.
_base_ = './posttrain_msvd_alpro_twins.py'
store = dict(type='GraphStore', root='{data_root}/graphs_gold')
swaps = ['swap_attributes', 'swap_arguments', 'swap_predicates', 'swap_order', 'swap_adverbs']
model = dict(teacher=None, transfer=None)
train_dataloader = dict(dataset=dict(pipeline=[
    dict(type='LoadVideoFrames', num_frames=8, sampling='uniform',
         cache=dict(root='{data_root}/.frames', short_side=48)),
    dict(type='ChooseCaption'),
    dict(type='LoadGraphs', store=store, num_key_frames=1),
    dict(type='GraphHardNegatives', num=1, operations=swaps, store=store),
    dict(type='PadFrames', num_frames=8)]))
custom_hooks = [dict(type='BackboneExportHook')]

# The control of posttrain_msvd_alpro_twins.py, but clips with the same things stand in one batch.
_base_ = './posttrain_msvd_alpro_twins-control.py'
train_dataloader = dict(sampler=dict(
    _delete_=True, type='GraphNeighbourSampler',
    store=dict(type='GraphStore', root='{data_root}/graphs_gold')))

# posttrain_msvd_alpro_twins.py without teacher and transfer: clips with similar text graphs stand
# side by side in the batch and compete (NeighbourChoice); 100 steps fewer, as there is no warm-up.
_base_ = './posttrain_msvd_alpro_twins-control.py'
store = dict(type='GraphStore', root='{data_root}/graphs_gold')
model = dict(neighbours=dict(type='NeighbourChoice'))
train_dataloader = dict(sampler=dict(_delete_=True, type='GraphNeighbourSampler', store=store))

# The control of posttrain_msvd_alpro_twins.py: the same clips and steps, no structure.
_base_ = './posttrain_msvd_alpro_twins-neighbours.py'
model = dict(neighbours=None)
train_dataloader = dict(sampler=dict(_delete_=True, type='ResumableSampler', shuffle=True))

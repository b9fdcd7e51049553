# As posttrain_msvd_alpro.py with oracle graphs.
_base_ = './posttrain_msvd_gold.py'
model = dict(backbone=dict(pretrained='alpro_tiny'))

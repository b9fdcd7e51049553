# Finsta's post-training of the tiny ALPRO on the embedded world.
_base_ = './posttrain_msvd.py'
model = dict(backbone=dict(pretrained='alpro_tiny'))

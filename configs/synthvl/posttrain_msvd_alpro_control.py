# The control of posttrain_msvd_alpro.py.
_base_ = './posttrain_msvd_control.py'
model = dict(backbone=dict(pretrained='alpro_tiny'))

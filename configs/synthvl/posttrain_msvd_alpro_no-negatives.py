# As posttrain_msvd_alpro.py without false captions and backward clips.
_base_ = './posttrain_msvd_no-negatives.py'
model = dict(backbone=dict(pretrained='alpro_tiny'))

# MSVD-QA on the embedded twin with ALPRO.
_base_ = './videoqa_msvd.py'
model = dict(backbone=dict(pretrained='alpro_tiny'))

# Minimal pairs with ALPRO: scored by its matching head.
_base_ = './pairs_msvd.py'
model = dict(backbone=dict(pretrained='alpro_tiny'))

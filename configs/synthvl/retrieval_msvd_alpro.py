# MSVD retrieval on the embedded twin with ALPRO.
_base_ = './retrieval_msvd.py'
model = dict(backbone=dict(pretrained='alpro_tiny'))

# CLIP4Clip with its four-block sequential Transformer over frames.
_base_ = ['clip4clip_vit-b32.py']
model = dict(backbone=dict(temporal='seqTransf', temporal_layers=4, max_frames=77))

# Finsta on CLIP4Clip with look-alike captions side by side (_base_/tasks/posttrain_msvd_neighbours.py).
# The recipe was measured on SynthVL and with ALPRO only (docs/en/results/method.md), not with CLIP4Clip.
# No training on real captions was run. Graphs as for posttrain_msvd.py.
_base_ = ['../_base_/tasks/posttrain_msvd_neighbours.py', '../_base_/backbones/clip4clip_seqtransf_vit-b32.py']
model = dict(type='FinstaModel', teacher={{_base_.teacher}}, transfer={{_base_.transfer}},
             choice={{_base_.choice}}, reversal={{_base_.reversal}},
             neighbours={{_base_.neighbours}})
train_dataloader = dict(dataset=dict(pipeline=[
    dict(type='LoadVideoFrames', num_frames=12, sampling='random'),
    dict(type='ResizeFrames', size=256),
    dict(type='RandomCropFrames', size=224, scale=(0.6, 1.0)),
    dict(type='LoadGraphs', store={{_base_.store}}, matcher=dict(type='LexicalMatcher')),
    dict(type='PadFrames', num_frames=12)]))

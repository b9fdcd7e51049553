# Finsta on STGT: post-training of the second stage's backbone (configs/stgt/pretrain_stage2.py), or
# of the converted released checkpoint: --cfg-options model.backbone.pretrained=checkpoints/stgt.
# The tower stays frozen.
_base_ = ['../_base_/tasks/posttrain_msvd.py', '../_base_/datasets/pipelines_8_frames.py']
model = dict(type='FinstaModel', teacher={{_base_.teacher}}, transfer={{_base_.transfer}},
             choice={{_base_.choice}}, reversal={{_base_.reversal}},
             backbone=dict(type='SavedBackbone', pretrained='work_dirs/pretrain_stage2/backbone'))
train_dataloader = dict(dataset=dict(pipeline={{_base_.frames_8.posttrain}}))

# STGT, second stage: CSAL in the place of VTC, from the first stage's backbone.
#   python tools/train.py configs/stgt/pretrain_stage2.py --cfg-options \
#       load_from=work_dirs/pretrain_stage1/backbone
_base_ = './pretrain_stage1.py'
model = dict(backbone=dict(host_losses='stage2'))
load_from = 'work_dirs/pretrain_stage1/backbone'

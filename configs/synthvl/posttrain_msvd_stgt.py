# Finsta on STGT: post-training of a pre-trained tiny STGT with scene graphs.
#   python tools/train.py configs/synthvl/posttrain_msvd_stgt.py --cfg-options \
#       model.backbone.pretrained=work_dirs/pretrain_stgt_stage2/backbone
_base_ = './posttrain_msvd.py'
model = dict(backbone=dict(_delete_=True, type='SavedBackbone',
                           pretrained='work_dirs/pretrain_stgt_stage2/backbone'))

# Finsta on STGT: post-training of the second stage's backbone (pretrain_stgt_stage2.py) with scene
# graphs; data and graphs as for posttrain_msvd.py.
#   python tools/train.py configs/synthvl/posttrain_msvd_stgt.py
_base_ = './posttrain_msvd.py'
model = dict(backbone=dict(_delete_=True, type='SavedBackbone',
                           pretrained='work_dirs/pretrain_stgt_stage2/backbone'))

_base_ = ['../_base_/tasks/posttrain_msvd.py', '../_base_/backbones/clip4clip_vit-b32.py']
model = dict(type='FinstaModel', teacher={{_base_.teacher}}, transfer={{_base_.transfer}},
             choice={{_base_.choice}}, reversal={{_base_.reversal}})

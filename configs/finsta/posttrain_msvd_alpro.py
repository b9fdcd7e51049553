_base_ = ['../_base_/tasks/posttrain_msvd.py', '../_base_/backbones/alpro.py']
model = dict(type='FinstaModel', teacher={{_base_.teacher}}, transfer={{_base_.transfer}},
             choice={{_base_.choice}}, reversal={{_base_.reversal}})

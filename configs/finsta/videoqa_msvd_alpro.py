_base_ = ['../_base_/tasks/videoqa_msvd.py', '../_base_/backbones/alpro.py']
model = dict(type='FinstaModel', head={{_base_.head}})

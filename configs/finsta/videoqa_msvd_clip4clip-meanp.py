_base_ = ['../_base_/tasks/videoqa_msvd.py', '../_base_/backbones/clip4clip_vit-b32.py']
model = dict(type='FinstaModel', head={{_base_.head}})

_base_ = ['../_base_/tasks/videoqa_msvd.py', '../_base_/backbones/video_llava_7b.py']
model = dict(type='FinstaModel', head={{_base_.head}})

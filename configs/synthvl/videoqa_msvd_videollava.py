# MSVD-QA on the embedded twin with a tiny Video-LLaVA (pretrain_video_llava_tiny.py).
_base_ = './videoqa_msvd.py'
model = dict(backbone=dict(pretrained='work_dirs/pretrain_video_llava_tiny/backbone'))

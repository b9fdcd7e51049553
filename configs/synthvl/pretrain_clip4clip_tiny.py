# The config of the shipped weights finsta/weights/clip4clip_tiny. The README.md there says what has
# changed since they were made: a new run gives others.
#   python tools/datasets/make_synthvl.py --layout msvd --size pretrain --out data/synthvl/pretrain
#   python tools/datasets/make_synthvl.py --layout msvd --size small --out data/synthvl/msvd
#   python tools/train.py configs/synthvl/pretrain_clip4clip_tiny.py
_base_ = ['../_base_/tasks/pretrain_synthvl.py', '../_base_/backbones/clip4clip_tiny.py']
model = dict(type='FinstaModel', head={{_base_.head}})

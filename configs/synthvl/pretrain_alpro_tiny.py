# The config of the shipped weights finsta/weights/alpro_tiny. The README.md there says what has
# changed since they were made: a new run gives others.
#   python tools/datasets/make_synthvl.py --layout msvd --size pretrain --out data/synthvl/pretrain
#   python tools/datasets/make_synthvl.py --layout msvd --size small --out data/synthvl/msvd
#   python tools/train.py configs/synthvl/pretrain_alpro_tiny.py
_base_ = ['../_base_/tasks/pretrain_synthvl.py', '../_base_/backbones/alpro_tiny.py']
max_iters = 3000
model = dict(type='FinstaModel', head={{_base_.head}})

train_dataloader = dict(batch_size=48)
train_cfg = dict(max_iters=max_iters)
auto_scale_lr = dict(base_batch_size=48)
optim_wrapper = dict(optimizer=dict(lr=1e-3))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=100),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=100, end=max_iters, eta_min_ratio=0.02)]

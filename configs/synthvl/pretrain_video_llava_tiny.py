# Pre-training of a tiny Video-LLaVA on the embedded world: language modelling of the captions and a
# contrastive loss. Its weights do not ship; the configs below start from the result.
#   python tools/datasets/make_synthvl.py --layout msvd --size pretrain --out data/synthvl/pretrain
#   python tools/datasets/make_synthvl.py --layout msvd --size small --out data/synthvl/msvd
#   python tools/train.py configs/synthvl/pretrain_video_llava_tiny.py
_base_ = ['../_base_/tasks/pretrain_synthvl.py', '../_base_/backbones/video_llava_tiny.py']
model = dict(type='FinstaModel', head={{_base_.head}})
train_dataloader = dict(batch_size=48)
optim_wrapper = dict(optimizer=dict(lr=1e-3))
auto_scale_lr = dict(base_batch_size=48)

# MSRVTT-QA with STGT on the embedded twin, from the second stage's backbone
# (pretrain_stgt_stage2.py).
#   python tools/datasets/make_synthvl.py --layout msrvtt --size small --out data/synthvl/msrvtt
#   python tools/train.py configs/synthvl/videoqa_msrvtt_stgt.py --cfg-options \
#       load_from=work_dirs/pretrain_stgt_stage2/backbone
_base_ = ['../stgt/videoqa_msrvtt.py', '../_base_/backbones/stgt_tiny.py']
data_root = 'data/synthvl/msrvtt'
max_iters = 500
answers = dict(ann_file='data/synthvl/msrvtt/train_qa.json')

pipeline = [
    dict(type='LoadVideoFrames', num_frames=8, sampling='uniform',
         cache=dict(root='{data_root}/.frames', short_side=48)),
    dict(type='PadFrames', num_frames=8)]
train_dataloader = dict(batch_size=48, num_workers=1,
                        dataset=dict(data_root=data_root, pipeline=pipeline))
val_dataloader = dict(batch_size=64, num_workers=0, persistent_workers=False,
                      dataset=dict(data_root=data_root, pipeline=pipeline))
test_dataloader = dict(batch_size=64, num_workers=0,
                       dataset=dict(data_root=data_root, pipeline=pipeline))

model = dict(backbone={{_base_.stgt_tiny}},
             head=dict(answers=answers, num_classes=100, width=128))
zero_shot_head = dict(answers=answers)

train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
auto_scale_lr = dict(base_batch_size=48)
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(lr=3e-4),
                     paramwise_cfg=dict(custom_keys={'head.classifier': dict(lr_mult=3.0),
                                                     'head.fusion': dict(lr_mult=3.0)}))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=30),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=30, end=max_iters, eta_min_ratio=0.05)]

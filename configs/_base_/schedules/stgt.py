# STGT's optimisation: AdamW (0.9, 0.98), 2.5e-5 falling to 1e-6 along a cosine, weight decay 0.05,
# half precision (bf16 here). The published length is 9 epochs (MSVD 12); set max_iters to
# epochs * rows / (batch size * GPUs).
max_iters = 20000
warmup_iters = 1000

train_cfg = dict(type='ResumableTrainLoop', max_iters=max_iters, val_interval=max_iters)
val_cfg = None
test_cfg = None

optim_wrapper = dict(
    type='Bf16OptimWrapper',
    optimizer=dict(type='AdamW', lr=2.5e-5, betas=(0.9, 0.98), weight_decay=0.05),
    paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0,
                       custom_keys=dict(temp=dict(decay_mult=0.0))),
    clip_grad=dict(max_norm=1.0))

param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=warmup_iters),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=warmup_iters, end=max_iters,
         eta_min=1e-6)]

custom_hooks = [dict(type='BackboneExportHook')]
# --auto-scale-lr: the learning rate is for 8 GPUs of 20 (docs/en/user_guides/train_test.md)
auto_scale_lr = dict(enable=False, base_batch_size=160)
# the temperature and the word head are not part of every loss
find_unused_parameters = True

# Fine-tuning a backbone on a task.
max_iters = 5000

train_cfg = dict(type='ResumableTrainLoop', max_iters=max_iters, val_interval=500)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-5, betas=(0.9, 0.98), weight_decay=0.01),
    paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0,
                       custom_keys={'head.classifier': dict(lr_mult=10.0),
                                    'head.fusion': dict(lr_mult=10.0)}),
    clip_grad=dict(max_norm=1.0))

param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=500),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=500, end=max_iters,
         eta_min_ratio=0.01)]

# --auto-scale-lr: the learning rate is for 4 GPUs of 32 (docs/en/user_guides/train_test.md)
auto_scale_lr = dict(enable=False, base_batch_size=128)

# a task uses a part of a backbone: question answering has no use for the temperature of retrieval
find_unused_parameters = True

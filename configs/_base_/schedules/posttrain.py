# Post-training with Finsta: warm-up of the structure, then structure and backbone together.
# The paper states no learning rates or lengths: these are those of its hosts (ours).
max_iters = 20000
warmup_iters = 2000

train_cfg = dict(type='ResumableTrainLoop', max_iters=max_iters, val_interval=max_iters)
val_cfg = None
test_cfg = None

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=2e-5, betas=(0.9, 0.98), weight_decay=0.01),
    paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0,
                       # the backbone is trained already, the teacher begins at random
                       custom_keys=dict(teacher=dict(lr_mult=5.0), transfer=dict(lr_mult=5.0))),
    clip_grad=dict(max_norm=1.0))

param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=warmup_iters),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=warmup_iters, end=max_iters,
         eta_min_ratio=0.01)]

# the stages, the structure's numbers in the log, and the result: <work_dir>/backbone
custom_hooks = [dict(type='StageHook', warmup_iters=warmup_iters),
                dict(type='StructureLogHook', interval=20),
                dict(type='BackboneExportHook')]

# --auto-scale-lr: the learning rate is for 8 GPUs of 32 (docs/en/user_guides/train_test.md)
auto_scale_lr = dict(enable=False, base_batch_size=256)

# the warm-up does not run the backbone
find_unused_parameters = True

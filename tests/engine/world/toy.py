_base_ = ['BASE_RUNTIME']
custom_imports = dict(imports=['toy_world'])
model = dict(type='ToyModel', head=dict(type='ToyHead'))
train_dataloader = dict(
    batch_size=4, num_workers=0, dataset=dict(type='ToyDataset'),
    sampler=dict(type='ResumableSampler'), collate_fn=dict(type='default_collate'))
val_dataloader = dict(
    batch_size=4, num_workers=0, dataset=dict(type='ToyDataset', test_mode=True),
    sampler=dict(type='DefaultSampler', shuffle=False), collate_fn=dict(type='default_collate'))
test_dataloader = val_dataloader
val_evaluator = dict(type='MeanPrediction')
test_evaluator = val_evaluator
train_cfg = dict(type='ResumableTrainLoop', max_iters=20, val_interval=5)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
zero_shot_head = dict(type='ConstantHead')
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-2))
param_scheduler = [dict(type='CosineAnnealingLR', by_epoch=False, begin=0, end=20)]
auto_scale_lr = dict(enable=False, base_batch_size=4)
default_hooks = dict(checkpoint=dict(interval=5), logger=dict(interval=1))
custom_hooks = [dict(type='TraceHook', path='trace.txt'), dict(type='StructureLogHook')]

# What every run shares. A task config inherits it and changes what it must.
default_scope = 'finsta'

default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    # validations are placed by iteration, as the losses are
    logger=dict(type='LoggerHook', interval=20, log_metric_by_epoch=False),
    param_scheduler=dict(type='ParamSchedulerHook'),
    # two are kept, so that a run killed while writing one still has the other
    checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=200, max_keep_ckpts=2,
                    save_last=True),
    sampler_seed=dict(type='DistSamplerSeedHook'))

env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    # used where there is a GPU; on CPU tools/train.py starts gloo
    dist_cfg=dict(backend='nccl'))

log_processor = dict(type='LogProcessor', by_epoch=False, window_size=20)
log_level = 'INFO'

# --seed wins over it
randomness = dict(seed=0, deterministic=False)

visualizer = dict(type='Visualizer', name='visualizer',
                  vis_backends=[dict(type='LocalVisBackend'),
                                dict(type='TensorboardVisBackend')])

load_from = None
resume = False
# parts of the model that the weights of load_from may lack
load_optional = ('head',)

"""The arms of the STGT study on the embedded world.

Every arm is the same number of steps of the host's objective from random weights with the same
seed: ``BARE`` of VTC + VTM + VTG without graph layers, which stand for the pre-trained tower and
Q-Former that STGT starts from and are run once a seed; ``FIRST`` of the same with the arm's graph
layers; then ``SECOND`` more, in which the arms may differ (CSAL in the place of VTC, the same
losses again, or Finsta's post-training, whose warm-up steps do not touch the host); then the
tasks.
"""

from finsta.apis.study import Arm, Stage, Task

BARE, FIRST, SECOND, WARMUP, RETRIEVAL, QUESTIONS = 500, 250, 120, 100, 100, 150
BATCH = 32
TWIN = 'data/synthvl/msvd'
THETA = 'model.backbone.sim_threshold'
LAYERS = 'model.backbone.adapter.num_layers'


def length(iters: int) -> dict[str, str]:
    """Options for a training of ``iters`` steps."""
    return {'train_cfg.max_iters': str(iters), 'train_cfg.val_interval': str(iters),
            'param_scheduler.1.end': str(iters), 'train_dataloader.batch_size': str(BATCH)}


def pretraining(second: str, **backbone: str) -> tuple[Stage, ...]:
    """Stage 1, without and with the graph, and what follows it: 'csal', 'vtc' (as before),
    'finsta', or 'control' (as before, on Finsta's pairs)."""
    backbone = {f'model.backbone.{k.replace("__", ".")}': v for k, v in backbone.items()}
    bare = Stage('bare', 'configs/synthvl/pretrain_stgt_stage1.py',
                 {**length(BARE), LAYERS: '0'}, start='')
    first = Stage('vtc', 'configs/synthvl/pretrain_stgt_stage1.py',
                  {**length(FIRST), **backbone,
                   'model.backbone.allow_missing': '[adapter.layers]'},
                  file='model.safetensors')
    if second == 'finsta':
        after = Stage('finsta', 'configs/synthvl/posttrain_msvd_stgt.py',
                      {**length(WARMUP + SECOND), 'custom_hooks.0.warmup_iters': str(WARMUP)})
    else:
        losses = {'csal': 'stage2', 'vtc': 'stage1', 'control': 'stage1'}[second]
        pairs = {'train_dataloader.dataset.data_root': TWIN} if second == 'control' else {}
        after = Stage(second, 'configs/synthvl/pretrain_stgt_stage2.py',
                      {**length(SECOND), **backbone, 'model.backbone.host_losses': losses,
                       **pairs}, start='load_from')
    return bare, first, after


def arm(second: str = 'csal', theta: str = '0.1', layers: str = '1') -> Arm:
    """An arm; theta and the number of layers are those of all its trainings and tests."""
    return Arm(stages=pretraining(second, sim_threshold=theta, adapter__num_layers=layers),
               task_options={THETA: theta, LAYERS: layers})


ARMS = {
    'no-graph': arm(layers='0'),
    'graph': arm(),
    'theta-0.5': arm(theta='0.5'),
    'layers-2': arm(layers='2'),
    'vtc-only': arm('vtc'),
    'control': arm('control'),
    'finsta': arm('finsta'),
}
TASKS = {
    'retrieval': Task('configs/synthvl/retrieval_msvd_stgt.py', options=length(RETRIEVAL)),
    'videoqa': Task('configs/synthvl/videoqa_msvd_stgt.py', options=length(QUESTIONS)),
}
SHOWN = [('retrieval', 'retrieval/t2v_R1'), ('retrieval', 'retrieval/v2t_R1'),
         ('retrieval', 'rerank/t2v_R1'), ('retrieval', 'rerank/v2t_R1'), ('videoqa', 'qa/acc')]
DATA = (f'SynthVL pretrain ({BARE} + {FIRST} + {SECOND} steps of {BATCH}), then SynthVL small '
        f'(MSVD layout; {RETRIEVAL} and {QUESTIONS} steps)')

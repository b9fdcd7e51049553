# MSR-VTT (1k-A) retrieval with STGT: theta 0.5, CSAL; tested by cosine, then the best 32 of each
# query re-ranked by the matching head. FOLDER is a saved STGT or the converted released
# checkpoint; it brings its own sizes and tokeniser, BLIP-2 is not needed
# (_base_/backbones/stgt.py).
#   python tools/train.py configs/stgt/retrieval_msrvtt.py --cfg-options load_from=FOLDER
#   python tools/test.py configs/stgt/retrieval_msrvtt.py FOLDER        # zero-shot
_base_ = ['../_base_/tasks/retrieval_msrvtt.py', '../_base_/backbones/stgt.py',
          '../_base_/datasets/stgt_pipelines.py']
# 9 epochs of 180,000 captions, 20 a step: on one GPU, on N of them an Nth
max_iters = 9 * 180000 // 20

train_pipeline = {{_base_.stgt_retrieval.train}}
test_pipeline = {{_base_.stgt_retrieval.test}}
train_dataloader = dict(batch_size=20, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))

model = dict(type='FinstaModel', head={{_base_.head}},
             backbone=dict(sim_threshold=0.5, host_losses='stage2'))
test_cfg = dict(type='RerankTestLoop', k=32)
# half precision is bf16 here; validated once an epoch
train_cfg = dict(max_iters=max_iters, val_interval=max_iters // 9)
auto_scale_lr = dict(base_batch_size=20)
optim_wrapper = dict(type='Bf16OptimWrapper', optimizer=dict(lr=2.5e-5, weight_decay=0.05))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=500),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=500, end=max_iters, eta_min=1e-6)]

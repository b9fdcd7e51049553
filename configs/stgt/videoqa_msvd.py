# MSVD-QA with STGT: a classifier on the queries that have read the question. Zero-shot
# (tools/test.py --zero-shot) scores every answer by the best query's cosine. FOLDER is a saved
# STGT or the converted released checkpoint; it brings its own sizes and tokeniser, BLIP-2 is not
# needed (_base_/backbones/stgt.py).
#   python tools/train.py configs/stgt/videoqa_msvd.py --cfg-options load_from=FOLDER
#   python tools/test.py configs/stgt/videoqa_msvd.py FOLDER --zero-shot
_base_ = ['../_base_/tasks/videoqa_msvd.py', '../_base_/backbones/stgt.py',
          '../_base_/datasets/stgt_pipelines.py']
# 12 epochs of 30,933 questions, 20 a step: on one GPU, on N of them an Nth
max_iters = 12 * 30933 // 20

train_pipeline = {{_base_.stgt_qa.train}}
test_pipeline = {{_base_.stgt_qa.test}}
train_dataloader = dict(batch_size=20, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))

model = dict(type='FinstaModel', head={{_base_.head}}, backbone=dict(sim_threshold=0.5))
# half precision is bf16 here; validated once an epoch
train_cfg = dict(max_iters=max_iters, val_interval=max_iters // 12)
auto_scale_lr = dict(base_batch_size=20)
optim_wrapper = dict(type='Bf16OptimWrapper', optimizer=dict(lr=2.5e-5, weight_decay=0.05))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=500),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=500, end=max_iters, eta_min=1e-6)]
# matching, generation and the temperature have no part in answering
find_unused_parameters = True

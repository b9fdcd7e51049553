# MSR-VTT (1k-A) retrieval with STGT: theta 0.5, CSAL; tested by cosine, then the best 32 of each
# query re-ranked by the matching head. FOLDER is a saved STGT or the converted released
# checkpoint; it brings its own sizes and tokeniser, BLIP-2 is not needed
# (_base_/backbones/stgt.py).
#   python tools/train.py configs/stgt/retrieval_msrvtt.py --cfg-options load_from=FOLDER
#   python tools/test.py configs/stgt/retrieval_msrvtt.py FOLDER        # zero-shot
_base_ = ['../_base_/tasks/retrieval_msrvtt.py', '../_base_/backbones/stgt.py']

train_pipeline = [
    dict(type='LoadVideoFrames', num_frames=8, sampling='random'),
    dict(type='ResizeFrames', size=256),
    dict(type='RandomCropFrames', size=224, scale=(0.5, 1.0)),
    dict(type='ChooseCaption'),
    dict(type='PadFrames', num_frames=8)]
test_pipeline = [
    dict(type='LoadVideoFrames', num_frames=8, sampling='uniform'),
    dict(type='ResizeFrames', size=224),
    dict(type='CenterCropFrames', size=224),
    dict(type='ChooseCaption'),
    dict(type='PadFrames', num_frames=8)]
train_dataloader = dict(batch_size=20, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))

model = dict(type='FinstaModel', head={{_base_.head}},
             backbone=dict(sim_threshold=0.5, host_losses='stage2'))
test_cfg = dict(type='RerankTestLoop', k=32)
optim_wrapper = dict(optimizer=dict(lr=2.5e-5, weight_decay=0.05))

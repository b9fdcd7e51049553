_base_ = ['../_base_/tasks/videoqa_msvd.py', '../_base_/backbones/alpro.py',
          '../_base_/datasets/pipelines_8_frames.py']
model = dict(type='FinstaModel', head={{_base_.head}})
train_dataloader = dict(dataset=dict(pipeline={{_base_.frames_8.qa_train}}))
val_dataloader = dict(dataset=dict(pipeline={{_base_.frames_8.qa_test}}))
test_dataloader = dict(dataset=dict(pipeline={{_base_.frames_8.qa_test}}))

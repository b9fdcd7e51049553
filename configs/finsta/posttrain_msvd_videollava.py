_base_ = ['../_base_/tasks/posttrain_msvd.py', '../_base_/backbones/video_llava_7b.py',
          '../_base_/datasets/pipelines_8_frames.py']
model = dict(type='FinstaModel', teacher={{_base_.teacher}}, transfer={{_base_.transfer}},
             choice={{_base_.choice}}, reversal={{_base_.reversal}})
train_dataloader = dict(dataset=dict(pipeline={{_base_.frames_8.posttrain}}))

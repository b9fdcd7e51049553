# STGT, first stage: VTC + VTM + VTG from BLIP-2's weights. Writes <work_dir>/backbone.
#   python tools/train.py configs/stgt/pretrain_stage1.py
_base_ = ['../_base_/datasets/webvid.py', '../_base_/backbones/stgt.py',
          '../_base_/schedules/stgt.py', '../_base_/default_runtime.py']
model = dict(type='FinstaModel', backbone=dict(host_losses='stage1'))

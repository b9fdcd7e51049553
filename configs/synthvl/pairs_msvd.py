# Minimal pairs, zero-shot: does the backbone's similarity tell two captions and two videos apart
# that differ in one factor?
#   python tools/test.py configs/synthvl/pairs_msvd.py --cfg-options \
#       model.backbone.pretrained=work_dirs/posttrain_msvd/backbone
_base_ = ['../_base_/datasets/synthvl_pairs.py', '../_base_/default_runtime.py']
model = dict(type='FinstaModel', head=dict(type='PairScoreHead'),
             backbone=dict(type='SavedBackbone', pretrained='clip4clip_tiny'))
zero_shot_head = dict(type='PairScoreHead')
test_dataloader = dict(batch_size=64, num_workers=0, dataset=dict(pipeline=[
    dict(type='LoadVideoFrames', num_frames=8, sampling='uniform',
         cache=dict(root='{data_root}/.frames', short_side=48)),
    dict(type='PadFrames', num_frames=8)]))

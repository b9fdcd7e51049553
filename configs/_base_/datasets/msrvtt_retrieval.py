# MSR-VTT for text-video retrieval: training on the 9,000 videos of 1k-A, tested on its 1,000
# pairs; else as MSVD. Checkpoints are never selected on them: the validation split is the published
# one of the full partition (497 videos), which 1k-A's training videos hold, so its numbers only watch.
_base_ = './msvd_retrieval.py'
data_root = 'data/msrvtt'

train_dataloader = dict(dataset=dict(type='MSRVTT', partition='1k-A', data_root=data_root))
val_dataloader = dict(dataset=dict(type='MSRVTT', partition='full', data_root=data_root))
# a row a pair
test_dataloader = dict(dataset=dict(
    _delete_=True, type='MSRVTT', partition='1k-A', split='test', data_root=data_root,
    test_mode=True, pipeline={{_base_.test_pipeline}}))

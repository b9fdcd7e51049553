# MSRVTT-QA: open-ended questions about MSR-VTT clips; as MSVD-QA, with other data.
_base_ = './msvd_qa.py'
data_root = 'data/msrvtt'

train_dataloader = dict(dataset=dict(type='MSRVTTQA', data_root=data_root))
val_dataloader = dict(dataset=dict(type='MSRVTTQA', data_root=data_root))
test_dataloader = dict(dataset=dict(type='MSRVTTQA', data_root=data_root))

# MSRVTT-QA without a backbone: data, schedule, heads.
_base_ = ['../datasets/msrvtt_qa.py', '../schedules/finetune.py', '../default_runtime.py']

answers = dict(ann_file='data/msrvtt/train_qa.json', top_k=1000)
head = dict(type='OpenEndedQAHead', answers=answers, num_classes=1000)
# python tools/test.py CONFIG --zero-shot: no fine-tuned head, the backbone scores every answer
zero_shot_head = dict(type='ZeroShotQAHead', answers=answers)

# MSR-VTT text-video retrieval without a backbone.
_base_ = ['../datasets/msrvtt_retrieval.py', '../schedules/finetune.py', '../default_runtime.py']

head = dict(type='RetrievalHead')
# the head has no parameters: zero-shot is the same model without fine-tuning
zero_shot_head = dict(type='RetrievalHead')

# The pipelines of the MSVD tasks for hosts of 8 frames (ALPRO, Video-LLaVA, STGT), in the place of
# those of 12 in msvd_posttrain.py, msvd_retrieval.py and msvd_qa.py, e.g.
# train_dataloader = dict(dataset=dict(pipeline={{_base_.frames_8.posttrain}})).
frames_8 = dict(
    posttrain=[
        dict(type='LoadVideoFrames', num_frames=8, sampling='random'),
        dict(type='ResizeFrames', size=256),
        dict(type='RandomCropFrames', size=224, scale=(0.6, 1.0)),
        dict(type='ChooseCaption'),
        dict(type='LoadGraphs', store=dict(type='GraphStore', root='{data_root}/graphs'),
             matcher=dict(type='LexicalMatcher')),
        dict(type='GraphHardNegatives', num=3,
             store=dict(type='GraphStore', root='{data_root}/graphs')),
        dict(type='PadFrames', num_frames=8)],
    retrieval_train=[
        dict(type='LoadVideoFrames', num_frames=8, sampling='random'),
        dict(type='ResizeFrames', size=256),
        dict(type='RandomCropFrames', size=224, scale=(0.6, 1.0)),
        dict(type='ChooseCaption'),
        dict(type='PadFrames', num_frames=8)],
    retrieval_test=[
        dict(type='LoadVideoFrames', num_frames=8, sampling='uniform'),
        dict(type='ResizeFrames', size=224),
        dict(type='CenterCropFrames', size=224),
        dict(type='ChooseCaption'),
        dict(type='PadFrames', num_frames=8)],
    qa_train=[
        dict(type='LoadVideoFrames', num_frames=8, sampling='random'),
        dict(type='ResizeFrames', size=256),
        dict(type='RandomCropFrames', size=224, scale=(0.6, 1.0)),
        dict(type='PadFrames', num_frames=8)],
    qa_test=[
        dict(type='LoadVideoFrames', num_frames=8, sampling='uniform'),
        dict(type='ResizeFrames', size=224),
        dict(type='CenterCropFrames', size=224),
        dict(type='PadFrames', num_frames=8)])

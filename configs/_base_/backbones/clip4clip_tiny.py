# CLIP4Clip at the size of the embedded world: 1.4 M parameters, 48 px, 6 x 6 cells, no download.
# meanP cannot see the order of frames, so the tiny one uses seqTransf; the conv stem is what lets
# it learn from scratch (docs/en/design/backbones.md).
model = dict(
    backbone=dict(
        type='CLIP4Clip',
        tokenizer='tiny',
        text=dict(
            hidden_size=96, intermediate_size=384, num_hidden_layers=3, num_attention_heads=4,
            max_position_embeddings=64, hidden_act='gelu'),
        vision=dict(
            hidden_size=96, intermediate_size=384, num_hidden_layers=1, num_attention_heads=4,
            image_size=48, patch_size=8, hidden_act='gelu'),
        projection_dim=128,
        temporal='seqTransf',
        temporal_layers=3,
        temporal_heads=4,
        max_frames=32,
        stem='conv',
        vision_pool='mean',
        num_frames=8,
        max_text_length=64))

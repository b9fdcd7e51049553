# Video-LLaVA at the size of the embedded world: 48 px, 4 x 4 cells, no download. Everything is
# trained, and 'itc' gives it a joint space for retrieval. initializer_range: see alpro_tiny.py.
model = dict(
    backbone=dict(
        type='VideoLLaVA',
        tokenizer='tiny',
        text=dict(
            hidden_size=96, intermediate_size=256, num_hidden_layers=3, num_attention_heads=4,
            num_key_value_heads=4, max_position_embeddings=512, initializer_range=0.06),
        vision=dict(
            hidden_size=96, intermediate_size=192, num_hidden_layers=1, num_attention_heads=4,
            image_size=48, patch_size=12, hidden_act='gelu'),
        vision_feature_layer=-1,
        embed_dim=128,
        host_losses=('lm', 'itc'),
        stem='conv',
        num_frames=8,
        max_text_length=64))

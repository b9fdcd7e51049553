# ALPRO at the size of the embedded world: 1.0 M parameters, 48 px, 4 x 4
# cells, no download. initializer_range: BERT's 0.02 is made for a width of 768; at 96 the layers
# would add almost nothing to their residuals at the start, and learn several times more slowly
# (0.02 * sqrt(768 / 96) = 0.057). position_std: about that of the patch tokens it is added to (0.63
# after training); where and when a patch is would be lost beside them otherwise.
model = dict(
    backbone=dict(
        type='ALPRO',
        tokenizer='tiny',
        text=dict(
            hidden_size=96, intermediate_size=384, num_hidden_layers=4, num_attention_heads=4,
            max_position_embeddings=64, hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0, initializer_range=0.06),
        vision=dict(
            hidden_size=96, intermediate_size=192, num_hidden_layers=2, num_attention_heads=4,
            image_size=48, patch_size=12, num_frames=8, initializer_range=0.06),
        embed_dim=128,
        fusion_layer=2,
        stem='conv',
        position_std=0.5,
        num_frames=8,
        max_text_length=64))

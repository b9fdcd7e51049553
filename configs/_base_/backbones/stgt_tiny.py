# Sizes of STGT for the embedded world: 48 px, 6 x 6 cells, 8 queries, no download; everything is
# trained. A twin puts them over its real config: model = dict(backbone={{_base_.stgt_tiny}}).
# initializer_range: BERT's 0.02 is made for width 768. At 96 every branch of a block is then so
# weak beside its residual that all texts, and all videos, start out equal (cosine 0.9998) and VTC
# stays at ln B; docs/en/design/stgt.md, learning from random weights.
stgt_tiny = dict(
    blip2_pretrained=None,
    tokenizer='tiny',
    vision=dict(
        hidden_size=96, intermediate_size=192, num_hidden_layers=1, num_attention_heads=4,
        image_size=48, patch_size=8, initializer_range=0.1),
    text=dict(
        hidden_size=96, intermediate_size=384, num_hidden_layers=2, num_attention_heads=4,
        cross_attention_frequency=1, initializer_range=0.08, max_position_embeddings=64,
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0),
    adapter=dict(num_layers=1, num_heads=4, dropout=0.0, initializer_range=0.08),
    num_queries=8,
    embed_dim=128,
    stem='conv',
    freeze_vision=False,
    num_frames=8,
    max_text_length=64)

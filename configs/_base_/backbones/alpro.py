# ALPRO (231 M parameters): TimeSformer-B/16, BERT-base split at layer 6; 8 frames of 224 px.
# The released checkpoint is converted once:
#   python tools/convert/alpro_to_finsta.py alpro_pretrained_ckpt.pt checkpoints/alpro
model = dict(
    backbone=dict(
        type='ALPRO',
        pretrained='checkpoints/alpro',
        tokenizer='bert-base-uncased',
        text=dict(vocab_size=30522),
        vision=dict(image_size=224, patch_size=16, num_frames=8),
        embed_dim=256,
        fusion_layer=6,
        num_frames=8,
        max_text_length=40))

# STGT on BLIP-2's ViT-g/14 (1.2 G parameters, the tower frozen), one graph layer, 8 frames of
# 224 px, started from BLIP-2's weights. The released STGT checkpoint is converted once:
#   python tools/convert/stgt_to_finsta.py checkpoint_best.pth checkpoints/stgt
# and then takes this model's place in a config:
#   model = dict(backbone=dict(_delete_=True, type='SavedBackbone', pretrained='checkpoints/stgt',
#                              sim_threshold=0.5, host_losses='stage2'))
model = dict(
    backbone=dict(
        type='STGT',
        blip2_pretrained='Salesforce/blip2-itm-vit-g',
        tokenizer='bert-base-uncased',
        adapter=dict(num_layers=1, num_heads=16),
        sim_threshold=0.1,
        num_queries=32,
        embed_dim=256,
        num_frames=8,
        max_text_length=32))

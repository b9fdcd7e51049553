# STGT on BLIP-2's ViT-g/14 (1.2 G parameters, the tower frozen), one graph layer of 16 heads (the
# adapter's defaults), 8 frames of 224 px.
#
# A training without load_from starts from BLIP-2's weights, which transformers fetches; without a
# network: model.backbone.blip2_pretrained=FOLDER, model.backbone.tokenizer=FOLDER.
#
# The folder of a saved STGT, as load_from or as the checkpoint of tools/test.py, brings its own
# sizes (vision, text, adapter) and tokeniser: BLIP-2 is then neither needed nor read. So does the
# released checkpoint, converted once, with any config of configs/stgt:
#   python tools/convert/stgt_to_finsta.py checkpoint_best.pth checkpoints/stgt
#   python tools/test.py configs/stgt/retrieval_msvd.py checkpoints/stgt
# A .pth holds no sizes: test it with the config that its training wrote into the work directory,
# and, where that training started from BLIP-2, --cfg-options model.backbone.blip2_pretrained=None
# (sizes left out are ViT-g/14's).
model = dict(
    backbone=dict(
        type='STGT',
        blip2_pretrained='Salesforce/blip2-itm-vit-g',
        tokenizer='bert-base-uncased',
        sim_threshold=0.1,
        num_queries=32,
        embed_dim=256,
        num_frames=8,
        max_text_length=32))

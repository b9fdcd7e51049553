# CLIP4Clip on OpenAI's CLIP ViT-B/32 (151 M parameters), the published main setting: 12 frames of
# 224 px, 32 words. `pretrained` takes a hub name, a local folder of transformers, or a saved
# backbone of this project:
#   --cfg-options model.backbone.pretrained=checkpoints/clip-vit-base-patch32
model = dict(
    backbone=dict(
        type='CLIP4Clip',
        pretrained='openai/clip-vit-base-patch32',
        temporal='meanP',
        num_frames=12,
        max_text_length=32))

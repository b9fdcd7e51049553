"""OpenAI CLIP or CLIP4Clip weights -> a saved CLIP4Clip backbone.

    python tools/convert/clip_to_finsta.py pytorch_model.bin.5 checkpoints/clip4clip_msrvtt

Reads a plain state dict with OpenAI's names, with or without the prefix ``clip.``. OpenAI's own
.pt files are TorchScript programs, which are not run: use the transformers folder of the same
weights (``pretrained='openai/clip-vit-base-patch32'``). Both poolings, meanP and seqTransf, are
recognised; tightTransf's ``cross.*`` is reported as unexpected.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from finsta.models.backbones.convert import (
    Rule,
    count_layers,
    run_converter,
    shape_of,
    split3,
    transpose,
)

C = r'(?:clip\.)?'
VISION, TEXT = 'clip.vision_model.', 'clip.text_model.'


def _tower(source: str, target: str) -> list[Rule]:
    """One CLIP Transformer: ``resblocks.N`` -> ``encoder.layers.N``."""
    block, layer = rf'{C}{source}resblocks\.(\d+)\.', rf'{target}encoder.layers.\1.'
    qkv = tuple(rf'{layer}self_attn.{p}_proj.\2' for p in 'qkv')
    return [
        Rule(block + r'attn\.in_proj_(weight|bias)', qkv, split3),
        Rule(block + r'attn\.out_proj\.(weight|bias)', layer + r'self_attn.out_proj.\2'),
        Rule(block + r'ln_([12])\.(weight|bias)', layer + r'layer_norm\2.\3'),
        Rule(block + r'mlp\.c_fc\.(weight|bias)', layer + r'mlp.fc1.\2'),
        Rule(block + r'mlp\.c_proj\.(weight|bias)', layer + r'mlp.fc2.\2')]


RULES = [
    Rule(C + r'visual\.conv1\.weight', VISION + 'embeddings.patch_embedding.weight'),
    Rule(C + r'visual\.class_embedding', VISION + 'embeddings.class_embedding'),
    Rule(C + r'visual\.positional_embedding', VISION + 'embeddings.position_embedding.weight'),
    Rule(C + r'visual\.ln_pre\.(weight|bias)', VISION + r'pre_layrnorm.\1'),
    Rule(C + r'visual\.ln_post\.(weight|bias)', VISION + r'post_layernorm.\1'),
    Rule(C + r'visual\.proj', 'clip.visual_projection.weight', transpose),
    *_tower(r'visual\.transformer\.', VISION),
    Rule(C + r'token_embedding\.weight', TEXT + 'embeddings.token_embedding.weight'),
    Rule(C + r'positional_embedding', TEXT + 'embeddings.position_embedding.weight'),
    Rule(C + r'ln_final\.(weight|bias)', TEXT + r'final_layer_norm.\1'),
    Rule(C + r'text_projection', 'clip.text_projection.weight', transpose),
    Rule(C + r'logit_scale', 'clip.logit_scale'),
    *_tower(r'transformer\.', TEXT),
    Rule(C + r'(?:input_resolution|context_length|vocab_size)'),
    # the temporal part has the original's names
    Rule(r'(transformerClip\..*|frame_position_embeddings\.weight)', r'\1')]


def infer(state: Mapping[str, Tensor], tokenizer: str) -> dict[str, Any]:
    """Sizes of the checkpoint as a CLIP4Clip config; 64 channels a head, as all of CLIP."""
    def length(key: str) -> int:
        return shape_of(state, key, 'CLIP')[0]
    p = 'clip.' if any(k.startswith('clip.') for k in state) else ''
    width, _, patch, _ = shape_of(state, p + 'visual.conv1.weight', 'CLIP or CLIP4Clip (ViT)')
    cells = round((shape_of(state, p + 'visual.positional_embedding', 'CLIP')[0] - 1) ** 0.5)
    vocab, text_width = shape_of(state, p + 'token_embedding.weight', 'CLIP')
    embed_dim = shape_of(state, p + 'text_projection', 'CLIP')[1]
    temporal = count_layers(state, r'^transformerClip\.resblocks\.(\d+)\.')
    cfg = dict(
        type='CLIP4Clip', tokenizer=tokenizer, projection_dim=embed_dim,
        text=dict(hidden_size=text_width, intermediate_size=4 * text_width, vocab_size=vocab,
                  num_hidden_layers=count_layers(state, rf'^{p}transformer\.resblocks\.(\d+)\.'),
                  num_attention_heads=text_width // 64, eos_token_id=2,
                  max_position_embeddings=length(p + 'positional_embedding'),
                  hidden_act='quick_gelu'),
        vision=dict(hidden_size=width, intermediate_size=4 * width, patch_size=patch,
                    image_size=patch * cells, num_attention_heads=width // 64,
                    num_hidden_layers=count_layers(
                        state, rf'^{p}visual\.transformer\.resblocks\.(\d+)\.'),
                    hidden_act='quick_gelu'),
        temporal='seqTransf' if temporal else 'meanP')
    if temporal:
        cfg.update(temporal_layers=temporal,
                   max_frames=length('frame_position_embeddings.weight'))
    return cfg


def main(argv: list[str] | None = None) -> None:
    run_converter(__doc__.splitlines()[0], RULES, infer, 'openai/clip-vit-base-patch32', argv)


if __name__ == '__main__':
    main()

"""ALPRO's released weights -> a saved ALPRO backbone.

    python tools/convert/alpro_to_finsta.py alpro_pretrained_ckpt.pt checkpoints/alpro

The masked-language head, BERT's pooler, the prompt-entity head and the prompter are known and
left out; everything else must fit.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from finsta.models.backbones.convert import Rule, count_layers, run_converter, shape_of

WB = r'\.(weight|bias)'
V, BLOCK = r'visual_encoder\.model\.', r'visual_encoder\.model\.blocks\.(\d+)\.'
TARGET, LAYER = 'visual_encoder.', r'visual_encoder.encoder.layer.\1.'
RULES = [
    Rule(V + 'cls_token', TARGET + 'embeddings.cls_token'),
    Rule(V + 'pos_embed', TARGET + 'embeddings.position_embeddings'),
    Rule(V + 'time_embed', TARGET + 'embeddings.time_embeddings'),
    Rule(V + r'patch_embed\.proj' + WB, TARGET + r'embeddings.patch_embeddings.projection.\1'),
    Rule(V + 'norm' + WB, TARGET + r'layernorm.\1'),
    Rule(V + r'head\..*'),
    Rule(BLOCK + 'norm1' + WB, LAYER + r'layernorm_before.\2'),
    Rule(BLOCK + 'norm2' + WB, LAYER + r'layernorm_after.\2'),
    Rule(BLOCK + r'attn\.qkv' + WB, LAYER + r'attention.attention.qkv.\2'),
    Rule(BLOCK + r'attn\.proj' + WB, LAYER + r'attention.output.dense.\2'),
    Rule(BLOCK + 'temporal_norm1' + WB, LAYER + r'temporal_layernorm.\2'),
    Rule(BLOCK + r'temporal_attn\.qkv' + WB, LAYER + r'temporal_attention.attention.qkv.\2'),
    Rule(BLOCK + r'temporal_attn\.proj' + WB, LAYER + r'temporal_attention.output.dense.\2'),
    Rule(BLOCK + 'temporal_fc' + WB, LAYER + r'temporal_dense.\2'),
    Rule(BLOCK + r'mlp\.fc1' + WB, LAYER + r'intermediate.dense.\2'),
    Rule(BLOCK + r'mlp\.fc2' + WB, LAYER + r'output.dense.\2'),
    Rule(r'text_encoder\.bert\.embeddings\.position_ids'),
    Rule(r'text_encoder\.bert\.pooler\..*'),
    Rule(r'text_encoder\.bert\.((?:embeddings|encoder)\..*)', r'text_encoder.\1'),
    Rule(r'text_encoder\.cls\..*'),
    Rule(r'((?:vision_proj|text_proj|itm_head)\.(?:weight|bias)|temp)', r'\1'),
    Rule(r'(?:prompter|mpm_head|classifier)\..*')]


def infer(state: Mapping[str, Tensor], tokenizer: str) -> dict[str, Any]:
    """Sizes of the checkpoint as an ALPRO config; 64 channels a head, fusion in the upper half."""
    def length(key: str) -> int:
        return shape_of(state, key, 'ALPRO')[0]
    width, _, patch, _ = shape_of(state, 'visual_encoder.model.patch_embed.proj.weight', 'ALPRO')
    cells = round((shape_of(state, 'visual_encoder.model.pos_embed', 'ALPRO')[1] - 1) ** 0.5)
    frames = shape_of(state, 'visual_encoder.model.time_embed', 'ALPRO')[1]
    vocab, text_width = shape_of(
        state, 'text_encoder.bert.embeddings.word_embeddings.weight', 'ALPRO')
    layers = count_layers(state, r'^text_encoder\.bert\.encoder\.layer\.(\d+)\.')
    bert = 'text_encoder.bert.'
    return dict(
        type='ALPRO', tokenizer=tokenizer, num_frames=frames, fusion_layer=layers // 2,
        embed_dim=length('vision_proj.weight'),
        text=dict(
            vocab_size=vocab, hidden_size=text_width, num_hidden_layers=layers,
            num_attention_heads=text_width // 64,
            intermediate_size=length(bert + 'encoder.layer.0.intermediate.dense.weight'),
            max_position_embeddings=length(bert + 'embeddings.position_embeddings.weight')),
        vision=dict(
            hidden_size=width, image_size=patch * cells, patch_size=patch, num_frames=frames,
            num_attention_heads=width // 64,
            intermediate_size=length('visual_encoder.model.blocks.0.mlp.fc1.weight'),
            num_hidden_layers=count_layers(state, r'^visual_encoder\.model\.blocks\.(\d+)\.')))


def main(argv: list[str] | None = None) -> None:
    run_converter(__doc__.splitlines()[0], RULES, infer, 'bert-base-uncased', argv)


if __name__ == '__main__':
    main()

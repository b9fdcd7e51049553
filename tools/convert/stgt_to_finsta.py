"""STGT's released weights (blip4video, first stage) -> a saved STGT backbone.

    python tools/convert/stgt_to_finsta.py checkpoint_best.pth checkpoints/stgt
    python tools/test.py configs/stgt/retrieval_msvd.py checkpoints/stgt

The released position table, random numbers where sines were meant, is kept as the model was
trained with it. The language-model decoder is the word embedding and left out; everything else
must fit.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from finsta.models.backbones.checkpoint import CheckpointError
from finsta.models.backbones.convert import (
    Rule,
    count_layers,
    run_converter,
    shape_of,
    transpose,
)

WB = r'\.(weight|bias)'
V, BLOCK = r'visual_encoder\.', r'visual_encoder\.blocks\.(\d+)\.'
TOWER, LAYER = 'vision.embeddings.', r'vision.encoder.layers.\1.'
G, GRAPH = r'graph_cross_model\.resblocks\.(\d+)\.', r'adapter.layers.\1.'
Q, QLAYER = r'Qformer\.bert\.encoder\.layer\.(\d+)\.', r'qformer.encoder.layer.\1.'
RULES = [
    Rule(V + 'cls_token', TOWER + 'class_embedding'),
    Rule(V + 'pos_embed', TOWER + 'position_embedding'),
    Rule(V + r'patch_embed\.proj' + WB, TOWER + r'patch_embedding.\1'),
    Rule(BLOCK + r'norm([12])' + WB, LAYER + r'layer_norm\2.\3'),
    Rule(BLOCK + r'attn\.qkv' + WB, LAYER + r'self_attn.qkv.\2'),
    Rule(BLOCK + r'attn\.proj' + WB, LAYER + r'self_attn.projection.\2'),
    Rule(BLOCK + r'mlp\.(fc[12])' + WB, LAYER + r'mlp.\2.\3'),
    Rule('ln_vision' + WB, r'ln_vision.\1'),
    Rule(r'graph_cross_model\.time_embed', 'adapter.time_embed'),
    Rule(r'graph_cross_model\.pos_2D_embed', 'adapter.position_table'),
    Rule(r'graph_cross_model\.ln_post' + WB, r'adapter.norm.\1'),
    Rule(r'graph_cross_model\.proj', 'adapter.proj.weight', transpose),
    Rule(G + 'proj_fc' + WB, GRAPH + r'proj.\2'),
    Rule(G + r'message_attn\.(.*)', GRAPH + r'frames.\2'),
    *(Rule(G + rf'graphattn\.W_{old}' + WB, GRAPH + rf'graph.{new}.\2')
      for old, new in (('Q', 'query'), ('K', 'key'), ('V', 'value'), ('O', 'out'))),
    Rule(G + r'((?:attn|ln_1|ln_2|mlp)\..*)', GRAPH + r'fusion.\2'),
    Rule(r'Qformer\.bert\.embeddings\.position_ids'),
    Rule(r'Qformer\.bert\.embeddings\.((?:word|position)_embeddings\.weight)', r'embeddings.\1'),
    Rule(r'Qformer\.bert\.embeddings\.LayerNorm' + WB, r'qformer.layernorm.\1'),
    Rule(Q + r'(attention|crossattention)\.self\.(.*)', QLAYER + r'\2.attention.\3'),
    Rule(Q + '(.*)', QLAYER + r'\2'),
    Rule(r'Qformer\.cls\.predictions\.transform\.dense' + WB, r'word_head.transform.\1'),
    Rule(r'Qformer\.cls\.predictions\.transform\.LayerNorm' + WB, r'word_head.norm.\1'),
    Rule(r'Qformer\.cls\.predictions\.bias', 'word_head.bias'),
    Rule(r'Qformer\.cls\.predictions\.decoder\..*'),
    Rule(r'((?:vision_proj|text_proj|itm_head)\.(?:weight|bias)|temp|query_tokens)', r'\1')]


def join_biases(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tower stores biases of query and value apart and has none for the key.

    Raises:
        CheckpointError: one of the two without the other.
    """
    out = dict(state)
    for key in state:
        if not key.endswith('.attn.q_bias'):
            continue
        stem = key.removesuffix('q_bias')
        if stem + 'v_bias' not in state:
            raise CheckpointError(f'{key} stands without {stem}v_bias')
        query, value = out.pop(key), out.pop(stem + 'v_bias')
        out[stem + 'qkv.bias'] = torch.cat([query, torch.zeros_like(query), value])
    return out


def infer(state: Mapping[str, Tensor], tokenizer: str) -> dict[str, Any]:
    """Sizes of the checkpoint as an STGT config; 88 channels a head in the tower and the graph
    layers, 64 in the Q-Former, as released."""
    def length(key: str) -> int:
        return shape_of(state, key, 'STGT')[0]
    width, _, patch, _ = shape_of(state, 'visual_encoder.patch_embed.proj.weight', 'STGT')
    cells = round((shape_of(state, 'visual_encoder.pos_embed', 'STGT')[1] - 1) ** 0.5)
    vocab, hidden = shape_of(state, 'Qformer.bert.embeddings.word_embeddings.weight', 'STGT')
    frames = length('graph_cross_model.time_embed')
    grid = round((shape_of(state, 'graph_cross_model.pos_2D_embed', 'STGT')[0] - 1) ** 0.5)
    bert = 'Qformer.bert.'
    heads = max(width // 88, 1)
    return dict(
        type='STGT', tokenizer=tokenizer, num_frames=frames,
        num_queries=shape_of(state, 'query_tokens', 'STGT')[1],
        embed_dim=length('vision_proj.weight'),
        adapter=dict(num_heads=heads, position='table', grid=[grid, grid],
                     num_layers=count_layers(state, r'^graph_cross_model\.resblocks\.(\d+)\.')),
        vision=dict(
            hidden_size=width, num_attention_heads=heads, patch_size=patch,
            image_size=patch * cells,
            intermediate_size=length('visual_encoder.blocks.0.mlp.fc1.weight'),
            num_hidden_layers=count_layers(state, r'^visual_encoder\.blocks\.(\d+)\.')),
        text=dict(
            vocab_size=vocab, hidden_size=hidden, num_attention_heads=max(hidden // 64, 1),
            num_hidden_layers=count_layers(state, r'^Qformer\.bert\.encoder\.layer\.(\d+)\.'),
            intermediate_size=length(bert + 'encoder.layer.0.intermediate.dense.weight'),
            max_position_embeddings=length(bert + 'embeddings.position_embeddings.weight')))


def main(argv: list[str] | None = None) -> None:
    run_converter(__doc__.splitlines()[0], RULES, infer, 'bert-base-uncased', argv, join_biases)


if __name__ == '__main__':
    main()

"""One-layer hosts of every registered backbone, and variants; made by the test, no download."""

from finsta.models.backbones import VideoLanguageBackbone
from finsta.registry import BACKBONES

SIZE, PATCH, FRAMES = 32, 8, 4

_CLIP = dict(
    type='CLIP4Clip', tokenizer='tiny', projection_dim=16, num_frames=FRAMES, max_frames=8,
    max_text_length=24,
    text=dict(hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2,
              max_position_embeddings=32),
    vision=dict(hidden_size=24, intermediate_size=48, num_hidden_layers=1, num_attention_heads=2,
                image_size=SIZE, patch_size=PATCH))
_ALPRO = dict(
    type='ALPRO', tokenizer='tiny', embed_dim=16, fusion_layer=1, num_frames=FRAMES,
    max_text_length=24,
    text=dict(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
              max_position_embeddings=32, hidden_dropout_prob=0.0,
              attention_probs_dropout_prob=0.0),
    vision=dict(hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2,
                image_size=SIZE, patch_size=PATCH))
_LLAVA = dict(
    type='VideoLLaVA', tokenizer='tiny', num_frames=FRAMES, max_text_length=24,
    vision_feature_layer=-1,
    text=dict(hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2,
              num_key_value_heads=2, max_position_embeddings=256),
    vision=dict(hidden_size=24, intermediate_size=48, num_hidden_layers=1, num_attention_heads=2,
                image_size=SIZE, patch_size=PATCH))
_STGT = dict(
    type='STGT', tokenizer='tiny', embed_dim=16, num_queries=4, num_frames=FRAMES,
    max_text_length=24, sim_threshold=0.9, freeze_vision=False,
    adapter=dict(num_heads=2, dropout=0.0),
    text=dict(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
              max_position_embeddings=32, hidden_dropout_prob=0.0,
              attention_probs_dropout_prob=0.0),
    vision=dict(hidden_size=24, intermediate_size=48, num_hidden_layers=1, num_attention_heads=2,
                image_size=SIZE, patch_size=PATCH))
_GRAPH = dict(type='SpatioTemporalGraphTransformer', num_heads=2, sim_threshold=0.9, dropout=0.0)

HOSTS = {
    'CLIP4Clip': dict(_CLIP, temporal='seqTransf', temporal_layers=1, temporal_heads=2),
    'CLIP4Clip-meanP': dict(_CLIP, temporal='meanP'),
    'CLIP4Clip-conv': dict(_CLIP, temporal='seqTransf', temporal_layers=1, temporal_heads=2,
                           stem='conv', vision_pool='mean'),
    'CLIP4Clip-graph': dict(_CLIP, video_adapter=_GRAPH),
    'ALPRO': _ALPRO,
    'ALPRO-conv': dict(_ALPRO, stem='conv', fuse_time='all'),
    'ALPRO-graph': dict(_ALPRO, video_adapter=_GRAPH),
    'STGT': _STGT,
    'STGT-stage2': dict(_STGT, host_losses='stage2', choice_score='itm'),
    'STGT-frozen': dict(_STGT, freeze_vision=True, stem='conv', adapter=dict(num_layers=0,
                        num_heads=2)),
    'VideoLLaVA': _LLAVA,
    'VideoLLaVA-conv': dict(_LLAVA, stem='conv', embed_dim=16, host_losses=('lm', 'itc')),
    'VideoLLaVA-graph': dict(_LLAVA, freeze_vision=True, video_adapter=_GRAPH),
    'VideoLLaVA-lora': dict(_LLAVA, lora=dict(r=2), freeze_vision=True, hidden_layer=0),
}


def build(name: str, train: bool = False) -> VideoLanguageBackbone:
    """The host ``name``, in evaluation mode unless ``train``."""
    backbone = BACKBONES.build(HOSTS[name])
    backbone.init_weights()
    return backbone.train(train)

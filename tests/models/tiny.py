"""The smallest backbone, teacher and batch that the model tests use."""

import torch

from finsta.structures import HolisticBatch, VideoTextSample
from tests.models.graph_factory import empty_graph, holistic_graph

BACKBONE = dict(
    type='CLIP4Clip', tokenizer='tiny', projection_dim=32, temporal='seqTransf',
    temporal_layers=1, temporal_heads=2, max_frames=8, num_frames=4, max_text_length=32,
    text=dict(hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2,
              max_position_embeddings=64),
    vision=dict(hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2,
                image_size=32, patch_size=8))
_STAGES = [dict(type='RGTrmEncoder', num_layers=1), dict(type='STGDEncoder', num_layers=1)]
TEACHER = dict(
    encoder=dict(dim=32, num_heads=2, text=dict(stages=[dict(type='GTrmEncoder', num_layers=1)]),
                 dynamic=dict(stages=_STAGES), holistic=dict(stages=_STAGES)),
    osc=dict(type='ObjectSpatialContrast'), ptc=dict(type='PredicateTemporalContrast'),
    embed_dim=16)
TRANSFER = [dict(type='PooledTransfer'), dict(type='NodeTransfer'),
            dict(type='RelationalTransfer'), dict(type='TokenAlignment', dim=16)]


def batch(size: int = 3, frames: int = 4, empty: bool = False, seed: int = 0) -> dict:
    """``dict(inputs=..., data_samples=...)`` as video_text_collate makes it."""
    generator = torch.Generator().manual_seed(seed)
    graphs = [empty_graph(frames) if empty else holistic_graph(seed + i, 2, frames)
              for i in range(size)]
    texts = [g.tsg.text for g in graphs]
    samples = [VideoTextSample(f'v{i}', f'v{i}.mp4', t, captions=(t, 'a red star rotates'),
                               sample_id=str(i), answer=('red', 'blue')[i % 2], answer_id=i % 2)
               for i, t in enumerate(texts)]
    inputs = dict(
        frames=torch.randint(0, 256, (size, frames, 3, 32, 32), dtype=torch.uint8,
                             generator=generator),
        frame_mask=torch.ones(size, frames, dtype=torch.bool), crop=None, texts=texts,
        graphs=HolisticBatch.from_graphs(graphs),
        graph_frames=torch.arange(frames).expand(size, frames), negative_texts=None)
    return dict(inputs=inputs, data_samples=samples)

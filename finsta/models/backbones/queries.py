"""Scores of models that hand out several vectors a video (BLIP-2, STGT)."""

import torch
from torch import Tensor


def query_similarity(videos: Tensor, texts: Tensor) -> Tensor:
    """(B, Q, E), (M, E) unit vectors -> (B, M) cosine of the best of the Q, in fp32."""
    with torch.autocast(videos.device.type, enabled=False):
        return torch.einsum('bqe,me->bmq', videos.float(), texts.float()).amax(-1)

"""A video adapter inside a backbone, after its vision tower and before anything pools frames.

    X', P = adapter(X)      X' = the grid and what is read after it,  z_f <- z_f + mean_k P_fk

One place for building it, checking it, its entry in the saved config and its keys
(``video_adapter.*``). Without the option there is no module, no key and no operation. Ours;
stgt.md, where it sits.

Shapes: B samples, F frames, N patches, C width of the tower, P (B, F k, C) the pooled tokens.
"""

import torch
from torch import Tensor

from finsta.registry import VIDEO_ADAPTERS

from .base import VideoLanguageBackbone


def add_video_adapter(backbone: VideoLanguageBackbone, config: dict | None, dim: int) -> None:
    """Set ``backbone.video_adapter`` and its entry in ``backbone.cfg``; None = no adapter. To be
    called after ``cfg`` is set and before saved weights are loaded.

    Args:
        config: of a VIDEO_ADAPTERS module; ``num_frames`` defaults to the backbone's.
        dim: C, which goes to the module.

    Raises:
        ValueError: ``config`` names another width.
    """
    backbone.cfg['video_adapter'] = None if config is None else dict(config)
    backbone.video_adapter = None
    if config is None:
        return
    if config.get('dim', dim) != dim:
        raise ValueError(f'video_adapter has dim={config["dim"]}, but the vision tower of '
                         f'{type(backbone).__name__} is {dim} wide; leave dim out')
    backbone.video_adapter = VIDEO_ADAPTERS.build(
        {'num_frames': backbone.num_frames, **config, 'dim': dim})


def adapt_frames(backbone: VideoLanguageBackbone, tokens: Tensor, vectors: Tensor,
                 mask: Tensor) -> tuple[Tensor, Tensor]:
    """The tower's outputs through the adapter; as they are without one.

    Args:
        tokens: (B, F, 1 + N, C), a CLS token first in each frame. vectors: (B, F, C) one of each
            frame. mask: (B, F) True = a real frame.

    Returns:
        Mixed tokens (B, F, 1 + N, C), 0 in padded frames, and the vectors plus the mean of their
        frame's pooled tokens.

    Raises:
        ValueError: an adapter that hands out other shapes.
    """
    if backbone.video_adapter is None:
        return tokens, vectors
    # a tower in half precision may stand below an adapter in full
    weight = next(backbone.video_adapter.parameters(), tokens)
    out = backbone.video_adapter(tokens.to(weight.dtype), backbone.cells, backbone.cells, mask)
    b, f, _, c = tokens.shape
    if out.tokens.shape != tokens.shape or out.pooled.shape[1] % f:
        raise ValueError(f'{type(backbone.video_adapter).__name__} made tokens '
                         f'{tuple(out.tokens.shape)} and {out.pooled.shape[1]} pooled tokens of '
                         f'{tuple(tokens.shape)}; a video adapter keeps the shape and pools each '
                         f'of the {f} frames to the same number')
    mixed = out.tokens
    if not bool(mask.all()):
        mixed = torch.where(mask[:, :, None, None], mixed, 0)
    return mixed, vectors + out.pooled.reshape(b, f, -1, c).mean(2)

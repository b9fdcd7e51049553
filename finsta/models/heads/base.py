"""What a task head sees of the backbone."""

from dataclasses import dataclass

import torch
from mmengine.model import BaseModule
from torch import Tensor

from finsta.models.backbones.base import BackboneFeatures, VideoLanguageBackbone
from finsta.structures import VideoTextSample


@dataclass(frozen=True)
class BackboneInfo:
    """Widths a head is built with: stream -> C, joint embedding E, joint vector, frames."""

    dims: dict[str, int]
    embed_dim: int
    joint_dim: int
    num_frames: int


class TaskHead(BaseModule):
    """Base class: a loss on encoded pairs, and predictions from encoded videos."""

    def loss(self, backbone: VideoLanguageBackbone, text: BackboneFeatures,
             video: BackboneFeatures, samples: list[VideoTextSample]) -> dict[str, Tensor]:
        """``loss_*`` scalars (and other logged scalars) of one batch."""
        raise NotImplementedError

    @torch.no_grad()
    def predict(self, backbone: VideoLanguageBackbone, video: BackboneFeatures, frames: Tensor,
                frame_mask: Tensor, samples: list[VideoTextSample]) -> list[dict]:
        """One dict per sample, as the task's metric reads it."""
        raise NotImplementedError

"""Frozen encoders that turn node labels and node regions into vectors (method.md section 1).

"Frozen" is a frozen copy of the host's own towers by default (ours), so that no second model has
to be downloaded and the features live in a space the host knows.
"""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from finsta.models.backbones.base import VideoLanguageBackbone
from finsta.models.grounding import box_features, cell_of_frames
from finsta.registry import NODE_ENCODERS
from finsta.structures import GraphBatch


@NODE_ENCODERS.register_module()
class FrozenBackboneEncoder(nn.Module):
    """A frozen copy of the host.

    Args:
        backbone: the host; copied, so later training of it changes nothing here.
        cache_size: how many label embeddings are kept in memory.

    Attributes:
        label_dim: width of label embeddings. region_dim: width of region features.
    """

    def __init__(self, backbone: VideoLanguageBackbone, cache_size: int = 20000) -> None:
        super().__init__()
        self.host = copy.deepcopy(backbone)
        self.host.eval().requires_grad_(False)
        self.label_dim = self.host.dims['text']
        self.region_dim = self.host.dims['video']
        self.cache_size = cache_size
        self._cache: dict[str, Tensor] = {}

    def train(self, mode: bool = True) -> 'FrozenBackboneEncoder':
        """Stays in evaluation mode."""
        return super().train(False)

    def _load_from_state_dict(self, *args, **kwargs) -> None:
        self._cache.clear()
        super()._load_from_state_dict(*args, **kwargs)

    @torch.no_grad()
    def encode_labels(self, labels: Sequence[str]) -> Tensor:
        """(n, label_dim) mean of the label's token states; computed once per label.

        Each label goes through the host alone: in a batch the last digits of a row depend on the
        number and length of the others, so that a resumed run, which meets the labels in other
        company, would leave the uninterrupted one.
        """
        missing = [s for s in dict.fromkeys(labels) if s not in self._cache]
        if len(self._cache) + len(missing) > self.cache_size:
            self._cache.clear()
            missing = list(dict.fromkeys(labels))
        for label in missing:
            with torch.autocast(self._device.type, enabled=False):
                out = self.host.encode_text([label or ' '])
            mask = out.text_mask.unsqueeze(-1).to(out.text.dtype)
            mean = (out.text * mask).sum(1) / mask.sum(1).clamp(min=1)
            self._cache[label] = mean[0].float().cpu()
        if not labels:
            return torch.zeros(0, self.label_dim, device=self._device)
        return torch.stack([self._cache[s] for s in labels]).to(self._device)

    @torch.no_grad()
    def encode_regions(self, frames: Tensor, frame_mask: Tensor | None, crop: Tensor | None,
                       graph_frames: Tensor, graphs: GraphBatch) -> tuple[Tensor, Tensor]:
        """RoI mean of the frozen patch features of every node that has a box.

        Args:
            frames: (B, F, 3, h, w) preprocessed. graph_frames: (B, T) input frame of each key
                frame. graphs: the dynamic graphs.

        Returns:
            (N, region_dim) features, zero where no box; (N,) bool mask.
        """
        out = self.host.encode_video(frames, frame_mask, crop)
        mask = graphs.box_mask & (graphs.frame_ids < graph_frames.shape[1])
        node = torch.nonzero(mask).squeeze(1)
        sample = graphs.sample_ids[node]
        cell = cell_of_frames(out.grid.frames_of_cell, frames.device)[
            graph_frames[sample, graphs.frame_ids[node]].clamp(min=0)]
        found = box_features(out.video.float(), graphs.box[node], sample, cell.clamp(min=0),
                             out.grid.height, out.grid.width, out.grid.crop)
        features = found.new_zeros(graphs.num_nodes, self.region_dim)
        features[node] = found
        return features, mask

    @property
    def _device(self) -> torch.device:
        return next(self.host.parameters()).device

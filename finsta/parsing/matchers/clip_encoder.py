"""A CLIP-like model of transformers as encoder of labels and image crops (method.md, HSG)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from finsta.parsing.pretrained import reading_model
from finsta.registry import NODE_ENCODERS
from finsta.utils.optional import require


@NODE_ENCODERS.register_module()
class ClipNodeEncoder:
    """Both towers of a CLIP, SigLIP, ... model in their common space; for the matcher.

    Args:
        folder: folder or hub name of the model, with tokeniser and image processor.
        template: sentence around a label.
        device: ``'auto'`` (CUDA when there is one) or a torch device.
        batch_size: labels or crops in one forward pass.

    Raises:
        CheckpointError: if the folder does not hold the model.
    """

    def __init__(self, folder: str, template: str = 'a photo of {}', device: str = 'auto',
                 batch_size: int = 32) -> None:
        hub = require('transformers', 'ClipNodeEncoder')
        if device == 'auto':
            device = 'cuda' if torch.cuda.is_available() else 'cpu'
        self.device, self.batch_size, self.template = torch.device(device), batch_size, template
        with reading_model(folder, 'folder'):
            self.model = hub.AutoModel.from_pretrained(folder).to(self.device).eval()
            self.tokenizer = hub.AutoTokenizer.from_pretrained(folder)
            self.processor = hub.AutoImageProcessor.from_pretrained(folder)

    @torch.inference_mode()
    def encode_labels(self, labels: Sequence[str]) -> Tensor:
        """(n, D) fp32 on the CPU."""
        out = []
        for start in range(0, len(labels), self.batch_size):
            texts = [self.template.format(s) for s in labels[start:start + self.batch_size]]
            tokens = self.tokenizer(texts, padding=True, truncation=True, return_tensors='pt')
            out.append(_pooled(self.model.get_text_features(
                **{k: tokens[k].to(self.device) for k in ('input_ids', 'attention_mask')})))
        return torch.cat(out)

    @torch.inference_mode()
    def encode_images(self, crops: Sequence[np.ndarray]) -> Tensor:
        """(n, D) fp32 on the CPU, of (h, w, 3) uint8 RGB crops."""
        out = []
        for start in range(0, len(crops), self.batch_size):
            pixels = self.processor(images=list(crops[start:start + self.batch_size]),
                                    return_tensors='pt')['pixel_values']
            out.append(_pooled(self.model.get_image_features(
                pixel_values=pixels.to(self.device))))
        return torch.cat(out)


def _pooled(output: Any) -> Tensor:
    # transformers 5 returns an output object, 4 the tensor itself
    return getattr(output, 'pooler_output', output).float().cpu()

"""Text-video retrieval, and the scores of minimal pairs: no parameters of their own."""

import torch
from torch import Tensor

from finsta.models.backbones.base import BackboneFeatures, VideoLanguageBackbone
from finsta.models.heads.base import BackboneInfo, TaskHead
from finsta.registry import MODELS
from finsta.structures import VideoTextSample, pair_groups


@MODELS.register_module()
class RetrievalHead(TaskHead):
    """The backbone's own contrastive loss; predicts embeddings.

    ``predict`` returns per sample ``video_emb`` (E,) or (Q, E), ``text_embs`` (K, E) of its K
    captions, ``caption_ids`` and ids.
    """

    def __init__(self, info: BackboneInfo, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)

    def loss(self, backbone: VideoLanguageBackbone, text: BackboneFeatures,
             video: BackboneFeatures, samples: list[VideoTextSample]) -> dict[str, Tensor]:
        """The host objective of the backbone."""
        return backbone.host_loss(text, video, pair_groups(samples, video.video_pooled.device))

    @torch.no_grad()
    def predict(self, backbone: VideoLanguageBackbone, video: BackboneFeatures, frames: Tensor,
                frame_mask: Tensor, samples: list[VideoTextSample]) -> list[dict]:
        """Embeddings of each video and of all its captions."""
        text = backbone.encode_text([c for s in samples for c in s.captions or (s.text,)])
        return self.embeddings(text, video, samples)

    def embeddings(self, text: BackboneFeatures, video: BackboneFeatures,
                   samples: list[VideoTextSample]) -> list[dict]:
        """:meth:`predict` of features: the captions of all samples one after another, videos."""
        captions = [list(s.captions or (s.text,)) for s in samples]
        rows = text.text_pooled.float().cpu().split([len(row) for row in captions])
        videos = video.video_pooled if video.video_queries is None else video.video_queries
        out = []
        for i, sample in enumerate(samples):
            ids = sample.caption_ids or tuple(f'{sample.sample_id}#{k}'
                                              for k in range(len(captions[i])))
            out.append({'sample_id': sample.sample_id, 'video_id': sample.video_id,
                        'video_emb': videos[i].float().cpu(),
                        'text_embs': rows[i], 'caption_ids': list(ids)})
        return out


@MODELS.register_module()
class PairScoreHead(TaskHead):
    """Zero-shot scores of the captions of a minimal pair, for each of its videos."""

    def __init__(self, info: BackboneInfo, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)

    def loss(self, backbone: VideoLanguageBackbone, text: BackboneFeatures,
             video: BackboneFeatures, samples: list[VideoTextSample]) -> dict[str, Tensor]:
        """Minimal pairs are for testing only."""
        raise TypeError('PairScoreHead only tests; train with RetrievalHead or post-train')

    @torch.no_grad()
    def predict(self, backbone: VideoLanguageBackbone, video: BackboneFeatures, frames: Tensor,
                frame_mask: Tensor, samples: list[VideoTextSample]) -> list[dict]:
        """``scores``: one float per caption of the pair."""
        scores = backbone.choice_scores([list(s.captions) for s in samples], video)
        return [{'pair_id': s.meta['pair_id'], 'factor': s.meta['factor'],
                 'video': s.meta['video'], 'scores': row.float().cpu()}
                for s, row in zip(samples, scores, strict=True)]

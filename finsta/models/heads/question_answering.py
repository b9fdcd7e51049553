"""Open-ended video question answering over an answer vocabulary.

``OpenEndedQAHead`` is fine-tuned; ``ZeroShotQAHead`` has no parameters and lets the backbone
score every answer.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from finsta.models.backbones.base import BackboneFeatures, VideoLanguageBackbone
from finsta.models.heads.base import BackboneInfo, TaskHead
from finsta.registry import MODELS
from finsta.structures import VideoTextSample
from finsta.structures.answers import AnswerVocabulary
from finsta.utils.distributed import mean_over_processes


@MODELS.register_module()
class OpenEndedQAHead(TaskHead):
    """Classifier over the answers of the training split.

    With ``fusion='attention'`` the question tokens attend to all video cells in a small
    Transformer decoder, whose mean state stands beside the joint vector: a dual encoder has no
    cross stream of its own. ``fusion='pooled'`` reads the joint vector only (a backbone with a
    cross stream needs no more).

    Args:
        info: widths of the backbone.
        answers: arguments of :class:`AnswerVocabulary`.
        num_classes: rows of the classifier; at least the number of answers, so that one config
            serves vocabularies of any size up to it.
        fusion: 'attention', 'pooled', or 'auto' (pooled when the backbone has a cross stream).
        width, num_layers, num_heads, dropout: of the fusion and the classifier.
    """

    def __init__(self, info: BackboneInfo, answers: dict, num_classes: int = 1000,
                 fusion: str = 'auto', width: int = 512, num_layers: int = 2, num_heads: int = 8,
                 dropout: float = 0.1, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.vocabulary = AnswerVocabulary(**answers)
        if len(self.vocabulary) > num_classes:
            raise ValueError(f'{len(self.vocabulary)} answers do not fit num_classes='
                             f'{num_classes}; raise it or lower answers.top_k')
        if fusion not in ('auto', 'attention', 'pooled'):
            raise ValueError(f"fusion must be 'auto', 'attention' or 'pooled', got {fusion!r}")
        if fusion == 'auto':
            fusion = 'pooled' if 'cross' in info.dims else 'attention'
        self.fusion = None
        joint = info.joint_dim
        if fusion == 'attention':
            self.fusion = _QuestionAttention(info, width, num_layers, num_heads, dropout)
            joint += width
        self.classifier = nn.Sequential(nn.Linear(joint, width), nn.GELU(), nn.LayerNorm(width),
                                        nn.Dropout(dropout), nn.Linear(width, num_classes))

    def logits(self, backbone: VideoLanguageBackbone, text: BackboneFeatures,
               video: BackboneFeatures) -> Tensor:
        """(B, num_classes)."""
        joint = backbone.joint_features(text, video)
        if self.fusion is not None:
            joint = torch.cat([joint, self.fusion(text, video).to(joint.dtype)], dim=-1)
        return self.classifier(joint)

    def loss(self, backbone: VideoLanguageBackbone, text: BackboneFeatures,
             video: BackboneFeatures, samples: list[VideoTextSample]) -> dict[str, Tensor]:
        """Cross entropy; rows whose answer is outside the vocabulary are left out."""
        logits = self.logits(backbone, text, video).float()
        target = torch.tensor([_answer_id(s, self.vocabulary) for s in samples],
                              device=logits.device)
        known = target >= 0
        total = F.cross_entropy(logits[known], target[known], reduction='sum')
        loss = mean_over_processes(total + logits.sum() * 0, known.sum())
        correct = (logits.argmax(1) == target).float()
        return {'loss_qa': loss, 'train_accuracy': correct.mean()}

    @torch.no_grad()
    def predict(self, backbone: VideoLanguageBackbone, video: BackboneFeatures, frames: Tensor,
                frame_mask: Tensor, samples: list[VideoTextSample]) -> list[dict]:
        """The best answer of the vocabulary."""
        text = backbone.encode_text([s.text for s in samples])
        best = self.logits(backbone, text, video)[:, :len(self.vocabulary)].argmax(1)
        return [_prediction(s, int(i), self.vocabulary) for s, i in zip(samples, best,
                                                                        strict=True)]


class _QuestionAttention(nn.Module):
    def __init__(self, info: BackboneInfo, width: int, num_layers: int, num_heads: int,
                 dropout: float) -> None:
        super().__init__()
        self.text = nn.Linear(info.dims['text'], width)
        self.video = nn.Linear(info.dims['video'], width)
        self.frame = nn.Linear(info.embed_dim, width) if info.embed_dim else None
        self.time = nn.Parameter(torch.zeros(max(info.num_frames, 64), width))
        nn.init.normal_(self.time, std=0.02)
        layer = nn.TransformerDecoderLayer(width, num_heads, 2 * width, dropout,
                                           batch_first=True, norm_first=True)
        self.decoder = nn.TransformerDecoder(layer, num_layers, nn.LayerNorm(width))

    def forward(self, text: BackboneFeatures, video: BackboneFeatures) -> Tensor:
        cells = video.video.shape[1]
        if cells > len(self.time):
            raise ValueError(f'{cells} temporal cells, but the QA head holds {len(self.time)} '
                             'time positions')
        memory = self.video(video.video) + self.time[:cells, None]
        mask = video.video_mask
        mask = torch.ones(memory.shape[:2], dtype=torch.bool, device=memory.device) \
            if mask is None else mask.bool()
        token_mask = mask.repeat_interleave(memory.shape[2], dim=1)
        memory = memory.flatten(1, 2)
        if self.frame is not None and video.frame_pooled is not None:
            memory = torch.cat([self.frame(video.frame_pooled) + self.time[:cells], memory], 1)
            token_mask = torch.cat([mask, token_mask], 1)
        states = self.decoder(self.text(text.text), memory,
                              tgt_key_padding_mask=~text.text_mask.bool(),
                              memory_key_padding_mask=~token_mask)
        weight = text.text_mask.unsqueeze(-1).to(states.dtype)
        return (states * weight).sum(1) / weight.sum(1).clamp(min=1)


@MODELS.register_module()
class ZeroShotQAHead(TaskHead):
    """Answers scored by the backbone, no fine-tuned parameters.

    Args:
        info: widths of the backbone.
        answers: arguments of :class:`AnswerVocabulary`.
        template: how question and answer become one text.
        chunk: answers scored at a time, bounds memory.
    """

    def __init__(self, info: BackboneInfo, answers: dict, template: str = '{question} {answer}',
                 chunk: int = 64, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.vocabulary = AnswerVocabulary(**answers)
        self.template, self.chunk = template, chunk

    def loss(self, backbone: VideoLanguageBackbone, text: BackboneFeatures,
             video: BackboneFeatures, samples: list[VideoTextSample]) -> dict[str, Tensor]:
        """There is nothing to train."""
        raise TypeError('ZeroShotQAHead only tests; fine-tune with OpenEndedQAHead')

    @torch.no_grad()
    def predict(self, backbone: VideoLanguageBackbone, video: BackboneFeatures, frames: Tensor,
                frame_mask: Tensor, samples: list[VideoTextSample]) -> list[dict]:
        """The answer whose text the backbone scores highest."""
        parts = []
        words = self.vocabulary.words
        for start in range(0, len(words), self.chunk):
            chunk = words[start:start + self.chunk]
            texts = [[self.template.format(question=s.text, answer=w) for w in chunk]
                     for s in samples]
            parts.append(backbone.choice_scores(texts, video))
        best = torch.cat(parts, dim=1).argmax(1)
        return [_prediction(s, int(i), self.vocabulary) for s, i in zip(samples, best,
                                                                        strict=True)]


def _answer_id(sample: VideoTextSample, vocabulary: AnswerVocabulary) -> int:
    """Class of the sample's answer, -1 outside the vocabulary. The head's own vocabulary decides:
    the data set's ``answer_id`` may count another file, or more answers."""
    return sample.answer_id if sample.answer is None else vocabulary.index(sample.answer)


def _prediction(sample: VideoTextSample, index: int, vocabulary: AnswerVocabulary) -> dict:
    return {'sample_id': sample.sample_id, 'answer_id': _answer_id(sample, vocabulary),
            'answer': sample.answer, 'pred_id': index, 'pred': vocabulary.words[index],
            'meta': dict(sample.meta)}

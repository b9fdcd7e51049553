"""Video and text in, similarities, answers and scene graphs out, from Python.

>>> finsta = FinstaInferencer('work_dirs/posttrain_msvd/backbone')           # doctest: +SKIP
>>> finsta.similarity('clip.mp4', ['a dog runs', 'a man cooks'])             # doctest: +SKIP
[0.31, 0.12]
"""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from finsta.datasets.transforms.sampling import sample_indices
from finsta.datasets.transforms.video import open_video
from finsta.registry import BACKBONES, MATCHERS, SG_PARSERS
from finsta.structures import HolisticSceneGraph, VideoTextSample


class FinstaInferencer:
    """A backbone or a whole model, and the parsers, behind three methods.

    Args:
        model: folder or shipped name of a saved backbone, or a model of
            :func:`finsta.apis.get_model`.
        device: where the backbone runs.
        text_parser, video_parser, matcher: configs; the defaults need no downloaded weights.
            They are built when first used.
    """

    def __init__(self, model: str | os.PathLike | nn.Module, device: torch.device | str = 'cpu',
                 text_parser: dict | None = None, video_parser: dict | None = None,
                 matcher: dict | None = None) -> None:
        if isinstance(model, nn.Module):
            self.model, self.backbone = model, getattr(model, 'backbone', model)
        else:
            self.model = None
            self.backbone = BACKBONES.build(dict(type='SavedBackbone', pretrained=str(model)))
        self.device = torch.device(device)
        self.backbone.eval().to(self.device)
        self.configs: dict[str, dict[str, Any]] = {
            'text': text_parser or dict(type='RuleTextParser'),
            'video': video_parser or dict(type='MotionVideoParser'),
            'matcher': matcher or dict(type='LexicalMatcher')}
        self._built: dict[str, Any] = {}

    @torch.inference_mode()
    def similarity(self, video: str | os.PathLike, texts: Sequence[str]) -> list[float]:
        """The backbone's score of each text with the video."""
        texts = _texts(texts)
        features = self.backbone.encode_video(*self._frames(video))
        scores = self.backbone.similarity(self.backbone.encode_text(texts), features)
        return [float(score) for score in scores[:, 0]]

    @torch.inference_mode()
    def answer(self, video: str | os.PathLike, question: str,
               choices: Sequence[str] | None = None) -> str:
        """The answer to a question: the best of ``choices``, else of the model's head.

        Raises:
            ValueError: when there are neither choices nor a question-answering head.
        """
        frames, mask = self._frames(video)
        if choices is not None:
            texts = [[f'{question} {choice}' for choice in _texts(choices)]]
            scores = self.backbone.score_choices(texts, frames, mask)
            return choices[int(scores[0].argmax())]
        head = getattr(self.model, 'head', None)
        if not hasattr(head, 'vocabulary'):
            raise ValueError("this model has no question-answering head: give choices, or a model "
                             "of get_model('finsta/videoqa_msvd', checkpoint)")
        sample = VideoTextSample(video_id=str(video), video_path=str(video), text=question)
        head.eval().to(self.device)
        features = self.backbone.encode_video(frames, mask)
        return head.predict(self.backbone, features, frames, mask, [sample])[0]['pred']

    def scene_graphs(self, video: str | os.PathLike, text: str) -> HolisticSceneGraph:
        """TSG (``.tsg``), DSG (``.dsg``) and the coreference between them (``.cross``)."""
        tsg = self._part('text', SG_PARSERS).parse([text])[0]
        dsg = self._part('video', SG_PARSERS).parse([str(video)])[0]
        return self._part('matcher', MATCHERS).match(tsg, dsg)

    def _frames(self, video: str | os.PathLike) -> tuple[Tensor, Tensor]:
        """Preprocessed frames (1, F, 3, h, w), the middles of F equal parts of the video
        (all frames of a shorter one), and their mask."""
        with open_video(video) as reader:
            index = sample_indices(len(reader), self.backbone.num_frames)
            frames = reader.get_batch(index.tolist())
        clip = torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2)[None]
        mask = torch.ones(1, len(index), dtype=torch.bool, device=self.device)
        return self.backbone.preprocess_frames(clip.to(self.device)), mask

    def _part(self, name: str, registry: Any) -> Any:
        if name not in self._built:
            self._built[name] = registry.build(self.configs[name])
        return self._built[name]


def _texts(texts: Sequence[str]) -> list[str]:
    if isinstance(texts, str) or not texts:
        raise ValueError(f'a list with at least one text is needed, got {texts!r}')
    return list(texts)

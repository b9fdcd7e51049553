"""The noun that travels from a data set to the model: one video with its text."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import torch
from torch import Tensor

from finsta.structures.holistic import HolisticSceneGraph
from finsta.structures.scene_graph import DynamicSceneGraph, SceneGraph


@dataclass
class VideoTextSample:
    """One annotation row after loading.

    Attributes:
        video_id: id of the video, as in the annotation file.
        video_path: file of the video.
        text: the caption (post-training, retrieval) or the question (QA).
        captions: every caption of the video, where the row stands for the video.
        answer: answer string of a QA row; None when unknown.
        answer_id: index into the answer vocabulary; -1 when out of vocabulary or unknown.
        choices: answer options of multiple choice, in order.
        sample_id: unique id of the row; links predictions to annotations.
        caption_ids: ids of ``captions``, unique over the data set.
        start, end: seconds of the segment of the video; None for the whole.
        tsg, dsg, hsg: graphs, where they were loaded.
        meta: anything else the layout holds (question type, category, ...).
    """

    video_id: str
    video_path: str
    text: str = ''
    captions: tuple[str, ...] = ()
    answer: str | None = None
    answer_id: int = -1
    choices: tuple[str, ...] = ()
    sample_id: str = ''
    caption_ids: tuple[str, ...] = ()
    start: float | None = None
    end: float | None = None
    tsg: SceneGraph | None = None
    dsg: DynamicSceneGraph | None = None
    hsg: HolisticSceneGraph | None = None
    meta: dict[str, Any] = field(default_factory=dict)


def pair_groups(samples: Sequence[VideoTextSample], device: torch.device | str = 'cpu'
                ) -> Tensor:
    """(B, 2) long: a number of each sample's video, or of the segment of it that the sample shows,
    and one of its text, whatever its case and blanks. Equal on every process; see
    :func:`alike`."""
    keys = [((s.video_id, s.start, s.end), ' '.join(s.text.lower().split())) for s in samples]
    numbers = [[_number(part) for part in key] for key in keys]
    return torch.tensor(numbers, dtype=torch.long, device=device).view(-1, 2)


def _number(key: object) -> int:
    digest = blake2b(repr(key).encode(), digest_size=8).digest()
    return int.from_bytes(digest, 'big', signed=True)


def alike(rows: Tensor, others: Tensor) -> Tensor:
    """(n, m) bool: whose text is true of whose video, since they share the one or the other.

    Args:
        rows, others: (n, 2) and (m, 2) of :func:`pair_groups`; or (n,) and (m,) of one number.
    """
    same = rows[:, None] == others
    return same.any(2) if same.dim() == 3 else same

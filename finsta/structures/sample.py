"""The noun that travels from a data set to the model: one video with its text."""

from dataclasses import dataclass, field
from typing import Any

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

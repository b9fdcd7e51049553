"""MSRVTT-QA (Xu et al. 2017): open-ended questions about the MSR-VTT clips.

Layout: ``{train,val,test}_qa.json`` as in MSVD-QA, or csv ``video,question,answer,qid,type``;
video N is the clip ``video<N>``. 158,581 / 12,278 / 72,821 questions.
"""

from finsta.datasets.msvd_qa import MSVDQA
from finsta.registry import DATASETS


class _Numbers(dict):
    """N -> ``video<N>`` for every N; the layout has no mapping file."""

    def get(self, key: int, default: str | None = None) -> str:
        return f'video{key}'


@DATASETS.register_module()
class MSRVTTQA(MSVDQA):
    """Questions with one-word answers; arguments of :class:`MSVDQA` without ``mapping``."""

    name = 'MSRVTT-QA'
    layout = 'msrvtt_qa'
    synthvl = 'msrvtt'
    video_dir = 'videos/all'
    extension = '.mp4'

    def _mapping(self) -> dict[int, str]:
        return _Numbers()

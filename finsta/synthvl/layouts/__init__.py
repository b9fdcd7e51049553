"""Published layouts that the world can be written in; one file each.

A layout says how a video is named and where it lies, and writes the annotation files. A new one
is a class with these methods and a line here.
"""

from pathlib import Path
from typing import Any, Protocol

from finsta.synthvl.layouts.msrvtt import MsrvttLayout
from finsta.synthvl.layouts.msvd import MsvdLayout
from finsta.synthvl.layouts.webvid import WebvidLayout


class Layout(Protocol):
    """What the generator asks of a layout.

    Attributes:
        captions: least and most captions of a video.
    """

    captions: tuple[int, int]

    def video_id(self, number: int, seconds: int) -> str:
        """Id of the ``number``-th video (from 1) of a length in whole seconds."""

    def video_file(self, video_id: str) -> str:
        """Path of a video under the data root."""

    def caption_forms(self, text: str) -> tuple[str, ...]:
        """How a caption stands in the files, the main form first. Forms keep the characters'
        places (case and what is cut from the end may differ), so that spans stay right."""

    def question_forms(self, text: str) -> tuple[str, ...]:
        """The same for a question; empty where the layout has no questions."""

    def write(self, out: Path, records: list[dict[str, Any]]) -> None:
        """Annotation files from records: split, number, video_id, seconds, size, captions,
        questions (question, answer, kind, choices, correct)."""


LAYOUTS: dict[str, Layout] = {'msvd': MsvdLayout(), 'msrvtt': MsrvttLayout(),
                              'webvid': WebvidLayout()}

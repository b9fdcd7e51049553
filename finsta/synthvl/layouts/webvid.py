"""WebVid: one caption a video, no questions.

``videos/<first>_<last>/<n>.mp4`` and ``{split}.json``, lists of ``{"video": "<path under
videos/>", "caption"}``. Names count from 1 in each folder, so that they repeat, as those of
joined corpora may.
"""

from pathlib import Path
from typing import Any

from finsta.synthvl.layouts.files import SPLITS, write_json

_IN_A_FOLDER = 50


class WebvidLayout:
    """See the module."""

    captions = (1, 1)

    def video_id(self, number: int, seconds: int) -> str:
        """``<first>_<last>/<n>``, the path without extension."""
        folder, place = divmod(number - 1, _IN_A_FOLDER)
        first = folder * _IN_A_FOLDER + 1
        return f'{first:06d}_{first + _IN_A_FOLDER - 1:06d}/{place + 1}'

    def video_file(self, video_id: str) -> str:
        """Under videos."""
        return f'videos/{video_id}.mp4'

    def caption_forms(self, text: str) -> tuple[str, ...]:
        """As written."""
        return (text,)

    def question_forms(self, text: str) -> tuple[str, ...]:
        """None."""
        return ()

    def write(self, out: Path, records: list[dict[str, Any]]) -> None:
        """All annotation files."""
        for split in SPLITS:
            write_json(out / f'{split}.json', [
                {'video': f'{r["video_id"]}.mp4', 'caption': caption}
                for r in records if r['split'] == split for caption in r['captions']])

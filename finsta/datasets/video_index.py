"""Which of a data set's videos lie on disk, under whatever extension (ours)."""

import os
from pathlib import Path

from finsta.datasets.tally import Tally
from finsta.utils.video_names import VIDEO_EXTENSIONS, video_path_id, video_stem

__all__ = ['VIDEO_EXTENSIONS', 'VideoIndex', 'video_stem']


class VideoIndex:
    """Id -> file, from one scan of a folder.

    Args:
        root: folder of the videos; an absent folder is an empty index.
        recursive: also look into sub-folders; an id then is the path under ``root``: names of
            files repeat across folders.

    Of two files with one id, the extension that stands first in ``VIDEO_EXTENSIONS`` is taken,
    and the other counted in ``tally``.
    """

    def __init__(self, root: str | Path, recursive: bool = False) -> None:
        self.root = str(root)
        self.tally = Tally('video folder')
        self._files: dict[str, str] = {}
        self.exists = os.path.isdir(self.root)
        if self.exists:
            self._scan(recursive)

    def _scan(self, recursive: bool) -> None:
        for folder, folders, names in os.walk(self.root, followlinks=False):
            folders.sort()
            for name in sorted(names):
                extension = os.path.splitext(name)[1].lower()
                if extension in VIDEO_EXTENSIONS:
                    path = os.path.join(folder, name)
                    self._add(video_path_id(os.path.relpath(path, self.root)), path, extension)
            if not recursive:
                break

    def _add(self, video_id: str, path: str, extension: str) -> None:
        other = self._files.get(video_id)
        if other is None:
            self._files[video_id] = path
            return
        rank = VIDEO_EXTENSIONS.index(os.path.splitext(other)[1].lower())
        keep, drop = (other, path) if rank <= VIDEO_EXTENSIONS.index(extension) else (path, other)
        self._files[video_id] = keep
        self.tally.add('two_files_of_one_id', f'{keep} is read, {drop} is not')

    def get(self, video_id: str) -> str | None:
        """File of a video or None."""
        return self._files.get(video_id)

    def __len__(self) -> int:
        return len(self._files)

"""Names of video files and the ids in them: one rule for data sets and parsers (ours)."""

import os

# the first one is taken where a folder has one id under several extensions
VIDEO_EXTENSIONS = ('.avi', '.mp4', '.mkv', '.webm', '.gif', '.mov', '.m4v', '.ts', '.mpg',
                    '.mpeg', '.wmv', '.flv', '.ogv', '.3gp')


def video_stem(name: str) -> str:
    """A file name without folder and without a video extension; ids may contain dots."""
    name = name.replace('\\', '/').rsplit('/', 1)[-1]
    stem, extension = os.path.splitext(name)
    return stem if extension.lower() in VIDEO_EXTENSIONS else name


def video_path_id(path: str) -> str:
    """A path with ``/`` between its parts, without a video extension: the id of a video whose
    folder counts."""
    path = path.replace('\\', '/')
    folder, name = path.rpartition('/')[::2]
    return f'{folder}/{video_stem(name)}' if folder else video_stem(name)

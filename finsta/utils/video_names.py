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

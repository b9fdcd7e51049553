"""Text and video to scene graphs; importing this package stays light.

Each parser's own dependencies (spaCy, transformers, OpenCV) are imported when it is built.
"""

from finsta.parsing import matchers, store, text, video

__all__ = ['matchers', 'store', 'text', 'video']

"""Finsta: fine-grained structural spatio-temporal alignment for video-language models.

Importing the package needs torch and mmengine only; every heavier dependency is imported where
it is used.
"""

from finsta.utils import compat as _compat
from finsta.version import __version__

_compat.apply()

__all__ = ['__version__']

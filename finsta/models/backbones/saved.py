"""A backbone that describes itself: built from the folder that ``backbone.save`` wrote.

Post-trained backbones and the weights shipped in the package are used by name or folder, so a
config need not repeat their sizes.
"""

from pathlib import Path
from typing import Any

from finsta.registry import BACKBONES

from .base import VideoLanguageBackbone
from .checkpoint import is_saved_backbone, load_backbone

WEIGHTS = Path(__file__).resolve().parents[2] / 'weights'


def find_saved(name: str) -> Path:
    """A folder of a saved backbone: as given, else among the weights shipped in the package.

    Raises:
        FileNotFoundError: naming the places looked at and the weights that are shipped.
    """
    for folder in (Path(name), WEIGHTS / name):
        if folder.is_dir() and is_saved_backbone(folder):
            return folder
    shipped = sorted(f.name for f in WEIGHTS.iterdir() if f.is_dir() and is_saved_backbone(f)) \
        if WEIGHTS.is_dir() else []
    raise FileNotFoundError(f'pretrained={name!r}: no saved backbone in {Path(name)} or '
                            f'{WEIGHTS / name}. Shipped with the package: '
                            f'{", ".join(shipped) or "none"}. Post-training writes one to '
                            '<work_dir>/backbone')


@BACKBONES.register_module()
def SavedBackbone(pretrained: str, **overrides: Any) -> VideoLanguageBackbone:
    """Config entry ``dict(type='SavedBackbone', pretrained=<folder or shipped name>)``.

    Args:
        pretrained: folder, or name of weights in the package.
        overrides: config entries of the backbone to change, e.g. ``num_frames=4``.
    """
    return load_backbone(find_saved(str(pretrained)), **overrides)

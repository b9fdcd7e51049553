"""A backbone that describes itself: built from the folder that ``backbone.save`` wrote.

Post-trained backbones and the weights shipped in the package are used by name or folder, so a
config need not repeat their sizes.
"""

import os
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

from finsta.registry import BACKBONES

from .base import VideoLanguageBackbone
from .checkpoint import CheckpointError, is_saved_backbone, load_backbone, read_saved_config

# what a saved backbone brings itself
_OF_THE_FOLDER = {'type', 'pretrained', 'tokenizer', 'text', 'vision'}
WEIGHTS = Path(__file__).resolve().parents[2] / 'weights'


def find_saved(name: str, option: str = 'pretrained=') -> Path:
    """A folder of a saved backbone: as given, else among the weights shipped in the package.

    Args:
        option: where the name was given, for the message, e.g. ``'--checkpoint '``.

    Raises:
        FileNotFoundError: naming the places looked at and the weights that are shipped.
    """
    for folder in (Path(name), WEIGHTS / name):
        if folder.is_dir() and is_saved_backbone(folder):
            return folder
    shipped = sorted(f.name for f in WEIGHTS.iterdir() if f.is_dir() and is_saved_backbone(f)) \
        if WEIGHTS.is_dir() else []
    raise FileNotFoundError(f'{option}{name!r}: no saved backbone in {Path(name)} or '
                            f'{WEIGHTS / name}. Shipped with the package: '
                            f'{", ".join(shipped) or "none"}. Post-training writes one to '
                            '<work_dir>/backbone')


def take_sizes(backbone: MutableMapping[str, Any], source: str | os.PathLike | None) -> None:
    """Before building a model whose weights ``source`` will replace: what the config would start
    from (a CLIP, BLIP-2) is not needed then.

    In place: ``pretrained`` becomes the folder (see :func:`as_saved`). Of a config that starts
    from BLIP-2, ``blip2_pretrained`` becomes None, ``tokenizer`` the folder's; vision, text and
    adapter are the folder's where the config has none of its own. Nothing changes unless
    ``source`` is the folder of a saved backbone of the config's class.
    """
    if source is None or not is_saved_backbone(source):
        return
    saved = read_saved_config(source)
    if saved.get('type') != backbone.get('type'):
        return
    if 'blip2_pretrained' not in backbone:
        if 'pretrained' in backbone:
            backbone['pretrained'] = str(source)
        return
    backbone.update(blip2_pretrained=None, tokenizer=saved['tokenizer'])
    for part in ('vision', 'text', 'adapter'):
        if backbone.get(part) is None:
            backbone[part] = saved[part]


def as_saved(backbone: Mapping[str, Any]) -> dict[str, Any]:
    """A backbone's config; where its ``pretrained`` is the folder of a saved backbone of the same
    class, that of the saved one: a real config says which CLIP it starts from, and has no sizes
    for anything else. Sizes of the towers and the tokeniser are the folder's, the rest stays the
    config's. (STGT's configs have all sizes; see :func:`take_sizes`.)

    Raises:
        CheckpointError: the folder is one of another class, or has no adapters where the config
            has.
    """
    config, source = dict(backbone), backbone.get('pretrained')
    if 'blip2_pretrained' in config or config.get('type') == 'SavedBackbone' or source is None \
            or not is_saved_backbone(source):
        return config
    saved = read_saved_config(source)
    if (found := saved.get('type')) != config.get('type'):
        # before the config's own tokeniser is asked for, on the hub
        raise CheckpointError(f'model.backbone.pretrained={source} holds a {found}, and the '
                              f'config is for {config.get("type")}: name a folder of that, or '
                              f'take a config for {found}')
    if config.get('lora') and not saved.get('lora'):
        raise CheckpointError(f'model.backbone.pretrained={source} has no LoRA adapters, and '
                              'model.backbone.lora of the config asks for some: set it to None')
    kept = {k: v for k, v in config.items() if v is not None and k not in _OF_THE_FOLDER}
    return dict(type='SavedBackbone', pretrained=str(source), **kept)


@BACKBONES.register_module()
def SavedBackbone(pretrained: str, **overrides: Any) -> VideoLanguageBackbone:
    """Config entry ``dict(type='SavedBackbone', pretrained=<folder or shipped name>)``.

    Args:
        pretrained: folder, or name of weights in the package.
        overrides: config entries of the backbone to change, e.g. ``num_frames=4``.
    """
    return load_backbone(find_saved(str(pretrained)), **overrides)

"""Models by the name of their config."""

import fnmatch
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import nn

from finsta.engine.checkpoint import load_weights
from finsta.engine.config_check import config_mistakes_named
from finsta.engine.launch import CONFIG_ROOTS, read_config
from finsta.models.backbones.saved import take_sizes
from finsta.registry import MODELS


def list_models(pattern: str = '*') -> list[str]:
    """Names of the configs that come with the package, e.g. ``'finsta/videoqa_msvd'``.

    Args:
        pattern: shell pattern that a name, or the part after its last slash, matches.
    """
    names = set()
    for root in CONFIG_ROOTS:
        folder = root / 'configs'
        for file in folder.rglob('*.py'):
            relative = file.relative_to(folder)
            if relative.parts[0] != '_base_':
                names.add(relative.with_suffix('').as_posix())
    return sorted(name for name in names if fnmatch.fnmatch(name, pattern)
                  or fnmatch.fnmatch(name.rsplit('/', 1)[-1], pattern))


def get_config(name: str, options: dict | None = None) -> Config:
    """The config of a name of :func:`list_models`, or of a config file.

    Args:
        options: changes, with dotted keys: ``{'model.backbone.num_frames': 4}``.

    Raises:
        FileNotFoundError: naming those that come closest.
        ConfigError: a key or type that nothing takes.
    """
    return read_config(name if name.endswith('.py') else f'{name}.py', options or {})


def get_model(name: str, pretrained: str | Path | None = None, zero_shot: bool = False,
              device: torch.device | str = 'cpu', options: dict | None = None) -> nn.Module:
    """A whole model, in eval mode.

    Args:
        name: see :func:`get_config`.
        pretrained: checkpoint of this model, or the folder of a saved backbone (then its head
            stays as initialised, unless it has no weights); None = the config's own weights.
        zero_shot: take the config's ``zero_shot_head``.
        device: where the model goes.
        options: changes of the config.

    Raises:
        ValueError: when ``zero_shot`` is asked of a config without such a head.
        CheckpointError: when the weights do not fit.
    """
    config = get_config(name, options)
    if zero_shot:
        if config.get('zero_shot_head') is None:
            raise ValueError(f'the config {name} has no zero_shot_head')
        config.model.head = config.zero_shot_head
    init_default_scope(config.get('default_scope', 'finsta'))
    take_sizes(config.model.get('backbone', {}), pretrained)
    with config_mistakes_named(config):
        model = MODELS.build(config.model)
    if pretrained is not None:
        alone = zero_shot or Path(pretrained).is_dir()
        load_weights(model, pretrained, optional=('head',) if alone else ())
    return model.eval().to(device)

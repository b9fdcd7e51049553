"""Weights of a backbone alone: read, compare, load, save. Nothing is skipped silently.

A saved backbone is a folder: ``model.safetensors``, ``config.json`` (format, class and sizes as a
config dict, sha256 of the weights, where they come from) and ``tokenizer/`` unless the shipped one
is used. Ours.
"""

import hashlib
import json
import os
import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from mmengine.logging import print_log
from torch import Tensor, nn

from finsta.utils.errors import CheckpointError
from finsta.utils.optional import require

FORMAT = 'finsta-backbone'
VERSION = 1
# settings of a config that say nothing about what the weights mean
FREE_KEYS = {'pretrained', 'tokenizer', 'init_cfg', 'allow_missing', 'allow_unexpected',
             'num_frames', 'max_text_length', 'local_loss', 'gather_with_grad', 'prompt',
             'host_losses', 'lora', 'dropout', 'hidden_layer', 'sim_threshold', 'attention',
             'freeze_vision', 'gradient_checkpointing', 'choice_score'}
# what a config of transformers holds beside sizes and behaviour; it changes with its version
BOOKKEEPING = {'transformers_version', 'dtype', 'torch_dtype', 'model_type', 'initializer_range',
               'initializer_factor'}


@dataclass
class KeyReport:
    """How a state dict fits a model; ``mismatched`` holds (key, shape in file, shape in model)."""

    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    mismatched: list[tuple[str, tuple[int, ...], tuple[int, ...]]] = field(default_factory=list)

    def __bool__(self) -> bool:
        """True when something does not fit."""
        return bool(self.missing or self.unexpected or self.mismatched)

    def without(self, allow_missing: Iterable[str], allow_unexpected: Iterable[str]) \
            -> 'KeyReport':
        """The report less keys that match (``re.match``) an allowed pattern."""
        missing = [re.compile(p) for p in allow_missing]
        unexpected = [re.compile(p) for p in allow_unexpected]
        return KeyReport([k for k in self.missing if not any(p.match(k) for p in missing)],
                         [k for k in self.unexpected if not any(p.match(k) for p in unexpected)],
                         list(self.mismatched))

    def text(self, limit: int = 10) -> str:
        """Readable lists, at most ``limit`` keys each."""
        def show(name: str, rows: Sequence[Any]) -> str:
            more = f' and {len(rows) - limit} more' if len(rows) > limit else ''
            return f'{len(rows)} {name}: ' + ', '.join(str(r) for r in rows[:limit]) + more
        rows = [f'{k} file {a} model {b}' for k, a, b in self.mismatched]
        parts = [('missing', self.missing), ('unexpected', self.unexpected), ('mismatched', rows)]
        return '; '.join(show(name, keys) for name, keys in parts if keys) or 'all keys fit'


def compare(expected: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> KeyReport:
    """Missing, unexpected and shape-mismatched keys of ``given``."""
    shared = [k for k in expected if k in given]
    return KeyReport(
        [k for k in expected if k not in given], [k for k in given if k not in expected],
        [(k, tuple(given[k].shape), tuple(expected[k].shape)) for k in shared
         if given[k].shape != expected[k].shape])


def load_strictly(module: nn.Module, state: Mapping[str, Tensor], source: str,
                  allow_missing: Iterable[str] = (), allow_unexpected: Iterable[str] = ()) \
        -> KeyReport:
    """Load ``state`` into ``module``; returns the full report, allowed keys included.

    Raises:
        CheckpointError: for any missing, unexpected or mismatched key that is not allowed;
            the module is then unchanged.
    """
    report = compare(module.state_dict(), state)
    bad = report.without(allow_missing, allow_unexpected)
    if bad:
        raise CheckpointError(
            f'{source} does not fit {type(module).__name__}: {bad.text()}. Give the sizes of the '
            'checkpoint, or name keys that may differ in allow_missing / allow_unexpected')
    if report:
        print_log(f'{source}: allowed differences: {report.text()}', logger='current')
    module.load_state_dict({k: v for k, v in state.items() if k not in set(report.unexpected)},
                           strict=False)
    return report


def read_state_dict(path: str | os.PathLike) -> dict[str, Tensor]:
    """Tensors of a ``.safetensors`` file, or of a ``.pth`` / ``.pt`` / ``.bin`` file read with
    ``weights_only``, on the CPU. What stands under 'state_dict' or 'model' is unwrapped, the
    prefix 'module.' taken off; what is no tensor is left out.

    Raises:
        FileNotFoundError: naming the path.
        CheckpointError: damaged file, something other than weights, or no weights inside.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'there is no checkpoint at {path}')
    if path.suffix == '.safetensors':
        safetensors = require('safetensors.torch', 'reading a .safetensors file')
        try:
            return safetensors.load_file(str(path))
        except Exception as error:
            raise CheckpointError(f'{path} is not a readable safetensors file, or is damaged: '
                                  f'{error}') from error
    try:
        state: Any = torch.load(path, map_location='cpu', weights_only=True)
    except Exception as error:
        # torch's older format is no zip archive either, but can be read
        if not zipfile.is_zipfile(path):
            raise CheckpointError(
                f'{path} is not a checkpoint, or was cut off while it was written '
                f'({path.stat().st_size} bytes); take the one before it') from error
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise CheckpointError(f'{path} holds something other than plain weights, or is damaged, '
                              f'and was not opened: {reason}') from error
    for key in ('state_dict', 'model'):
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    state = state if isinstance(state, dict) else {}
    tensors = {key: value for key, value in state.items() if isinstance(value, Tensor)}
    if not tensors:
        raise CheckpointError(f'{path} holds no weights (expected a dict of tensors, or one '
                              'under the key "state_dict")')
    return {key.removeprefix('module.'): value for key, value in tensors.items()}


def backbone_part(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The entries of a whole model under ``backbone.``, else all."""
    inside = {k[len('backbone.'):]: v for k, v in state.items() if k.startswith('backbone.')}
    return inside or dict(state)


def sha256(path: str | os.PathLike) -> str:
    """Hex digest of a file."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        for chunk in iter(lambda: file.read(1 << 20), b''):
            digest.update(chunk)
    return digest.hexdigest()


def is_saved_backbone(path: str | os.PathLike) -> bool:
    """Whether ``path`` is a folder that :func:`save_backbone` wrote."""
    config = Path(path) / 'config.json'
    if not config.is_file():
        return False
    try:
        return json.loads(config.read_text(encoding='utf-8')).get('format') == FORMAT
    except (ValueError, AttributeError) as error:
        raise CheckpointError(f'{config} is not a JSON object: {error}') from error


def save_backbone(backbone: nn.Module, folder: str | os.PathLike,
                  provenance: Mapping[str, Any] | None = None,
                  dtype: torch.dtype | None = None) -> Path:
    """Write ``backbone`` alone (no structure, no head) to ``folder``.

    Args:
        provenance: JSON-able facts about the weights: command, seed, data, date.
        dtype: of the stored floating-point tensors, e.g. ``torch.float16`` for half the size;
            None keeps the model's. A loaded backbone is fp32 again.
    """
    from .tokenizers import save_tokenizer
    safetensors = require('safetensors.torch', 'saving a backbone')
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    state = {k: v.detach().cpu().clone().contiguous() for k, v in backbone.state_dict().items()}
    if dtype is not None:
        state = {k: v.to(dtype) if v.is_floating_point() else v for k, v in state.items()}
    weights, aside = folder / 'model.safetensors', folder / 'model.safetensors.tmp'
    safetensors.save_file(state, str(aside), metadata={'format': 'pt'})
    aside.chmod(0o644)  # safetensors creates it for the owner only
    os.replace(aside, weights)
    config = dict(backbone.cfg)
    if config.get('tokenizer') != 'tiny':
        save_tokenizer(backbone.tokenizer, folder / 'tokenizer')
        config['tokenizer'] = 'tokenizer'
    info = dict(format=FORMAT, version=VERSION, config=config, sha256=sha256(weights),
                num_parameters=sum(p.numel() for p in backbone.parameters()),
                provenance=dict(provenance or {}))
    text = json.dumps(info, indent=2, sort_keys=True) + '\n'
    (folder / 'config.json').write_text(text, encoding='utf-8')
    return folder


def _read_info(folder: Path) -> dict[str, Any]:
    """config.json, with the tokeniser's path made whole."""
    if not is_saved_backbone(folder):
        raise CheckpointError(f'{folder} is not a saved backbone: config.json with '
                              f'"format": "{FORMAT}" is missing')
    info = json.loads((folder / 'config.json').read_text(encoding='utf-8'))
    if info.get('version', 0) > VERSION:
        raise CheckpointError(f'{folder} has format version {info["version"]}, this finsta reads '
                              f'up to {VERSION}; update finsta')
    if info['config'].get('tokenizer') == 'tokenizer':
        info['config']['tokenizer'] = str(folder / 'tokenizer')
    return info


def read_saved_config(folder: str | os.PathLike) -> dict[str, Any]:
    """Config dict of a saved backbone; its weights are not read.

    Raises:
        CheckpointError: not such a folder, or a newer format.
    """
    return _read_info(Path(folder))['config']


def read_saved(folder: str | os.PathLike) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Config dict and tensors of a saved backbone, its hash checked.

    Raises:
        CheckpointError: not such a folder, a newer format, or weights that were changed.
    """
    folder = Path(folder)
    info = _read_info(folder)
    weights = folder / 'model.safetensors'
    state = read_state_dict(weights)
    if sha256(weights) != info.get('sha256'):
        raise CheckpointError(f'{weights} does not have the sha256 that config.json names; '
                              'fetch it again')
    return info['config'], state


def load_backbone(folder: str | os.PathLike, **overrides: Any) -> nn.Module:
    """Build the backbone that ``folder`` describes and load its weights.

    Args:
        overrides: config entries to change, e.g. ``num_frames=4``; sizes must stay.
    """
    from finsta.registry import BACKBONES
    config, state = read_saved(folder)
    backbone = BACKBONES.build({**config, **overrides})
    load_strictly(backbone, backbone.fit_frames(state), str(folder))
    return backbone


def load_into(backbone: nn.Module, source: str | os.PathLike, allow_missing: Iterable[str] = (),
              allow_unexpected: Iterable[str] = ()) -> KeyReport:
    """Load weights of ours, a folder or a file, into a backbone that exists.

    Raises:
        CheckpointError: a folder of another class or other sizes, or keys that do not fit.
    """
    if Path(source).is_dir():
        config, state = read_saved(source)
        if config.get('type') == backbone.cfg.get('type'):
            theirs, own = backbone.comparable(config), backbone.comparable(backbone.cfg)
        else:
            theirs, own = ({'type': c.get('type')} for c in (config, backbone.cfg))
        differing = [f'{k}: {theirs.get(k)!r} in the file, {own.get(k)!r} in the config'
                     for k in sorted({*theirs, *own}) if theirs.get(k) != own.get(k)]
        if differing:
            raise CheckpointError(f'{source} is another backbone than the config asks for: '
                                  + '; '.join(differing))
    else:
        state = backbone_part(read_state_dict(source))
    return load_strictly(backbone, backbone.fit_frames(state), str(source), allow_missing,
                         allow_unexpected)

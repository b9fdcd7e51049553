"""Where a backbone's weights come from, and running a frame encoder on real frames only."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .checkpoint import CheckpointError, KeyReport, is_saved_backbone


def hf_pretrained(source: str | os.PathLike | None) -> str | None:
    """``source`` when transformers should read it (hub name, or folder with its config.json);
    None when it is nothing, or weights of ours.

    Raises:
        FileNotFoundError: a path to a file of weights that does not exist, or a folder without
            config.json.
    """
    if source is None:
        return None
    path = Path(source)
    if path.suffix in ('.safetensors', '.pth', '.pt', '.bin'):
        if not path.is_file():
            raise FileNotFoundError(f'pretrained={str(source)!r}: no such file')
        return None
    if path.is_dir():
        if not (path / 'config.json').is_file():
            raise FileNotFoundError(f'pretrained={str(source)!r} is a folder without config.json')
        return None if is_saved_backbone(path) else str(source)
    return str(source)


def own_pretrained(source: str | os.PathLike | None, name: str, converter: str) -> str | None:
    """``source`` when it is weights of ours, for a model that transformers has no class for.

    Raises:
        FileNotFoundError: anything else, with the converter that makes such weights.
    """
    if source is None:
        return None
    path = Path(source)
    if path.is_file() or (path.is_dir() and is_saved_backbone(path)):
        return str(source)
    raise FileNotFoundError(f'pretrained={str(source)!r}: no saved {name} there. Convert the '
                            f'released checkpoint with {converter} and name the result by '
                            '--cfg-options model.backbone.pretrained=FOLDER, or set '
                            'pretrained=None')


@contextmanager
def hub_errors(source: str, key: str = 'pretrained') -> Iterator[None]:
    """What transformers says of a name it cannot get, as one sentence with the way out.

    Args:
        source: hub name or folder. key: setting of the backbone that ``source`` came from.

    Raises:
        FileNotFoundError: naming ``source``, the option that names a folder, and the cause.
    """
    try:
        yield
    except OSError as error:
        cause = ' '.join(str(error).split('\n', maxsplit=1)[0].split())
        folder = f'checkpoints/{source.rstrip("/").rsplit("/", 1)[-1]}'
        raise FileNotFoundError(
            f'no usable weights or tokeniser at {source!r}: it is no complete folder here, not in '
            'the local cache of the hub, and could not be fetched. Where there is a network: hf '
            f'download {source} --local-dir {folder}; then --cfg-options '
            f'model.backbone.{key}={folder} (transformers: {cause})') from error


def load_hf(model_class: Any, source: str, allow_missing: Sequence[str] = (),
            allow_unexpected: Sequence[str] = (), key: str = 'pretrained', **kwargs: Any) -> Any:
    """``model_class.from_pretrained``, fp32 unless ``dtype`` says otherwise, that fails where
    transformers only warns.

    Args:
        key: setting of the backbone that ``source`` came from, for the advice.

    Raises:
        CheckpointError: missing, unexpected or mismatched keys that are not allowed.
        FileNotFoundError: transformers cannot find the name or folder.
    """
    # mismatched shapes are let through here so that they are reported with all the rest below
    with hub_errors(source, key):
        model, info = model_class.from_pretrained(source, output_loading_info=True,
                                                  ignore_mismatched_sizes=True,
                                                  **{'dtype': torch.float32, **kwargs})
    mismatched = [(key, tuple(old), tuple(new)) for key, old, new in info['mismatched_keys']]
    report = KeyReport(sorted(info['missing_keys']), sorted(info['unexpected_keys']), mismatched)
    bad = report.without(allow_missing, allow_unexpected)
    if bad:
        raise CheckpointError(f'{source} does not fit {model_class.__name__}: {bad.text()}. Name '
                              'keys that may differ in allow_missing / allow_unexpected')
    return model


def frame_mask_or_ones(frames: Tensor, frame_mask: Tensor | None) -> Tensor:
    """(B, F) bool, all True for None.

    Raises:
        ValueError: wrong shape, or a sample without any frame.
    """
    shape = frames.shape[:2]
    if frame_mask is None:
        return torch.ones(shape, dtype=torch.bool, device=frames.device)
    if frame_mask.shape != shape:
        raise ValueError(f'frame_mask {tuple(frame_mask.shape)} does not fit frames with (B, F) = '
                         f'{tuple(shape)}')
    mask = frame_mask.bool()
    empty = (~mask.any(1)).nonzero().flatten().tolist()
    if empty:
        raise ValueError(f'samples {empty} of the batch have no frame at all; the loader must '
                         'skip such videos')
    return mask


def encode_real_frames(encode: Callable[[Tensor], tuple[Tensor, ...]], frames: Tensor,
                       mask: Tensor) -> tuple[Tensor, ...]:
    """Run ``encode`` on the frames that ``mask`` keeps; padded frames get zeros.

    Padding then costs nothing and cannot leak through batch statistics.

    Args:
        encode: (n, 3, h, w) -> tensors (n, ...). frames: (B, F, 3, h, w). mask: (B, F).

    Returns:
        Tensors (B, F, ...).
    """
    if bool(mask.all()):
        return tuple(x.unflatten(0, mask.shape) for x in encode(frames.flatten(0, 1)))
    outputs = []
    for x in encode(frames[mask]):
        full = x.new_zeros(*mask.shape, *x.shape[1:])
        full[mask] = x
        outputs.append(full)
    return tuple(outputs)

"""Reading weights: three formats, nothing skipped silently.

Formats: ``.pth`` of a training run (torch, ``weights_only``), ``.safetensors``, and the folder
that ``backbone.save`` wrote. Two layouts: a whole model (keys ``backbone.*``, ``head.*``,
``teacher.*``) or a backbone alone. (ours)
"""

import re
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

from mmengine.logging import print_log
from torch import Tensor, nn

from finsta.models.backbones.checkpoint import read_state_dict
from finsta.utils.distributed import unwrapped
from finsta.utils.errors import CheckpointError

# parts of a training checkpoint that a model used for testing or fine-tuning has no place for
_TRAINING_ONLY = ('teacher', 'transfer')
_SHOWN = 4


@dataclass
class LoadReport:
    """What :func:`load_weights` did.

    Attributes:
        source: the file or folder. loaded: number of tensors taken over.
        missing: keys of the model that kept their values.
        ignored: keys of the file that serve training only.
    """

    source: str
    loaded: int
    missing: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        text = f'{self.loaded} tensors loaded from {self.source}'
        if self.missing:
            text += f'; kept as initialised: {_some(self.missing)}'
        if self.ignored:
            text += f'; not needed here: {_some(self.ignored)}'
        return text


def load_weights(model: nn.Module, source: str | Path,
                 optional: tuple[str, ...] = ()) -> LoadReport:
    """Copy the weights of a checkpoint into a model that has a ``backbone``, or into any module.

    A checkpoint without ``backbone.*`` keys is taken for a backbone alone; a folder is read by
    ``model.backbone.load``, which also compares its class and sizes with the config's.

    Args:
        model: whole model, DDP-wrapped or not.
        source: file or folder.
        optional: first names of keys that the file may lack, e.g. ``('head',)`` when starting a
            fine-tuning from a post-trained model. What the file does have of them must fit.

    Raises:
        CheckpointError: when keys of the model are not in the file, when the file has keys that
            the model has not, or when shapes differ: counts, the first few, and the remedy.
    """
    model = unwrapped(model)
    if Path(source).is_dir() and hasattr(model, 'backbone'):
        return _load_folder(model, source, optional)
    state = read_state_dict(source)
    target, absent = model, []
    if hasattr(model, 'backbone') and not any(k.startswith('backbone.') for k in state):
        target = model.backbone
        absent = [k for k in model.state_dict() if not k.startswith('backbone.')]
    state = _fit_frames(model, state)
    own = target.state_dict()
    missing, unexpected, shapes = _misfits(own, state)
    ignored = [k for k in unexpected if k.split('.')[0] in (*_TRAINING_ONLY, *optional)]
    forgiven = [k for k in missing + absent if k.split('.')[0] in optional]
    _complain(model, source, sorted({*missing, *absent} - {*forgiven}),
              sorted({*unexpected} - {*ignored}), shapes)
    target.load_state_dict({k: v for k, v in state.items() if k in own}, strict=False)
    report = LoadReport(str(source), len(own) - len(missing), forgiven, ignored)
    print_log(str(report), logger='current')
    return report


def check_resumable(model: nn.Module, source: str | Path) -> None:
    """Refuse to go on from a checkpoint of another model; nothing is loaded.

    Raises:
        FileNotFoundError, CheckpointError: as :func:`load_weights`; here every key must be there.
    """
    model = unwrapped(model)
    _complain(model, source, *_misfits(model.state_dict(), read_state_dict(source)),
              remedy='--resume goes on with the run that wrote it: take its config, or begin '
                     'another run with another --work-dir (only its weights: --cfg-options '
                     'load_from=...)')


def _fit_frames(model: nn.Module, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Time tables of a backbone of another ``num_frames``, of whole models and backbones alone."""
    backbone = getattr(model, 'backbone', model)
    if not hasattr(backbone, 'fit_frames'):
        return state
    inside = {k: v for k, v in state.items() if k.startswith('backbone.')}
    if not inside:
        return backbone.fit_frames(state)
    fitted = backbone.fit_frames({k[len('backbone.'):]: v for k, v in inside.items()})
    return {**state, **{f'backbone.{k}': v for k, v in fitted.items()}}


def _misfits(own: dict[str, Tensor], state: dict[str, Tensor]
             ) -> tuple[list[str], list[str], list[str]]:
    """Keys that ``state`` lacks, keys that ``own`` lacks, and shapes that differ, in words."""
    return ([k for k in own if k not in state], [k for k in state if k not in own],
            [f'{k} {tuple(state[k].shape)} instead of {tuple(own[k].shape)}'
             for k in own if k in state and state[k].shape != own[k].shape])


def _load_folder(model: nn.Module, source: str | Path, optional: tuple[str, ...]) -> LoadReport:
    """A saved backbone into ``model.backbone``."""
    absent = [k for k in model.state_dict() if not k.startswith('backbone.')]
    _complain(model, source, [k for k in absent if k.split('.')[0] not in optional], [], [])
    model.backbone.load(source)
    report = LoadReport(str(source), len(model.backbone.state_dict()), absent)
    print_log(str(report), logger='current')
    return report


def _complain(model: nn.Module, source: str | Path, missing: list[str], unexpected: list[str],
              shapes: list[str], remedy: str = '') -> None:
    if not (missing or unexpected or shapes):
        return
    backbone = type(getattr(model, 'backbone', model)).__name__
    problems = []
    if missing:
        problems.append(f'{len(missing)} keys are missing in it: {_some(missing)}')
    if unexpected:
        problems.append(f'{len(unexpected)} of its keys are unknown to the model: '
                        f'{_some(unexpected)}')
    if shapes:
        problems.append(f'{len(shapes)} tensors have another shape: {_some(shapes)}')
    if not remedy and missing and all(not k.startswith('backbone.') for k in missing) \
            and not (shapes or unexpected):
        remedy = ('it has the backbone but not the task head; test it with --zero-shot, or '
                  'fine-tune first (tools/train.py ... --cfg-options load_from=...)')
    remedy = remedy or ('it was made with another backbone, size or head; take the config that it '
                        'was trained with (printed at the top of its log), or a checkpoint of '
                        'this one')
    raise CheckpointError(f'{source} does not fit this model (backbone {backbone}): '
                          f'{"; ".join(problems)}. Remedy: {remedy}')


def _some(names: list[str]) -> str:
    shown = ', '.join(names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f'{shown}, ... ({len(names)} in all)'


def latest_checkpoint(work_dir: str | Path) -> str | None:
    """The newest ``iter_*.pth`` / ``epoch_*.pth`` of a work directory that is complete.

    A run that was killed while writing leaves a file that is cut off; it is named in the log and
    the one before it is taken. None when there is none.
    """
    found = []
    for path in Path(work_dir).glob('*.pth'):
        match = re.fullmatch(r'(?:iter|epoch)_(\d+)', path.stem)
        if match:
            found.append((int(match.group(1)), path))
    for _, path in sorted(found, reverse=True):
        # the directory of a zip archive stands at its end
        if zipfile.is_zipfile(path):
            return str(path)
        print_log(f'{path} was cut off while it was written; taking the one before it',
                  logger='current', level=30)
    return None

"""What tools/train.py and tools/test.py share: finding configs, flags, errors in sentences."""

import argparse
import atexit
import copy
import difflib
import logging
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config, DictAction
from mmengine.logging import print_log

from finsta.registry import DATASETS
from finsta.structures import GraphError
from finsta.utils.compat import cpu_ddp_cfg, init_cpu_process_group

PACKAGE = Path(__file__).resolve().parents[1]
# a checkout has configs/ beside the package; an installed wheel has them inside it
CONFIG_ROOTS = (PACKAGE.parent, PACKAGE / '.mim')


class UsageError(ValueError):
    """Flags that do not go together or do not suit this machine or config."""


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of both tools."""
    parser.add_argument('--work-dir', help='where logs and checkpoints go '
                        '(default: work_dirs/<name of the config>)')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={},
                        metavar='KEY=VALUE', help='change config values, e.g. '
                        'model.backbone.pretrained=/data/clip train_dataloader.batch_size=8')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'],
                        default='none', help='how the processes were started')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0,
                        help='given by some launchers')
    parser.add_argument('--debug', action='store_true', help='show tracebacks of all errors')


def find_config(path: str) -> str:
    """A config path as given, else relative to the checkout, else to the installed package.

    Raises:
        FileNotFoundError: with the configs whose names come closest.
    """
    given = Path(path)
    for candidate in (given, *(root / given for root in CONFIG_ROOTS),
                      *(root / 'configs' / given for root in CONFIG_ROOTS)):
        if candidate.is_file():
            return str(candidate)
    known = sorted(str(file.relative_to(root)) for root in CONFIG_ROOTS
                   for file in (root / 'configs').rglob('*.py') if '_base_' not in file.parts)
    close = difflib.get_close_matches(str(given), known, n=3, cutoff=0.5)
    hint = f'; did you mean {", ".join(close)}?' if close else ''
    raise FileNotFoundError(f'there is no config {path}{hint}')


def twin_of(config: str) -> str | None:
    """The config of configs/synthvl that does the same on the embedded world, as its metafile
    says (``Twin Of``), relative to the checkout; None where there is none."""
    import yaml
    wanted = Path(find_config(config)).resolve()
    for root in CONFIG_ROOTS:
        metafile = root / 'configs' / 'synthvl' / 'metafile.yml'
        if metafile.is_file():
            for model in yaml.safe_load(metafile.read_text(encoding='utf-8'))['Models']:
                if 'Twin Of' in model and (root / model['Twin Of']).resolve() == wanted:
                    return model['Config']
    return None


def load_config(args: argparse.Namespace) -> Config:
    """Config file + ``--cfg-options`` + work directory + launcher."""
    filename = find_config(args.config)
    config = resolve_config(filename, args.cfg_options)
    config.launcher = args.launcher
    if args.work_dir is not None:
        config.work_dir = args.work_dir
    elif config.get('work_dir') is None:
        config.work_dir = os.path.join('work_dirs', Path(filename).stem)
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return config


def resolve_config(filename: str, options: dict[str, Any]) -> Config:
    """Config file + ``--cfg-options`` (their values as parsed)."""
    config = Config.fromfile(filename)
    if 'data_root' in options and config.get('data_root'):
        move_data(config, str(config.data_root), str(options['data_root']))
    config.merge_from_dict(options)
    return config


def move_data(node: Config | dict | list, old: str, new: str) -> None:
    """Put another folder in the place of ``old`` in every string of a config that is this folder
    or lies in it: a config has copied its ``data_root`` into its data sets by the time that an
    option can change it."""
    for key, value in list(enumerate(node) if isinstance(node, list) else node.items()):
        if isinstance(value, str) and (value == old or value.startswith(f'{old}/')):
            node[key] = new + value[len(old):]
        elif isinstance(value, (dict, list)):
            move_data(value, old, new)


def prepare_distributed(config: Config) -> None:
    """On a machine without CUDA: gloo processes and a DDP wrapper that leaves the model there."""
    if config.launcher == 'none' or torch.cuda.is_available():
        return
    if config.launcher == 'pytorch':
        init_cpu_process_group()
    if config.get('model_wrapper_cfg') is None:
        config.model_wrapper_cfg = cpu_ddp_cfg(config.get('find_unused_parameters', False))


def leave_distributed() -> None:
    """At the very end of a distributed run that succeeded: wait for the others, then end the
    process group. The process ends with status 0 whatever comes after."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()
        # on a busy machine the interpreter's end sometimes meets a thread of gloo that still runs
        # ("terminate called without an active exception"), after all the work is done and saved
        atexit.register(_leave_at_once)


def _leave_at_once() -> None:
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


@contextmanager
def data_named_too(config: Config, loader: str) -> Iterator[None]:
    """Around the building of a runner: when a file that the model needs is absent, say in the
    same breath whether the data are. The model is built first, but data are what a newcomer
    lacks first.

    Args:
        config: the run's. loader: the loader that it would begin with, e.g. 'train_dataloader'.

    Raises:
        FileNotFoundError: what the data set says, then what the model says.
    """
    try:
        yield
    except FileNotFoundError as error:
        from mmengine.registry import DefaultScope
        dataset = (config.get(loader) or {}).get('dataset')
        if not isinstance(dataset, dict):
            raise
        try:
            with DefaultScope.overwrite_default_scope(config.get('default_scope', 'finsta')):
                DATASETS.build(copy.deepcopy(dataset))
        except FileNotFoundError as absent:
            # the head reads the answers of the same data set: once is enough
            if str(error) in str(absent) or 'annotation file' in str(error):
                raise absent from error
            raise type(absent)(f'{absent}.\nThe model lacks a file too: {error}') from error
        raise


@contextmanager
def errors_in_sentences(debug: bool, config: str | None = None) -> Iterator[None]:
    """Print what the user can mend (missing data, packages, bad files) and exit with code 2.

    An error counts as such when it is a FileNotFoundError, an ImportError, an error class of this
    package, or a ValueError that a line of this package raised; any other is a bug and keeps its
    traceback. ``debug`` leaves all as they are. Where data are missing, the twin of ``config`` (a
    config file) on the embedded world is named too.
    """
    try:
        yield
    except Exception as error:
        if debug or not _is_worded(error):
            raise
        print_log(f'stopped by {type(error).__name__}', logger='current', level=10)
        print(f'\nerror: {error}{_twin_sentence(error, config)}\n(--debug shows where this '
              'happened)', file=sys.stderr)
        sys.exit(2)


def _twin_sentence(error: Exception, config: str | None) -> str:
    from finsta.datasets.base import MissingDataError
    if config is None or not isinstance(error, MissingDataError):
        return ''
    twin = twin_of(config)
    return f'.\nThe twin of this config there: python tools/train.py {twin}' if twin else ''


def _is_worded(error: Exception) -> bool:
    if isinstance(error, FileNotFoundError | GraphError):
        return True
    if isinstance(error, ImportError):
        # a missing package can be installed; a missing part of this one is a bug
        return (error.name or '').split('.')[0] != PACKAGE.name
    if type(error).__module__.split('.')[0] == 'finsta':
        return True
    frames = traceback.extract_tb(error.__traceback__)
    raised_here = bool(frames) and Path(frames[-1].filename).resolve().is_relative_to(PACKAGE)
    return isinstance(error, ValueError) and raised_here

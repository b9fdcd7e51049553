"""What tools/train.py and tools/test.py share: finding configs, flags, errors in sentences."""

import argparse
import atexit
import copy
import difflib
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import torch
from mmengine.config import Config

from finsta.engine.config_check import check_config, merge_options
from finsta.registry import DATASETS
from finsta.utils import errors
from finsta.utils.arguments import KeyValueAction
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
    parser.add_argument('--cfg-options', nargs='+', action=KeyValueAction, default={},
                        metavar='KEY=VALUE', help='change config values, e.g. '
                        'model.backbone.pretrained=/data/clip train_dataloader.batch_size=8')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'],
                        default='none', help='how the processes were started')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0,
                        help='given by some launchers')
    errors.add_debug_argument(parser)


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


def read_config(path: str, options: dict) -> Config:
    """A config file with options; ``data_root`` among them moves all that lies in it.

    Raises:
        FileNotFoundError: no such config; with those whose names come closest.
        ConfigError: a key or type that nothing takes.
    """
    config = Config.fromfile(find_config(path))
    if 'data_root' in options and config.get('data_root'):
        move_data(config, str(config.data_root), str(options['data_root']))
    merge_options(config, options)
    check_config(config)
    return config


def load_config(args: argparse.Namespace) -> Config:
    """Config file + ``--cfg-options`` + work directory + launcher; see :func:`read_config`."""
    filename = find_config(args.config)
    config = read_config(filename, args.cfg_options)
    config.launcher = args.launcher
    if args.work_dir is not None:
        config.work_dir = args.work_dir
    elif config.get('work_dir') is None:
        config.work_dir = os.path.join('work_dirs', Path(filename).stem)
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
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


def errors_in_sentences(debug: bool, config: str | None = None) -> AbstractContextManager[None]:
    """:func:`finsta.utils.errors.errors_in_sentences`; where data are missing, the twin of
    ``config`` (a config file) on the embedded world is named too."""
    return errors.errors_in_sentences(debug, lambda error: _twin_sentence(error, config))


def _twin_sentence(error: Exception, config: str | None) -> str:
    from finsta.datasets.base import MissingDataError
    if config is None or not isinstance(error, MissingDataError):
        return ''
    twin = twin_of(config)
    return f'.\nThe twin of this config there: python tools/train.py {twin}' if twin else ''

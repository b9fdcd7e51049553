"""Train: ``python tools/train.py configs/finsta/videoqa_msvd.py``.

Post-training and fine-tuning alike; the config says which. ``--resume`` continues an interrupted
run as if it had not stopped.
"""

import argparse

from mmengine.config import Config

from finsta.engine.checkpoint import latest_checkpoint
from finsta.engine.config_check import config_mistakes_named
from finsta.engine.launch import (
    UsageError,
    add_common_arguments,
    data_named_too,
    errors_in_sentences,
    leave_distributed,
    load_config,
    prepare_distributed,
)


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('config', help='file, relative to here, the checkout or the package')
    parser.add_argument('--resume', nargs='?', const='auto', metavar='CHECKPOINT',
                        help='continue from a checkpoint; without a name: the last complete one '
                        'of the work directory')
    parser.add_argument('--amp', nargs='?', const='bf16', choices=['bf16', 'fp16'],
                        help='mixed precision; bf16 runs on CPU and GPU, fp16 on GPU')
    parser.add_argument('--no-validate', action='store_true', help='skip validations')
    parser.add_argument('--auto-scale-lr', action='store_true',
                        help='scale the learning rate with the total batch size')
    parser.add_argument('--seed', type=int, help="wins over the config's")
    parser.add_argument('--deterministic', action='store_true',
                        help='deterministic algorithms only')
    add_common_arguments(parser)
    return parser.parse_args(argv)


def apply_flags(config: Config, args: argparse.Namespace) -> Config:
    """Write the flags into the config."""
    if args.seed is not None:
        config.randomness = dict(config.get('randomness', {}), seed=args.seed)
        config.command_line_seed = args.seed
    if args.deterministic:
        config.randomness = dict(config.get('randomness', {}), deterministic=True)
    if args.amp is not None:
        if args.amp == 'fp16':
            import torch
            if not torch.cuda.is_available():
                raise UsageError('--amp fp16 needs a GPU; on this machine use --amp bf16')
            config.optim_wrapper.update(type='AmpOptimWrapper', dtype='float16')
        else:
            config.optim_wrapper.type = 'Bf16OptimWrapper'
    if args.no_validate:
        config.val_cfg = config.val_dataloader = config.val_evaluator = None
        config.get('default_hooks', {}).get('checkpoint', {}).pop('save_best', None)
    if args.auto_scale_lr:
        if 'base_batch_size' not in config.get('auto_scale_lr', {}):
            raise UsageError(f'{args.config} has no auto_scale_lr.base_batch_size, the batch size '
                             'its learning rate was chosen for')
        config.auto_scale_lr.enable = True
    config.resume = args.resume is not None
    if args.resume == 'auto':
        latest = latest_checkpoint(config.work_dir)
        config.resume = latest is not None
        if config.resume:
            config.load_from = latest
        else:  # load_from stays what the config says: where a second stage begins
            print(f'--resume: {config.work_dir} has no checkpoint, so the run begins at the start')
    elif args.resume is not None:
        config.load_from = args.resume
    return config


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    with errors_in_sentences(args.debug, args.config):
        from finsta.engine.runner import FinstaRunner
        from finsta.models.backbones.saved import take_sizes
        config = load_config(args)
        take_sizes(config.model.get('backbone', {}), config.get('load_from'))
        config = apply_flags(config, args)
        prepare_distributed(config)
        with data_named_too(config, 'train_dataloader'), config_mistakes_named(config):
            runner = FinstaRunner.from_cfg(config)
        runner.train()
        leave_distributed()


if __name__ == '__main__':
    main()

"""Test: ``python tools/test.py configs/finsta/videoqa_msvd.py work_dirs/.../iter_1000.pth``.

Without a checkpoint, or with ``--zero-shot``, the config's ``zero_shot_head`` takes the place of
the fine-tuned head: answers are scored by the backbone itself.
"""

import argparse
import json
from pathlib import Path

from mmengine.config import Config
from mmengine.dist import is_main_process

from finsta.engine.checkpoint import load_weights
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
    parser.add_argument('checkpoint', nargs='?', help='.pth of a training, .safetensors, or the '
                        'folder of a saved backbone')
    parser.add_argument('--zero-shot', action='store_true',
                        help="use the config's zero_shot_head; a head in the checkpoint is left "
                        'aside')
    parser.add_argument('--dump', metavar='JSON', help='write the metrics to this file')
    parser.add_argument('--show-dir', help='write a picture per sample: frames and prediction')
    add_common_arguments(parser)
    return parser.parse_args(argv)


def apply_flags(config: Config, args: argparse.Namespace) -> Config:
    """Write the flags into the config."""
    if config.get('test_dataloader') is None:
        raise UsageError(f'{args.config} has no test_dataloader: it is a post-training config; '
                         'test with the config of a task')
    if args.zero_shot or args.checkpoint is None:
        head = config.get('zero_shot_head')
        if head is not None:
            config.model.head = head
        elif args.zero_shot or 'head' in config.model:
            raise UsageError(f'{args.config} has no zero_shot_head, so its untrained head would '
                             'be tested; give a checkpoint of a fine-tuned model')
    if args.show_dir:
        config.custom_hooks = [*config.get('custom_hooks', []),
                               dict(type='PredictionStripHook', out_dir=args.show_dir)]
    # the weights are read below, checked, before the run
    config.resume, config.load_from = False, None
    return config


def run(config: Config, args: argparse.Namespace) -> dict[str, float]:
    """Build, load, test; returns the metrics as plain numbers."""
    from finsta.engine.runner import FinstaRunner
    from finsta.models.backbones.saved import take_sizes
    take_sizes(config.model.get('backbone', {}), args.checkpoint)
    with data_named_too(config, 'test_dataloader'), config_mistakes_named(config):
        runner = FinstaRunner.from_cfg(config)
    runner._init_model_weights()
    if args.checkpoint is not None:
        zero_shot = args.zero_shot and config.get('zero_shot_head') is not None
        load_weights(runner.model, args.checkpoint, optional=('head',) if zero_shot else ())
    return {key: float(value) for key, value in runner.test().items()}


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    with errors_in_sentences(args.debug, args.config):
        config = apply_flags(load_config(args), args)
        prepare_distributed(config)
        metrics = run(config, args)
        if is_main_process():
            text = json.dumps(metrics, indent=2, sort_keys=True)
            if args.dump:
                Path(args.dump).parent.mkdir(parents=True, exist_ok=True)
                Path(args.dump).write_text(text + '\n')
            print(text)
        leave_distributed()


if __name__ == '__main__':
    main()

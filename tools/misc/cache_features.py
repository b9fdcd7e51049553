"""Run a frozen frame tower once over all videos of a config and keep its outputs on disk.

    python tools/misc/cache_features.py configs/stgt/pretrain_stage1_cached.py
    python tools/train.py configs/stgt/pretrain_stage1_cached.py

The config's pipelines say where (LoadFrameFeatures). Resumable: what is stored is read and kept; a
damaged shard's videos are done again. Features of other weights or another pipeline are refused.
Black frames, which stand for unreadable videos, count as one more video.
"""

import argparse

from mmengine.registry import init_default_scope

from finsta.engine.launch import errors_in_sentences, read_config
from finsta.utils.arguments import KeyValueAction, positive
from finsta.utils.errors import add_debug_argument


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('config', help='with LoadFrameFeatures in its pipelines')
    parser.add_argument('--weights', help="default: the config's load_from")
    parser.add_argument('--dtype', choices=('fp16', 'fp32'), default='fp16',
                        help='of the stored features (default: %(default)s)')
    parser.add_argument('--batch', type=positive, default=8, help='videos at a time')
    parser.add_argument('--workers', type=int, default=2, help='processes that read videos')
    parser.add_argument('--max-gb', type=float, default=50.0, help='largest store, in GiB')
    parser.add_argument('--shard-mb', type=float, default=128.0, help='a kill loses so much')
    parser.add_argument('--device', default='cpu',
                        help='where the tower runs, e.g. cuda (default: %(default)s)')
    parser.add_argument('--cfg-options', nargs='+', action=KeyValueAction, default={},
                        metavar='KEY=VALUE', help='change config values, as in tools/train.py')
    add_debug_argument(parser)
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    with errors_in_sentences(args.debug, args.config):
        from tqdm import tqdm

        from finsta.apis.cache_features import fill_from_config
        config = read_config(args.config, args.cfg_options)
        init_default_scope(config.get('default_scope', 'finsta'))
        totals = fill_from_config(
            config, args.weights, lambda root: tqdm(desc=root, unit='video', dynamic_ncols=True),
            dtype=args.dtype, batch=args.batch, workers=args.workers,
            max_bytes=int(args.max_gb * 2 ** 30), flush_bytes=int(args.shard_mb * 2 ** 20),
            device=args.device)
        for root, counts in totals.items():
            print(f'{root}: ' + ', '.join(f'{n} {what}' for what, n in counts.items()))


if __name__ == '__main__':
    main()

"""Print a config with all that it inherits: ``python tools/misc/print_config.py CONFIG``."""

import argparse

from finsta.engine.launch import errors_in_sentences, read_config
from finsta.utils.arguments import KeyValueAction
from finsta.utils.errors import add_debug_argument


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='file, relative to here, the checkout or the package')
    parser.add_argument('--cfg-options', nargs='+', action=KeyValueAction, default={},
                        metavar='KEY=VALUE', help='change config values, as in tools/train.py')
    add_debug_argument(parser)
    args = parser.parse_args(argv)
    with errors_in_sentences(args.debug):
        config = read_config(args.config, args.cfg_options)
        print(config.pretty_text)


if __name__ == '__main__':
    main()

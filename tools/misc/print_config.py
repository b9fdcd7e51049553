"""Print a config with all that it inherits: ``python tools/misc/print_config.py CONFIG``."""

import argparse

from mmengine.config import Config, DictAction

from finsta.engine.launch import errors_in_sentences, find_config


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='file, relative to here, the checkout or the package')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={},
                        metavar='KEY=VALUE', help='change config values, as in tools/train.py')
    parser.add_argument('--debug', action='store_true', help='show tracebacks of all errors')
    args = parser.parse_args()
    with errors_in_sentences(args.debug):
        config = Config.fromfile(find_config(args.config))
        config.merge_from_dict(args.cfg_options)
        print(config.pretty_text)


if __name__ == '__main__':
    main()

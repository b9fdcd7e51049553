"""Parse the texts of a corpus into a graph store, on all cores, resumable.

examples:
  # captions and questions of annotation files as published
  python tools/scene_graphs/parse_text.py --ann data/msvd/training_label.json \\
      data/msvd/train_qa.json --out data/msvd/graphs
  # exactly the texts that a config will train and test on
  python tools/scene_graphs/parse_text.py --dataset-config configs/finsta/videoqa_msvd.py \\
      --out data/msvd/graphs
  # one sentence a line, with a parser of your own
  python tools/scene_graphs/parse_text.py --texts my.txt --out graphs \\
      --import my_package.parsers --parser MyParser --parser-args size=3
  # SynthVL's gold graphs instead of parsed ones
  python tools/scene_graphs/parse_text.py --gold data/synthvl/msvd --out data/synthvl/graphs_gold

A run that was killed goes on where it was, also with --overwrite: call it again. What could not be
parsed is listed at the end, in --json, and by inspect.py --failures.
"""

import argparse
import sys

from mmengine.config import Config

from finsta.parsing.cli import (
    add_run_arguments,
    finish,
    parser_config,
    run_options,
)
from finsta.parsing.corpus import TEXT_FIELDS, import_gold, texts_of_annotation, texts_of_config
from finsta.parsing.runner import parse_texts
from finsta.parsing.store import GraphStore
from finsta.utils.annotation_files import read_text
from finsta.utils.errors import errors_in_sentences


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.split('\n', maxsplit=1)[0], epilog=__doc__.split('\n\n', 1)[1],
        formatter_class=argparse.RawDescriptionHelpFormatter)
    source = parser.add_argument_group('where texts come from (one or more)')
    source.add_argument('--ann', nargs='+', default=[], metavar='FILE',
                        help='annotation files: .json, .jsonl, .csv, each also .gz')
    source.add_argument('--fields', nargs='+', default=list(TEXT_FIELDS), metavar='KEY',
                        help='keys or columns of --ann that hold texts (default: %(default)s)')
    source.add_argument('--dataset-config', metavar='CONFIG',
                        help='a training config: the texts of its data sets')
    source.add_argument('--splits', nargs='+', default=['train', 'val', 'test'],
                        help='data sets of --dataset-config (default: %(default)s)')
    source.add_argument('--texts', nargs='+', default=[], metavar='FILE',
                        help='text files, one text a line')
    source.add_argument('--gold', metavar='DIR',
                        help='import gold graphs (texts.jsonl.gz) instead of parsing')
    add_run_arguments(parser, default_parser='RuleTextParser', batch_size=256)
    return parser.parse_args(argv)


def collect(args: argparse.Namespace) -> list[str]:
    """All texts asked for, each once, in order.

    Raises:
        ValueError, FileNotFoundError: naming the file that is absent, empty or no text.
    """
    texts: list[str] = []
    for path in args.ann:
        texts += texts_of_annotation(path, args.fields)
    for path in args.texts:
        found = [line.strip() for line in read_text(path).split('\n') if line.strip()]
        if not found:
            raise ValueError(f'{path}: holds no text; write one a line')
        texts += found
    if args.dataset_config:
        from finsta.engine.launch import find_config
        config = Config.fromfile(find_config(args.dataset_config))
        texts += texts_of_config(config, args.splits)
    return list(dict.fromkeys(texts))


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    with errors_in_sentences(args.debug):
        if not (args.ann or args.texts or args.dataset_config or args.gold):
            raise ValueError('nothing to parse: give --ann, --texts, --dataset-config or --gold '
                             '(--help shows examples)')
        texts = collect(args)
        if texts and args.gold:
            raise ValueError('--gold imports graphs instead of parsing: one store for both would '
                             'mix them; call once with --gold and once without it, each with its '
                             'own --out')
        config, options = parser_config(args, 'text'), run_options(args)
        with GraphStore(args.out, readonly=False) as store:
            gold = import_gold(args.gold, store, 'texts', args.overwrite) if args.gold else None
            report = parse_texts(texts, config, store, options) if texts else None
        return finish(args, report, gold)


if __name__ == '__main__':
    sys.exit(main())

"""Score a text parser on captions with gold graphs: micro F1 over sets of tuples.

    python tools/analysis/eval_text_parser.py --gold FACTUAL/random/dev.csv --json out.json

``--gold``: CSV with columns caption and scene_graph (FACTUAL's form). A tuple counts when it is
equal after lower-casing: (object), (object, is, attribute), (subject, predicate, object).
``--predictions FILE`` (caption TAB graph a line) scores somebody else's output instead.
"""

import argparse
import json
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from finsta.parsing.makers import check_parser
from finsta.parsing.text.factual import read_line, score_set, tuples_of, write_line
from finsta.registry import SG_PARSERS
from finsta.utils.annotation_files import read_csv, read_text
from finsta.utils.errors import add_debug_argument, errors_in_sentences
from finsta.utils.provenance import provenance

_PARSER = None


def read_gold(path: Path, rows: slice) -> tuple[list[str], list[set]]:
    """Captions and gold tuple sets of a CSV file; AnnotationError if it is none of that form."""
    found = list(read_csv(path, ['caption', 'scene_graph']))[rows]
    return ([r['caption'] for r in found],
            [score_set(read_line(r['scene_graph'])) for r in found])


def kind_of(item: tuple[str, ...]) -> str:
    """The row of the table that a tuple is counted in."""
    return {1: 'object'}.get(len(item)) or ('attribute' if item[1] == 'is' else 'relation')


def micro_f1(predicted: list[set], gold: list[set]) -> dict[str, dict[str, float]]:
    """Precision, recall and F1 by kind of tuple and over all, from counts over all captions."""
    right, said, true = Counter(), Counter(), Counter()
    for p, g in zip(predicted, gold, strict=True):
        for counter, items in ((right, p & g), (said, p), (true, g)):
            counter.update(kind_of(item) for item in items)
            counter['all'] += len(items)
    table = {}
    for kind in ('object', 'attribute', 'relation', 'all'):
        precision = right[kind] / said[kind] if said[kind] else 0.0
        recall = right[kind] / true[kind] if true[kind] else 0.0
        both = precision + recall
        table[kind] = {'precision': precision, 'recall': recall, 'gold': true[kind],
                       'f1': 2 * precision * recall / both if both else 0.0}
    return table


def _start(config: dict) -> None:
    global _PARSER
    _PARSER = SG_PARSERS.build(config)


def _work(texts: list[str]) -> list:
    return [tuples_of(graph) for graph in _PARSER.parse(texts)]


def predict(config: dict, captions: list[str], workers: int, chunk: int = 500):
    """Tuples of every caption, and seconds of parsing (without loading the parser).

    Seconds are (wall clock, processor time); the latter is None with several processes.
    """
    chunks = [captions[i:i + chunk] for i in range(0, len(captions), chunk)]
    out: list = []
    if workers < 2:
        _start(config)
        begin, cpu = time.perf_counter(), time.process_time()
        for part in chunks:
            out += _work(part)
            print(f'\r{len(out)}/{len(captions)} captions', end='', flush=True)
        seconds = time.perf_counter() - begin, time.process_time() - cpu
    else:
        with ProcessPoolExecutor(workers, get_context('spawn'), _start, (config,)) as pool:
            list(pool.map(_work, [captions[:1]] * (workers * 4)))  # every worker has loaded
            begin = time.perf_counter()
            for done in pool.map(_work, chunks):
                out += done
                print(f'\r{len(out)}/{len(captions)} captions', end='', flush=True)
            seconds = time.perf_counter() - begin, None
    print()
    return out, seconds


def read_predictions(path: Path, captions: list[str]) -> list:
    """Tuples of a "caption TAB graph" file; captions it lacks get none."""
    lines = [line.rstrip('\r').split('\t') for line in read_text(path).split('\n')]
    table = {line[0].strip().lower(): read_line(line[1]) for line in lines if len(line) == 2}
    found = sum(c.strip().lower() in table for c in captions)
    print(f'{path}: has {found} of {len(captions)} captions')
    return [table.get(c.strip().lower(), []) for c in captions]


def show(table: dict) -> None:
    """Print the table."""
    print(f'{"":10}{"P":>8}{"R":>8}{"F1":>8}{"gold":>8}')
    for kind, row in table.items():
        print(f'{kind:10}{row["precision"]:8.3f}{row["recall"]:8.3f}{row["f1"]:8.3f}'
              f'{row["gold"]:8d}')


def main(argv: list[str] | None = None) -> None:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--gold', type=Path, required=True, help='CSV: caption, scene_graph')
    parser.add_argument('--parser-config', default='{"type": "RuleTextParser"}',
                        help='SG_PARSERS config, as JSON')
    parser.add_argument('--predictions', type=Path, help='score this file, parse nothing')
    parser.add_argument('--rows', default=':', help='slice of the gold rows, e.g. 0:2000')
    parser.add_argument('--workers', type=int, default=1, help='processes')
    parser.add_argument('--json', type=Path, help='write the table here')
    parser.add_argument('--errors', type=Path, help='write every wrong caption here')
    add_debug_argument(parser)
    args = parser.parse_args(argv)
    with errors_in_sentences(args.debug):
        evaluate(args, provenance(__file__, argv))


def rows_of(text: str) -> slice:
    """The slice that --rows names; ValueError if it is none."""
    first, colon, last = text.partition(':')
    if not colon or not all(part.strip().lstrip('-').isdigit() or not part
                            for part in (first, last)):
        raise ValueError(f'--rows {text!r} is no slice; write first:last, e.g. 0:2000')
    return slice(*(int(part) if part else None for part in (first, last)))


def parser_of(text: str) -> dict:
    """The config of --parser-config.

    Raises:
        ValueError: no JSON, or a parser that cannot be.
    """
    try:
        config = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f'--parser-config {text!r} is no JSON ({error})') from error
    if not isinstance(config, dict) or 'type' not in config:
        raise ValueError(f'--parser-config {text!r} must be an object with "type"')
    check_parser(config['type'], {k: v for k, v in config.items() if k != 'type'}, 'text',
                 ('--parser-config', '--parser-config'))
    return config


def evaluate(args: argparse.Namespace, facts: dict) -> None:
    """Parse, score, show, write."""
    rows, config = rows_of(args.rows), parser_of(args.parser_config)
    captions, gold = read_gold(args.gold, rows)
    rate = cpu_rate = None
    if args.predictions:
        tuples = read_predictions(args.predictions, captions)
    else:
        tuples, (wall, cpu) = predict(config, captions, args.workers)
        rate, cpu_rate = len(captions) / wall, cpu and len(captions) / cpu
    predicted = [score_set(t) for t in tuples]
    table = micro_f1(predicted, gold)
    show(table)
    if rate is not None:
        more = f', {cpu_rate:.0f} per second of processor time' if cpu_rate else ''
        print(f'{rate:.0f} captions/s with {args.workers} process(es){more}')
    if args.json:
        args.json.write_text(json.dumps({**facts,
                                         'gold': args.gold.name, 'captions': len(captions),
                                         'captions_per_second': rate,
                                         'captions_per_cpu_second': cpu_rate,
                                         'table': table}, indent=1) + '\n')
    if args.errors:
        with open(args.errors, 'w', encoding='utf-8') as stream:
            for caption, p, g in zip(captions, predicted, gold, strict=True):
                if p != g:
                    stream.write(f'{caption}\n  gold only {write_line(sorted(g - p))}\n'
                                 f'  ours only {write_line(sorted(p - g))}\n')


if __name__ == '__main__':
    main()

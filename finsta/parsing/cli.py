"""Arguments and final words that the scene-graph tools share."""

import argparse
import json
import os
from pathlib import Path
from typing import Any

from finsta.parsing.makers import check_parser
from finsta.parsing.runner import ParseReport, RunOptions
from finsta.utils.arguments import KeyValueAction, positive
from finsta.utils.errors import add_debug_argument

_LISTED = 20


def add_run_arguments(parser: argparse.ArgumentParser, default_parser: str,
                      batch_size: int) -> None:
    """Store, parser and speed."""
    parser.add_argument('--out', required=True, metavar='STORE', help='folder of the graph store')
    parser.add_argument('--parser', default=default_parser, metavar='TYPE',
                        help='registered parser (default: %(default)s)')
    parser.add_argument('--parser-args', nargs='+', action=KeyValueAction, default={},
                        metavar='KEY=VALUE', help='arguments of the parser')
    parser.add_argument('--import', nargs='+', default=[], dest='imports', metavar='MODULE',
                        help='modules that register a parser of your own')
    run = parser.add_argument_group('run')
    run.add_argument('--workers', type=int, metavar='N',
                     help='processes, one thread each (default: one for every core; 0: this '
                     'process, for a GPU)')
    run.add_argument('--batch-size', type=positive, default=batch_size, metavar='N',
                     help='inputs handed to a parser at once (default: %(default)s)')
    run.add_argument('--overwrite', action='store_true',
                     help='parse again what the store has already (after a kill, the rest of it)')
    run.add_argument('--retry-failed', action='store_true',
                     help='try again what failed in an earlier run')
    run.add_argument('--json', metavar='FILE', help='write the summary there, with all failures')
    run.add_argument('--quiet', action='store_true', help='no progress bar')
    add_debug_argument(parser)


def parser_config(args: argparse.Namespace, kind: str) -> dict[str, Any]:
    """Config of the 'text' or 'video' parser asked for; imports the modules that register it.

    Raises:
        ValueError: for a parser of the other kind or none, and for a key of ``--parser-args`` that
            it does not take or that is lacking.
    """
    for name in args.imports:
        __import__(name)
    check_parser(args.parser, args.parser_args, kind)
    return dict(type=args.parser, **args.parser_args)


def run_options(args: argparse.Namespace) -> RunOptions:
    """Options of the run; raises ValueError for an impossible number."""
    workers = args.workers
    if workers is None:
        workers = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else (
            os.cpu_count() or 1)
    if workers < 0:
        raise ValueError(f'--workers {workers} must be at least 0')
    return RunOptions(workers=workers, batch_size=args.batch_size, imports=tuple(args.imports),
                      overwrite=args.overwrite, retry_failed=args.retry_failed,
                      progress=not args.quiet)


def finish(args: argparse.Namespace, report: ParseReport | None,
           gold: dict[str, int] | None) -> int:
    """Print the summary, write ``--json``; exit status 1 if nothing at all came of the run."""
    summary: dict[str, Any] = {'store': str(args.out)}
    if gold is not None:
        summary['gold'] = gold
        print(f'{args.out}: {gold["imported"]} gold graphs imported, {gold["failed"]} bad rows')
    if report is not None:
        summary.update(report.to_dict(), parser=args.parser)
        print(_sentence(report))
        for key, reason in report.failures[:_LISTED]:
            print(f'  not parsed: {_short(key)}: {reason}')
        if report.failed > _LISTED:
            print(f'  ... and {report.failed - _LISTED} more; '
                  f'tools/scene_graphs/inspect.py {args.out} --failures lists them')
    if args.json:
        Path(args.json).parent.mkdir(parents=True, exist_ok=True)
        with open(args.json, 'w', encoding='utf-8') as file:
            json.dump(summary, file, indent=1)
            file.write('\n')
    done = (report.parsed + report.already if report else 0) + (gold['imported'] if gold else 0)
    return 0 if done else 1


def _sentence(report: ParseReport) -> str:
    empty = f' ({report.empty} of them without any node)' if report.empty else ''
    return (f'{report.store}: {report.total} {report.kind}s: {report.parsed} parsed{empty}, '
            f'{report.already} already there, {report.failed} not parsed; {report.seconds:.1f} s, '
            f'{report.per_second:.1f} {report.kind}s/s with {report.workers} processes')


def _short(key: str, limit: int = 80) -> str:
    key = ' '.join(key.split())
    return key if len(key) <= limit else key[:limit - 3] + '...'

"""The study on the embedded world: arms x seeds, mean and spread, JSON and a markdown table.

    python tools/analysis/study.py                                   (plain, control, finsta)
    python tools/analysis/study.py --arms plain control finsta finsta-gold --seeds 0 1 2
    python tools/analysis/study.py --list

Needs what the quickstart makes (SynthVL `small` and its graphs). Resumable: steps that are done
are skipped.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

from finsta.apis.study import Arm, StepError, Study, Task

REPO = Path(__file__).resolve().parents[2]
FINSTA = 'configs/synthvl/posttrain_msvd.py'
GOLD = 'configs/synthvl/posttrain_msvd_gold.py'


def _transfer(*kept: str) -> dict[str, str]:
    """Options that set the weight of every transfer loss but ``kept`` to 0."""
    order = ['PooledTransfer', 'NodeTransfer', 'RelationalTransfer', 'TokenAlignment']
    return {f'model.transfer.{i}.weight': '0.0' for i, name in enumerate(order)
            if name not in kept}


ARMS = {
    'plain': Arm(),
    'control': Arm('configs/synthvl/posttrain_msvd_control.py'),
    'finsta': Arm(FINSTA),
    'finsta-gold': Arm(GOLD),
    'no-negatives': Arm('configs/synthvl/posttrain_msvd_no-negatives.py'),
    'only-negatives': Arm(FINSTA, _transfer()),
    'only-pooled': Arm(FINSTA, _transfer('PooledTransfer')),
    'only-node': Arm(FINSTA, _transfer('NodeTransfer')),
    'only-relational': Arm(FINSTA, _transfer('RelationalTransfer')),
    'only-token': Arm(FINSTA, _transfer('TokenAlignment')),
    'no-ptc': Arm(FINSTA, {'model.teacher.weights.ptc': '0.0'}),
    'no-osc': Arm(FINSTA, {'model.teacher.weights.osc': '0.0'}),
    'no-stgd': Arm(FINSTA, {'model.teacher.encoder.with_stgd': 'False'}),
    'no-temporal-coreference': Arm(FINSTA, {'model.teacher.encoder.temporal_coref': 'False'}),
    'no-predicate-attributes': Arm(FINSTA,
                                   {'model.teacher.encoder.predicate_attributes': 'False'}),
    'no-cross-coreference': Arm(FINSTA, {'model.teacher.encoder.cross_coref': 'False'}),
}
TASKS = {'videoqa': Task('configs/synthvl/videoqa_msvd.py'),
         'retrieval': Task('configs/synthvl/retrieval_msvd.py'),
         'pairs': Task('configs/synthvl/pairs_msvd.py', train=False)}
SHOWN = [('videoqa', 'qa/acc'), ('retrieval', 'retrieval/t2v_R1'),
         ('retrieval', 'retrieval/v2t_R1'), ('pairs', 'pairs/mean_text'),
         ('pairs', 'pairs/mean_video'), ('pairs', 'pairs/mean_group')]


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('--arms', nargs='+', default=['plain', 'control', 'finsta'],
                        choices=sorted(ARMS), metavar='ARM', help='see --list')
    parser.add_argument('--tasks', nargs='+', default=list(TASKS), choices=sorted(TASKS))
    parser.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2])
    parser.add_argument('--jobs', type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument('--root', default='work_dirs/study')
    parser.add_argument('--backbone', default=str(REPO / 'finsta/weights/clip4clip_tiny'))
    parser.add_argument('--out', help='JSON file, e.g. docs/en/results/finsta_synthvl.json; '
                        'tools/analysis/make_tables.py puts it into the pages')
    parser.add_argument('--list', action='store_true', help='print the arms and stop')
    return parser.parse_args()


def provenance(args: argparse.Namespace) -> dict:
    """What a reader needs to repeat the numbers."""
    commit = subprocess.run(['git', 'rev-parse', '--short', 'HEAD'], cwd=REPO, text=True,
                            capture_output=True, check=False).stdout.strip()
    return {'command': ' '.join(['python', 'tools/analysis/study.py', *sys.argv[1:]]),
            'commit': commit, 'seeds': args.seeds, 'machine': f'{os.cpu_count()} cores, '
            f'{platform.machine()}, no GPU', 'data': 'SynthVL small (MSVD layout), seed 0'}


def markdown(results: dict) -> str:
    """Mean and standard deviation over seeds, one row an arm."""
    columns = [(t, k) for t, k in SHOWN if any(k in arms.get(t, {}) for arms in results.values())]
    lines = ['| arm | ' + ' | '.join(k for _, k in columns) + ' |',
             '|---|' + '---|' * len(columns)]
    for arm, tasks in results.items():
        cells = [tasks.get(t, {}).get(k) for t, k in columns]
        lines.append(f'| {arm} | ' + ' | '.join(_cell(c) for c in cells) + ' |')
    return '\n'.join(lines) + '\n'


def _cell(value: dict | None) -> str:
    """A single seed has no spread to show."""
    if value is None:
        return '-'
    spread = f' ± {value["sd"]:.1f}' if len(value['values']) > 1 else ' (one seed)'
    return f'{value["mean"]:.1f}{spread}'


def main() -> None:
    args = parse_args()
    if args.list:
        for name, arm in ARMS.items():
            print(f'{name:26} {arm.config or "the backbone as it is"} {arm.options or ""}')
        return
    os.chdir(REPO)
    study = Study(args.root, {a: ARMS[a] for a in args.arms}, {t: TASKS[t] for t in args.tasks},
                  args.seeds, args.backbone, args.jobs)
    try:
        results = study.run()
    except StepError as error:
        sys.exit(f'study stopped: {error}\nRun it again to go on from there.')
    print(markdown(results))
    if args.out:
        out = Path(args.out)
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps({**provenance(args), 'results': results}, indent=1) + '\n')


if __name__ == '__main__':
    main()

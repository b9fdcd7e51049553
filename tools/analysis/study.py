"""The study on the embedded world: arms x seeds, mean and spread, JSON and a markdown table.

    python tools/analysis/study.py                                   (plain, control, finsta)
    python tools/analysis/study.py --arms plain control finsta finsta-gold --seeds 0 1 2
    python tools/analysis/study.py --list
    python tools/analysis/study.py --study twins --tasks pairs               (ALPRO, 6,000 clips)
    python tools/analysis/study.py --study stgt --seeds 0 --jobs 1 --threads 1   (STGT's arms)

Needs what the quickstart makes (SynthVL `small` and its graphs); STGT's also SynthVL `pretrain`,
whence it starts from random weights. Resumable: steps that are done
are skipped.
"""

import argparse
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from finsta.apis import study_stgt
from finsta.apis.study import Arm, StepError, Study, Task
from finsta.evaluation.metrics.base import write_json
from finsta.models.backbones.saved import find_saved
from finsta.utils.arguments import positive
from finsta.utils.errors import add_debug_argument, errors_in_sentences
from finsta.utils.provenance import provenance

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
TWINS = 'configs/synthvl/posttrain_msvd_alpro_twins'
# ALPRO, post-trained on SynthVL `posttrain`
TWIN_ARMS = {
    'plain': Arm(),
    'control': Arm(f'{TWINS}-control.py'),
    'batches': Arm(f'{TWINS}-batches.py'),
    'neighbours': Arm(f'{TWINS}-neighbours.py'),
    'teacher': Arm(f'{TWINS}.py', {'model.neighbours': 'None'}),
    'finsta-gold': Arm(f'{TWINS}.py'),
    'finsta': Arm(f'{TWINS}-parsed.py'),
    'mixed-gold': Arm(f'{TWINS}.py', {'train_dataloader.sampler.random_groups': '0.5'}),
    'mixed': Arm(f'{TWINS}-mixed.py'),
}
TWIN_TASKS = {'pairs': Task('configs/synthvl/pairs_msvd_alpro.py', train=False),
              'videoqa': Task('configs/synthvl/videoqa_msvd_alpro.py'),
              'retrieval': Task('configs/synthvl/retrieval_msvd_alpro.py')}


def _length(iters: int) -> dict[str, str]:
    return {'train_cfg.max_iters': str(iters), 'train_cfg.val_interval': str(iters),
            'param_scheduler.1.end': str(iters)}


def _arms_of(iters: int) -> dict[str, Arm]:
    return {name: Arm(arm.config, {**arm.options, **_length(iters)} if arm.config else {})
            for name, arm in TWIN_ARMS.items()}


# the same, three and six times as long, with a longer and faster fine-tuning
LONG_TASKS = {'pairs': TWIN_TASKS['pairs'],
              'videoqa': Task('configs/synthvl/videoqa_msvd_alpro.py', options={
                  **_length(400), 'optim_wrapper.optimizer.lr': '1e-3'}),
              'retrieval': TWIN_TASKS['retrieval']}
# a longer warm-up of fine-tuning, since one run in sixteen of the above stayed where it was; and,
# without fine-tuning, the backbone itself
LONGER_TASKS = {**LONG_TASKS, 'videoqa': Task(LONG_TASKS['videoqa'].config, options={
                    **LONG_TASKS['videoqa'].options, 'param_scheduler.0.end': '100',
                    'param_scheduler.1.begin': '100'}),
                **{f'{name}-zero-shot': Task(TWIN_TASKS[name].config, train=False)
                   for name in ('videoqa', 'retrieval')}}
TASKS = {'videoqa': Task('configs/synthvl/videoqa_msvd.py'),
         'retrieval': Task('configs/synthvl/retrieval_msvd.py'),
         'pairs': Task('configs/synthvl/pairs_msvd.py', train=False)}
TWIN_DATA = ('post-training: SynthVL posttrain (6,000 clips), seed 0; tests: SynthVL small (MSVD '
             'layout), seed 0')
SHOWN = [('videoqa', 'qa/acc'), ('retrieval', 'retrieval/t2v_R1'),
         ('retrieval', 'retrieval/v2t_R1'), ('pairs', 'pairs/mean_text'),
         ('pairs', 'pairs/mean_video'), ('pairs', 'pairs/mean_group'),
         ('pairs', 'pairs/mean_match'), ('videoqa-zero-shot', 'qa/acc'),
         ('retrieval-zero-shot', 'retrieval/t2v_R1'),
         ('retrieval-zero-shot', 'retrieval/v2t_R1')]


@dataclass(frozen=True)
class Kind:
    """A study: its arms, tasks and columns, those run by default, and where it starts."""

    arms: dict[str, Arm]
    tasks: dict[str, Task]
    shown: list[tuple[str, str]]
    default: list[str]
    backbone: str
    start: str
    root: str
    data: str


STUDIES = {
    'finsta': Kind(ARMS, TASKS, SHOWN, ['plain', 'control', 'finsta'],
                   str(REPO / 'finsta/weights/clip4clip_tiny'), 'model.backbone.pretrained',
                   'work_dirs/study', 'SynthVL small (MSVD layout), seed 0'),
    'twins': Kind(TWIN_ARMS, TWIN_TASKS, SHOWN,
                  ['plain', 'control', 'finsta-gold', 'finsta'],
                  str(REPO / 'finsta/weights/alpro_tiny'), 'model.backbone.pretrained',
                  'work_dirs/study_twins', TWIN_DATA),
    'twins-long': Kind(_arms_of(1800), LONG_TASKS, SHOWN, ['plain', 'control', 'finsta-gold'],
                       str(REPO / 'finsta/weights/alpro_tiny'), 'model.backbone.pretrained',
                       'work_dirs/study_twins_long', TWIN_DATA),
    'twins-longer': Kind(_arms_of(3600), LONGER_TASKS, SHOWN,
                         ['control', 'mixed-gold'], str(REPO / 'finsta/weights/alpro_tiny'),
                         'model.backbone.pretrained', 'work_dirs/study_twins_longer', TWIN_DATA),
    'stgt': Kind(study_stgt.ARMS, study_stgt.TASKS, study_stgt.SHOWN, list(study_stgt.ARMS), '',
                 'load_from', 'work_dirs/study_stgt', study_stgt.DATA),
}


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('--study', choices=sorted(STUDIES), default='finsta',
                        help='which arms and tasks (default: %(default)s)')
    parser.add_argument('--arms', nargs='+', metavar='ARM', help='see --list')
    parser.add_argument('--tasks', nargs='+', metavar='TASK', help='default: all of the study')
    parser.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2],
                        help='of training (default: 0 1 2)')
    parser.add_argument('--repeats', type=positive, default=1,
                        help='fine-tunings of each backbone, with the seeds s, s + 10, ...; their '
                        'mean is the value of seed s (default: %(default)s)')
    parser.add_argument('--jobs', type=positive, default=min(2, os.cpu_count() or 1),
                        help='steps at the same time (default: %(default)s)')
    parser.add_argument('--threads', type=positive,
                        help='of each step; default: the cores, divided')
    parser.add_argument('--root', help='work directory (default: work_dirs/study, '
                        'study_twins or study_stgt)')
    parser.add_argument('--backbone', help='folder or shipped name; STGT starts from none')
    parser.add_argument('--collect', action='store_true',
                        help='run nothing; report what is finished')
    parser.add_argument('--out', help='JSON file, e.g. docs/en/results/finsta_synthvl.json; '
                        'tools/analysis/make_tables.py puts it into the pages')
    parser.add_argument('--list', action='store_true', help='print the arms and stop')
    add_debug_argument(parser)
    args = parser.parse_args(argv)
    kind = STUDIES[args.study]
    args.arms, args.tasks = args.arms or kind.default, args.tasks or list(kind.tasks)
    for what, given, known in (('arm', args.arms, kind.arms), ('task', args.tasks, kind.tasks)):
        if unknown := sorted(set(given) - set(known)):
            parser.error(f'no {what} {unknown} in the study {args.study}; there are '
                         f'{sorted(known)}')
    return args


def markdown(results: dict, shown: list[tuple[str, str]]) -> str:
    """Mean and standard deviation over seeds, one row an arm."""
    columns = [(t, k) for t, k in shown if any(k in arms.get(t, {}) for arms in results.values())]
    lines = ['| arm | ' + ' | '.join(f'{t} {k}' for t, k in columns) + ' |',
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


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    kind = STUDIES[args.study]
    if args.list:
        for name, arm in kind.arms.items():
            steps = ' -> '.join(f'{s.config} {s.options or ""}' for s in arm.chain())
            print(f'{name:26} {steps or "the backbone as it is"}')
        return
    with errors_in_sentences(args.debug):
        os.chdir(REPO)
        facts = provenance(__file__, argv)
        del facts['commit']   # the steps have their own, which may be others
        run(args, kind, facts)


def run(args: argparse.Namespace, kind: Kind, facts: dict) -> None:
    """The steps, the table, the file.

    Raises:
        FileNotFoundError: no such backbone, or nothing to collect.
    """
    backbone = kind.backbone if args.backbone is None else args.backbone
    if backbone:
        find_saved(backbone, '--backbone ')
    root = Path(args.root or kind.root)
    if args.collect and not root.is_dir():
        raise FileNotFoundError(f'{root}: no study to collect; run it first, without --collect, '
                                'or name its folder by --root')
    study = Study(root, {a: kind.arms[a] for a in args.arms},
                  {t: kind.tasks[t] for t in args.tasks}, args.seeds, backbone, args.jobs,
                  start=kind.start, threads=args.threads, repeats=args.repeats)
    try:
        results = study.results() if args.collect else study.run()
    except StepError as error:
        if args.debug:
            raise
        sys.exit(f'study stopped: {error}\nRun it again to go on from there.')
    print(markdown(results, kind.shown))
    if args.out:
        write_json(args.out, {
            **facts, 'commits': study.commits(), 'threads': study.threads, 'seeds': args.seeds,
            'repeats': args.repeats,
            'data': kind.data, 'minutes': study.minutes(), 'results': results})


if __name__ == '__main__':
    main()

"""The main job on the embedded world, from nothing to one table and one page.

    python tools/quickstart.py            (make quickstart sets up and calls this)

Generates SynthVL `small`, parses its captions and videos into scene graphs, and compares three
ways to use the shipped tiny backbone on the MSVD-QA twin, the MSVD retrieval twin and the minimal
pairs: plain, control (more steps without structure), Finsta. Every step is an ordinary command of
tools/, printed before it runs; a second call skips what is done and goes on where a killed call
stopped.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

from finsta.apis.study import Arm, StepError, Study, Task, run_step
from finsta.utils.arguments import positive
from finsta.utils.errors import add_debug_argument, errors_in_sentences

REPO = Path(__file__).resolve().parents[1]
DATA = Path('data/synthvl/msvd')  # the data root of configs/synthvl
ARMS = {'plain': Arm(), 'control': Arm('configs/synthvl/posttrain_msvd_control.py'),
        'finsta': Arm('configs/synthvl/posttrain_msvd.py')}
TASKS = {'videoqa': Task('configs/synthvl/videoqa_msvd.py'),
         'retrieval': Task('configs/synthvl/retrieval_msvd.py'),
         'pairs': Task('configs/synthvl/pairs_msvd.py', train=False)}
# task -> (metric key, heading, factor)
COLUMNS = [('videoqa', 'qa/acc', 'video QA, accuracy %'),
           ('retrieval', 'retrieval/t2v_R1', 'text-to-video R@1 %'),
           ('retrieval', 'retrieval/v2t_R1', 'video-to-text R@1 %'),
           ('pairs', 'pairs/mean_text', 'minimal pairs, text %'),
           ('pairs', 'pairs/mean_video', 'minimal pairs, video %'),
           ('pairs', 'pairs/mean_group', 'minimal pairs, group %'),
           ('pairs', 'pairs/mean_match', 'minimal pairs, match %')]


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('--out', default='work_dirs/quickstart', help='work directory')
    parser.add_argument('--size', default='small', choices=['tiny', 'small'],
                        help='of SynthVL, which is written to data/synthvl/msvd')
    parser.add_argument('--jobs', type=positive, default=min(2, os.cpu_count() or 1),
                        help='steps at the same time')
    parser.add_argument('--scale', type=float, default=1.0,
                        help='length of every training, as a share (0.05 for a look)')
    add_debug_argument(parser)
    args = parser.parse_args()
    if not 0 < args.scale <= 10:
        parser.error(f'--scale {args.scale:g} must be above 0 and at most 10')
    return args


def data_steps(data: Path, size: str) -> list[tuple[str, list[str], Path]]:
    """(name, command, what it leaves) of generation and parsing."""
    python, store = sys.executable, data / 'graphs'
    cores = str(os.cpu_count() or 1)
    return [
        ('generate SynthVL', [python, 'tools/datasets/make_synthvl.py', '--layout', 'msvd',
                              '--size', size, '--out', str(data), '--workers', cores],
         data / 'synthvl.json'),
        ('parse captions', [python, 'tools/scene_graphs/parse_text.py', '--ann',
                            str(data / 'training_label.json'), '--out', str(store),
                            '--parser', 'RuleTextParser', '--workers', cores],
         store / 'texts'),
        ('parse videos', [python, 'tools/scene_graphs/parse_video.py', '--videos',
                          str(data / 'train_videos.txt'), '--out', str(store),
                          '--parser', 'MotionVideoParser', '--workers', cores],
         store / 'videos'),
    ]


def list_training_videos(data: Path) -> None:
    """Only the training videos need graphs: write their paths, one a line.

    Raises:
        StepError: files of the data set are gone.
    """
    clips = {f.stem: f for f in (data / 'YouTubeClips').glob('*')}
    listed = data / 'train_list.txt'
    names = listed.read_text().split() if listed.is_file() else []
    lost = [n for n in names if n not in clips]
    if lost or not names:
        raise StepError(f'{data} is not whole: {len(lost)} of {len(names)} training videos of '
                        f'{listed} are missing. Delete {data}; it will be made anew.')
    (data / 'train_videos.txt').write_text('\n'.join(str(clips[n]) for n in names) + '\n')


def shortened(scale: float) -> dict[str, dict[str, str]]:
    """``--cfg-options`` that shorten each config's schedule; nothing at scale 1."""
    if scale == 1.0:
        return {}
    from mmengine.config import Config
    out = {}
    for config in [a.config for a in ARMS.values() if a.config] + [
            t.config for t in TASKS.values() if t.train]:
        length = max(2, round(Config.fromfile(REPO / config).train_cfg.max_iters * scale))
        out[config] = {'train_cfg.max_iters': str(length), 'train_cfg.val_interval': str(length),
                       'param_scheduler.0.end': '1', 'param_scheduler.1.begin': '1',
                       'param_scheduler.1.end': str(length)}
        if config == ARMS['finsta'].config:
            out[config]['custom_hooks.0.warmup_iters'] = str(length // 3)
    return out


def print_table(results: dict) -> list[list]:
    """Rows of the comparison, also printed: the arm, then numbers, None where there is none."""
    head = ['start', *(title for *_, title in COLUMNS)]
    rows = []
    for arm, tasks in results.items():
        cells = [tasks.get(task, {}).get(key) for task, key, _ in COLUMNS]
        rows.append([arm, *(None if c is None else round(c['mean'], 1) for c in cells)])
    shown = [head, *([arm, *('-' if c is None else f'{c:.1f}' for c in cells)]
                     for arm, *cells in rows)]
    widths = [max(len(r[i]) for r in shown) for i in range(len(head))]
    for row in shown:
        print('  '.join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)))
    return rows


def main() -> None:
    args = parse_args()
    os.chdir(REPO)
    with errors_in_sentences(args.debug):
        run(args)


def run(args: argparse.Namespace) -> None:
    """All steps, the table, the page."""
    started, root, data = time.monotonic(), Path(args.out), DATA
    from tqdm import tqdm
    try:
        steps = data_steps(data, args.size)
        with tqdm(total=len(steps), desc='data and graphs', dynamic_ncols=True) as bar:
            for name, command, product in steps:
                tqdm.write(f'$ {" ".join(command)}')
                bar.set_postfix_str(name)
                run_step(name, command, root / 'data' / name.replace(' ', '_'),
                         os.cpu_count() or 1, bar, str(data.resolve()), [product])
                if name == 'generate SynthVL':
                    list_training_videos(data)
        short = shortened(args.scale)
        arms = {k: Arm(a.config, short.get(a.config, {})) for k, a in ARMS.items()}
        tasks = {k: Task(t.config, t.train, short.get(t.config, {})) for k, t in TASKS.items()}
        study = Study(root, arms, tasks, [0], str(REPO / 'finsta/weights/clip4clip_tiny'),
                      args.jobs)
        results = study.run()
    except StepError as error:
        if args.debug:
            raise
        sys.exit(f'\nquickstart stopped: {error}\nRun it again to go on from there.')
    except KeyboardInterrupt:
        sys.exit('\nquickstart stopped by the keyboard; run it again to go on.')
    minutes = (time.monotonic() - started) / 60
    (root / 'results.json').write_text(json.dumps(results, indent=2))
    rows = print_table(results)
    from finsta.apis.quickstart_report import write_quickstart_report
    page = write_quickstart_report(root, data, rows, ['start', *(t for *_, t in COLUMNS)])
    print(f'\n{minutes:.1f} minutes. One seed and few steps: a point or two between rows is '
          'noise, and no gain is to be\nexpected at this length. docs/en/results/method.md has '
          f'the longer training, with three seeds.\nPage: {page}')


if __name__ == '__main__':
    main()

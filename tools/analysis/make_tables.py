"""Fill the generated tables of the documentation from result files and metafiles.

    python tools/analysis/make_tables.py             write them
    python tools/analysis/make_tables.py --check     exit 1 when one is not current

A table stands between two comment lines, ``<!-- table: NAME -->`` and ``<!-- end table -->``, in
any Markdown file below the root. NAME is a key of ``TABLES``, with an argument after a colon
where there is one (``configs:finsta``). Figures come only from ``docs/en/results/*.json`` and
``configs/*/metafile.yml``; what has not been measured is a row that says so.
"""

import argparse
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

from finsta.utils.errors import add_debug_argument, errors_in_sentences

REPO = Path(__file__).resolve().parents[2]
RESULTS = Path('docs/en/results')
SKIPPED = {'.venv', '.git', 'work_dirs', 'data', 'build', 'dist', 'node_modules'}
BLOCK = re.compile(r'(<!-- table: (?P<name>\S+) -->\n)(?P<body>.*?)(?P<end><!-- end table -->)',
                   re.DOTALL)
OPENING = re.compile(r'^<!-- table: \S+ -->$', re.MULTILINE)
NOT_YET = 'not measured yet'

STUDY_COLUMNS = [('videoqa', 'qa/acc', 'video QA acc.'),
                 ('retrieval', 'retrieval/t2v_R1', 'text-to-video R@1'),
                 ('retrieval', 'retrieval/v2t_R1', 'video-to-text R@1'),
                 ('pairs', 'pairs/mean_text', 'pairs, text'),
                 ('pairs', 'pairs/mean_video', 'pairs, video'),
                 ('pairs', 'pairs/mean_group', 'pairs, group'),
                 ('pairs', 'pairs/mean_match', 'pairs, match'),
                 ('videoqa-zero-shot', 'qa/acc', 'QA, zero-shot'),
                 ('retrieval-zero-shot', 'retrieval/t2v_R1', 'text-to-video, zero-shot'),
                 ('retrieval-zero-shot', 'retrieval/v2t_R1', 'video-to-text, zero-shot')]
STGT_COLUMNS = [('retrieval', 'retrieval/t2v_R1', 'text-to-video R@1'),
                ('retrieval', 'retrieval/v2t_R1', 'video-to-text R@1'),
                ('retrieval', 'rerank/t2v_R1', 'text-to-video R@1, re-ranked'),
                ('retrieval', 'rerank/v2t_R1', 'video-to-text R@1, re-ranked'),
                ('videoqa', 'qa/acc', 'video QA acc.')]


class TableError(ValueError):
    """A marker or a file that a table cannot be made from; the message names it."""


def grid(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table; without rows, one that says so."""
    rows = rows or [[NOT_YET, *[''] * (len(head) - 1)]]
    lines = ['| ' + ' | '.join(head) + ' |', '|' + '---|' * len(head)]
    return '\n'.join([*lines, *('| ' + ' | '.join(str(c) for c in r) + ' |' for r in rows)]) + '\n'


def load(root: Path, name: str) -> dict | None:
    """A result file, or None while it does not exist."""
    path = root / RESULTS / f'{name}.json'
    if not path.is_file():
        return None
    try:
        return json.loads(path.read_text(encoding='utf-8'))
    except json.JSONDecodeError as error:
        raise TableError(f'{path} is no JSON ({error}); write it anew with its tool') from error


def number(value: float | None, digits: int = 1) -> str:
    """A figure, or a dash where there is none (absent or NaN)."""
    return '-' if value is None or value != value else f'{value:.{digits}f}'


def spread(cell: dict | None) -> str:
    """Mean and standard deviation of one metric of a study."""
    if cell is None:
        return '-'
    if len(cell['values']) < 2:
        return f'{cell["mean"]:.1f} (one seed)'
    return f'{cell["mean"]:.1f} ± {cell["sd"]:.1f}'


# -- studies ----------------------------------------------------------------------------------
def study(root: Path, name: str, columns: list[tuple[str, str, str]] = STUDY_COLUMNS,
          first: str = 'start of the task') -> str:
    """Arms x metrics that were measured: mean and spread over seeds, and minutes a seed."""
    data = load(root, name)
    if data is None:
        return grid([first, *(title for *_, title in columns)], [])
    columns = [(task, key, title) for task, key, title in columns
               if any(key in tasks.get(task, {}) for tasks in data['results'].values())]
    head = [first, *(title for *_, title in columns)]
    minutes = data.get('minutes')
    rows = [[arm, *(spread(tasks.get(task, {}).get(key)) for task, key, _ in columns),
             *([number(minutes.get(arm), 0)] if minutes else [])]
            for arm, tasks in data['results'].items()]
    return grid([*head, *(['minutes a seed'] if minutes else [])], rows) + source(data)


def study_stgt(root: Path, name: str) -> str:
    """The STGT study: the same with its own columns."""
    return study(root, name, STGT_COLUMNS, 'arm')


def study_parts(root: Path, name: str, task: str, pattern: str, head: str) -> str:
    """A metric of a study in its parts, one column an arm; ``pattern`` has one group, the part."""
    data = load(root, name)
    if data is None:
        return grid([head], [])
    arms = {arm: tasks[task] for arm, tasks in data['results'].items() if tasks.get(task)}
    parts = {found[1]: key for cells in arms.values() for key in cells
             if (found := re.fullmatch(pattern, key)) and found[1] != 'mean'}
    rows = [[part.replace('_', ' '), *(spread(cells.get(key)) for cells in arms.values())]
            for part, key in sorted(parts.items())]
    return grid([head, *arms], rows) + source(data)


def study_factors(root: Path, name: str) -> str:
    """Group score of the minimal pairs by factor."""
    return study_parts(root, name, 'pairs', 'pairs/(.+)_group', 'factor')


def study_match(root: Path, name: str) -> str:
    """Match score of the minimal pairs by factor."""
    return study_parts(root, name, 'pairs', 'pairs/(.+)_match', 'factor')


def study_questions(root: Path, name: str) -> str:
    """Accuracy of video QA by the first word of the question."""
    return study_parts(root, name, 'videoqa', 'qa/acc_(.+)', 'first word')


def source(data: dict) -> str:
    """Where the figures of a file come from, as a line below its table."""
    parts = [f'`{data["command"]}`'] if data.get('command') else []
    if commits := data.get('commits'):   # of the steps of a study
        parts.append(f'commit{"s" if len(commits) > 1 else ""} {", ".join(commits)}')
    parts += [f'{key} {value}' for key in ('commit', 'seeds', 'repeats', 'machine', 'data', 'note')
              if (value := data.get(key)) not in (None, '') and (key, value) != ('repeats', 1)]
    return f'\nOurs: {"; ".join(parts)}.\n' if parts else '\nOurs; the file names no command.\n'


# -- benchmarks -------------------------------------------------------------------------------
def benchmark_graph(root: Path, _: str) -> str:
    """Median ms of one attention layer by back end; in brackets over dgl."""
    data = load(root, 'benchmark_graph')
    if data is None:
        return grid(['mode', 'dtype', 'graphs x nodes', 'ms by back end (over dgl)'], [])
    names = list(dict.fromkeys(n for row in data['rows'] for n in row['times']))

    def cell(row: dict, name: str) -> str:
        if name not in row['times']:
            return '-'
        ratio = row.get('over_dgl', {}).get(name)
        return number(row['times'][name]['median_ms']) + ('' if ratio is None else
                                                          f' ({ratio:.2f})')
    rows = [[row['mode'], row['dtype'], row['case'], *(cell(row, n) for n in names),
             number(row.get('auto_over_fastest'), 2)] for row in data['rows']]
    table = grid(['mode', 'dtype', 'graphs x nodes', *names, 'auto / fastest'], rows)
    env = ', '.join(f'{k} {v}' for k, v in data['environment'].items() if v not in (None, ''))
    return f'{table}\nOurs: `{data["command"]}`; {env}.\n'


def recurrence(root: Path, _: str) -> str:
    """R-GTrm: ms a key frame against the number of frames."""
    data = load(root, 'benchmark_graph')
    if data is None or not data.get('recurrence'):
        return grid(['T', 'ms a key frame'], [])
    names = list(data['recurrence'][0]['ms_per_frame'])
    return grid(['T', *names], [[row['frames'], *(row['ms_per_frame'][n] for n in names)]
                                for row in data['recurrence']])


def benchmark_reader(root: Path, _: str) -> str:
    """Frames a second of the loader and of bare decord."""
    data = load(root, 'benchmark_reader')
    if data is None:
        return grid(['file', 'frames/s'], [])
    names = list(data['files'][0]['frames_per_second'])
    rows = [[f['file'], *(f'{number(f["frames_per_second"].get(n))}'
                          f' ({number(f["ratio_to_bare_decord"].get(n), 2)})' for n in names)]
            for f in data['files']]
    return grid(['file', *(n.replace('_', ' ') for n in names)], rows) + source(data)


def benchmark_store(root: Path, _: str) -> str:
    """Rows a second of the graph store."""
    data = load(root, 'benchmark_store')
    head = ['graphs', 'clock', 'nodes a graph', 'bytes a graph', 'written, rows/s',
            'read cold, rows/s', 'read warm, rows/s', 'opened in s']
    if data is None:
        return grid(head, [])
    rows = [[f'{data["rows"]} {name}', clock, number(t['nodes_a_row']),
             number(t['bytes_a_row'], 0),
             *(number(t[f'{k}_rows_per_{clock}_second'], 0) for k in ('write', 'cold', 'warm')),
             number(t[f'open_{clock}_seconds'], 3)]
            for name, t in data['tables'].items() for clock in ('processor', 'wall')]
    return grid(head, rows) + source(data)


def flops(root: Path, name: str) -> str:
    """A post-training step against the backbone alone."""
    data = load(root, name)
    if data is None:
        return grid(['what', 'figure'], [])
    figures = data['figures']

    def cell(name: str, value: float) -> str:
        if name.startswith('parameters'):
            return f'{value / 1e6:.1f} M'
        return f'{value / 1e9:.1f} G' if 'FLOPs' in name else f'+{value:.1f} %'
    rows = [[name.removesuffix(', %'), cell(name, value)] for name, value in figures.items()]
    size = (f'Host: {data["host"]}; batch {data["batch"]}, {data["frames"]} frames, '
            f'{data["words"]} words, {data["objects"]} objects a graph and key frame (each with '
            f'an attribute, a predicate between neighbours); graph attention: '
            f'{data["graph_attention"]}; torch {data["torch"]}.\n')
    return grid(['what', 'figure'], rows) + source(data) + size


def probe_pairs(root: Path, name: str) -> str:
    """Scores of minimal pairs before and after training on nothing else."""
    data = load(root, name)
    names = ('text', 'video', 'group', 'match')
    if data is None:
        return grid(['score of', 'when', *names], [])
    rows = [[kind, when, *(number(data[when][kind][f'mean_{n}']) for n in names)]
            for kind in data['after'] for when in ('before', 'after')]
    s = data['settings']
    return grid(['score of', 'when', *names], rows) + source(data) + (
        f'{s["backbone"]}, {", ".join(s["factors"])}; {s["steps"]} steps of {s["batch_size"]} '
        f'pairs of {s["pairs"]}; {s["test_pairs"]} held-out pairs a factor; seed {s["seed"]}, '
        f'{s["threads"]} threads.\n')


def probe_questions(root: Path, name: str) -> str:
    """What words alone, or the most frequent answer, get on questions."""
    data = load(root, name)
    head = ['kind', 'test questions', 'words', 'most frequent answer', '1 / answers']
    if data is None:
        return grid(head, [])
    return grid(head, [[kind, row['count'], *(number(row[k], 2) for k in (
        'words', 'majority', 'chance'))] for kind, row in data['questions'].items()]) \
        + source(data)


def probe_frames(root: Path, name: str) -> str:
    """What a bag of words and one frame tell of minimal pairs."""
    data = load(root, name)
    head = ['factor', 'pairs whose captions are one bag of words', 'one frame']
    if data is None:
        return grid(head, [])
    rows = [[factor.replace('_', ' '), f'{row["same_words"]} of {row["pairs"]}',
             number(row['one_frame'], 2)] for factor, row in data['pairs'].items()]
    planted = data['planted']
    rows.append([f'{planted["factor"].replace("_", " ")}, with a planted leak', '-',
                 number(planted['one_frame'], 2)])
    return grid(head, rows) + source(data)


def text_parser(root: Path, _: str) -> str:
    """F1 by kind of tuple."""
    data = load(root, 'text_parser')
    head = ['gold', 'captions', 'tuples', 'precision', 'recall', 'F1']
    if data is None:
        return grid(head, [])
    rows = [[data['gold'], data['captions'], kind, *(number(v.get(k), 3) for k in (
        'precision', 'recall', 'f1'))] for kind, v in data['table'].items()]
    speed = [f'{number(data.get(key), 0)} captions per second {words}' for key, words in (
        ('captions_per_second', 'of wall clock'),
        ('captions_per_cpu_second', 'of processor time')) if data.get(key)]
    return grid(head, rows) + source(data) + (f'{"; ".join(speed)}.\n' if speed else '')


def video_parser(root: Path, _: str) -> str:
    """Scores of the video parser, and of gold under noise, against gold."""
    data = load(root, 'video_parser')
    if data is None:
        return grid(['what', 'object recall', 'IDF1', 'predicate F1'], [])
    parts = [(f'{data["parser"]}, {kind}', scores) for kind, scores in
             data.get('scores', {}).items()]
    parts += [(f'gold with noise {kind}', s) for kind, s in data.get('noise', {}).items()]
    names = list(dict.fromkeys(k for _, s in parts for k, v in s.items()
                               if isinstance(v, int | float)))
    rows = [[what, *(number(s.get(n), 3) for n in names)] for what, s in parts]
    rate = data.get('videos_per_s')
    return grid(['what', *(n.replace('_', ' ') for n in names)], rows) + source(data) + (
        f'{rate:.1f} videos per second, reading included.\n' if rate else '')


# -- metafiles --------------------------------------------------------------------------------
def metafile(root: Path, name: str) -> dict:
    """configs/<name>/metafile.yml."""
    import yaml
    path = root / 'configs' / name / 'metafile.yml'
    try:
        data = yaml.safe_load(path.read_text(encoding='utf-8'))
    except FileNotFoundError as error:
        raise TableError(f'{path} does not exist, and a table is made from it') from error
    except yaml.YAMLError as error:
        raise TableError(f'{path} is no YAML: {error}') from error
    for model in data['Models']:
        for key in ('Name', 'Config', 'Task', 'Provenance'):
            if key not in model:
                raise TableError(f'{path}: model {model.get("Name", model)} has no {key!r}')
    return data


def configs(root: Path, name: str) -> str:
    """Configs of a directory; paper, converted and own figures each in their own column."""
    kinds = ('paper', 'converted', 'ours')

    def measured(model: dict, kind: str) -> str:
        found = [f'{k} {v}' for r in model.get('Results', []) if r['Provenance'] == kind
                 for k, v in r['Metrics'].items()]
        return ', '.join(found) or '-'
    rows = [[f'[{Path(m["Config"]).name}]({Path(m["Config"]).name})', m['Task'],
             m.get('Dataset', '-'), m.get('Backbone', '-'), m['Provenance'],
             *(measured(m, k) for k in kinds)] for m in metafile(root, name)['Models']]
    return grid(['config', 'task', 'data', 'backbone', 'state', *kinds], rows)


def neighbours(root: Path, name: str) -> str:
    """Share of captions with a neighbour, by similarity."""
    data = load(root, name)
    head = ['similarity of at least', 'captions with such a neighbour']
    if data is None:
        return grid(head, [])
    rows = [[level, f'{100 * share:.0f} %'] for level, share in data['neighbours'].items()]
    return grid(head, rows) + source({**data, 'note': f'{data["captions"]:,} captions of '
                                      f'{data["clips"]:,} clips in {data["seconds"]:.0f} s'})


TABLES: dict[str, Callable[[Path, str], str]] = {
    'study': study, 'study_stgt': study_stgt, 'study_factors': study_factors,
    'study_match': study_match, 'study_questions': study_questions,
    'benchmark_graph': benchmark_graph, 'recurrence': recurrence,
    'benchmark_reader': benchmark_reader, 'benchmark_store': benchmark_store, 'flops': flops,
    'probe_pairs': probe_pairs, 'probe_questions': probe_questions,
    'neighbours': neighbours, 'probe_frames': probe_frames, 'text_parser': text_parser,
    'video_parser': video_parser,
    'configs': configs}


def fill(text: str, root: Path, where: str) -> str:
    """``text`` with every table made anew.

    Raises:
        TableError: an unknown table, or a marker without its end.
    """
    def replace(match: re.Match) -> str:
        name, _, argument = match['name'].partition(':')
        if name not in TABLES:
            raise TableError(f'{where}: no table {name!r}; there are {sorted(TABLES)}')
        return f'{match[1]}{TABLES[name](root, argument)}{match["end"]}'
    if len(OPENING.findall(text)) != len(BLOCK.findall(text)):
        raise TableError(f'{where}: a "table" marker with no "end table" marker after it')
    return BLOCK.sub(replace, text)


def pages(root: Path) -> list[Path]:
    """Markdown files that may hold tables."""
    return sorted(p for p in root.rglob('*.md')
                  if not SKIPPED & set(p.relative_to(root).parts[:-1]))


def read_page(path: Path) -> str:
    """Text of a page; TableError where it is not UTF-8."""
    try:
        return path.read_text(encoding='utf-8')
    except UnicodeDecodeError as error:
        raise TableError(f'{path} is not UTF-8 ({error})') from error


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('--check', action='store_true', help='write nothing; 1 = not current')
    parser.add_argument('--root', type=Path, default=REPO, help='of the checkout')
    add_debug_argument(parser)
    args = parser.parse_args(argv)
    stale = []
    with errors_in_sentences(args.debug):
        if not args.root.is_dir():
            raise NotADirectoryError(f'--root {args.root} is no folder; it is that of a checkout')
        for path in pages(args.root):
            where = str(path.relative_to(args.root))
            old = read_page(path)
            new = fill(old, args.root, where)
            if new != old:
                stale.append(where)
                if not args.check:
                    path.write_text(new, encoding='utf-8')
    for name in stale:
        print(f'{name}: {"not current" if args.check else "written"}')
    if args.check and stale:
        print('run: python tools/analysis/make_tables.py')
    return int(args.check and bool(stale))


if __name__ == '__main__':
    sys.exit(main())

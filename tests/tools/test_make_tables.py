"""Tables of the pages: figures from files, states when there are none, and what is refused."""

import importlib.util
import json
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
TOOL = REPO / 'tools/analysis/make_tables.py'
spec = importlib.util.spec_from_file_location('make_tables', TOOL)
make_tables = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make_tables)


def page(root: Path, name: str, body: str = '') -> Path:
    file = root / 'page.md'
    file.write_text(f'before\n\n<!-- table: {name} -->\n{body}<!-- end table -->\n\nafter\n')
    return file


def result(root: Path, name: str, data: dict) -> None:
    folder = root / 'docs/en/results'
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f'{name}.json').write_text(json.dumps(data))


def cell(*values: float, sd: float = 0.0) -> dict:
    return {'mean': sum(values) / len(values), 'sd': sd, 'values': list(values)}


def refused(root: Path) -> int:
    """Exit code of a call that ends in a sentence."""
    with pytest.raises(SystemExit) as end:
        make_tables.main(['--root', str(root)])
    return end.value.code


STUDY = {'command': 'python x.py', 'commit': 'abc', 'results': {
    'plain': {'videoqa': {'qa/acc': cell(10.0, 12.0, sd=1.41)}, 'retrieval': {},
              'pairs': {'pairs/mean_group': cell(30.0), 'pairs/order_group': cell(25.0),
                        'pairs/group': cell(31.0)}},
    'finsta': {'videoqa': {'qa/acc': cell(20.0, 22.0, sd=1.41)},
               'pairs': {'pairs/order_group': cell(50.0)}}}}


@pytest.mark.parametrize('name', sorted(set(make_tables.TABLES) - {'configs'}))
def test_without_a_file_the_table_says_not_measured(tmp_path, name):
    file = page(tmp_path, f'{name}:any')
    assert make_tables.main(['--root', str(tmp_path)]) == 0
    assert f'| {make_tables.NOT_YET} |' in file.read_text()
    assert file.read_text().startswith('before\n') and file.read_text().endswith('after\n')


def test_a_study_shows_mean_spread_dashes_and_its_command(tmp_path):
    result(tmp_path, 'mine', STUDY)
    rows = make_tables.study(tmp_path, 'mine').splitlines()
    # retrieval, which no arm has, gets no column
    assert rows[0] == '| start of the task | video QA acc. | pairs, group |'
    assert rows[2] == '| plain | 11.0 ± 1.4 | 30.0 (one seed) |'
    assert rows[3] == '| finsta | 21.0 ± 1.4 | - |'
    assert rows[-1] == 'Ours: `python x.py`; commit abc.'


@pytest.mark.parametrize(('commits', 'shown'), [
    (['abc'], '; commit abc'), (['abc', 'unknown'], '; commits abc, unknown'), ([], '')])
def test_commits_of_the_steps_are_shown(commits, shown):
    data = {'command': 'python x.py', 'commits': commits, 'seeds': [0]}
    assert make_tables.source(data) == f'\nOurs: `python x.py`{shown}; seeds [0].\n'


def test_factors_leave_the_means_out(tmp_path):
    result(tmp_path, 'mine', STUDY)
    rows = make_tables.study_factors(tmp_path, 'mine').splitlines()
    assert rows[0] == '| factor | plain | finsta |'
    assert rows[2] == '| order | 25.0 (one seed) | 50.0 (one seed) |' and rows[3] == ''


def test_check_tells_stale_from_current_and_writes_nothing(tmp_path, capsys):
    result(tmp_path, 'mine', STUDY)
    file = page(tmp_path, 'study:mine', '| old |\n')
    before = file.read_text()
    assert make_tables.main(['--root', str(tmp_path), '--check']) == 1
    assert file.read_text() == before and 'page.md: not current' in capsys.readouterr().out
    assert make_tables.main(['--root', str(tmp_path)]) == 0
    assert make_tables.main(['--root', str(tmp_path), '--check']) == 0
    result(tmp_path, 'mine', {**STUDY, 'commit': 'def'})
    assert make_tables.main(['--root', str(tmp_path), '--check']) == 1


def test_provenance_keeps_figures_in_columns_of_their_own(tmp_path):
    folder = tmp_path / 'configs/m'
    folder.mkdir(parents=True)
    (folder / 'metafile.yml').write_text(
        'Models:\n- {Name: a, Config: configs/m/a.py, Task: QA, Provenance: run, Results: ['
        '{Provenance: paper, Metrics: {acc: 50}}, {Provenance: ours, Metrics: {acc: 40}}]}\n')
    head, _, row = make_tables.configs(tmp_path, 'm').splitlines()
    assert head.endswith('| paper | converted | ours |')
    assert row.endswith('| acc 50 | - | acc 40 |')


@pytest.mark.parametrize(('text', 'said'), [
    ('<!-- table: nothing -->\n<!-- end table -->', "no table 'nothing'"),
    ('<!-- table: study:mine -->\n| a |\n', 'no "end table" marker'),
    ('<!-- table: configs:none -->\n<!-- end table -->', 'metafile.yml')])
def test_a_mistake_is_named(tmp_path, capsys, text, said):
    (tmp_path / 'page.md').write_text(text)
    assert refused(tmp_path) == 2
    error = capsys.readouterr().err
    assert said in error


def test_a_damaged_metafile_is_named(tmp_path, capsys):
    (tmp_path / 'configs/m').mkdir(parents=True)
    (tmp_path / 'configs/m/metafile.yml').write_text('Models:\n- {Task: a: b}\n')
    page(tmp_path, 'configs:m')
    assert refused(tmp_path) == 2
    assert 'metafile.yml is no YAML' in capsys.readouterr().err


def test_a_damaged_result_is_named(tmp_path, capsys):
    result(tmp_path, 'mine', STUDY)
    (tmp_path / 'docs/en/results/mine.json').write_text('{"results": ')
    page(tmp_path, 'study:mine')
    assert refused(tmp_path) == 2
    assert 'mine.json is no JSON' in capsys.readouterr().err

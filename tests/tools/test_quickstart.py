"""The newcomer's command: its plan, what it shortens, what it says, and one run of it."""

import importlib.util
import json
import shutil
import sys
from pathlib import Path

import pytest
from mmengine.config import Config

from finsta.apis.study import Arm, StepError, Task

REPO = Path(__file__).resolve().parents[2]
SIZES = '--size', 'tiny', '--scale', '0.001', '--jobs', '1', '--out', 'work'


@pytest.fixture
def quickstart(monkeypatch, tmp_path):
    """The tool as a module that works in ``tmp_path``, where ``tools`` is yet to be put."""
    spec = importlib.util.spec_from_file_location('quickstart', REPO / 'tools/quickstart.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name in ('configs', 'finsta'):
        (tmp_path / name).symlink_to(REPO / name)
    monkeypatch.setattr(module, 'REPO', tmp_path)
    monkeypatch.setattr(sys, 'argv', ['quickstart.py', *SIZES])
    monkeypatch.setenv('PYTHONPATH', str(REPO))
    monkeypatch.chdir(tmp_path)
    return module


@pytest.fixture
def stand_ins(quickstart, tmp_path, monkeypatch):
    """Data steps that take no time, and no study; the file that counts the steps run."""
    made = """
import pathlib, sys
out = pathlib.Path(sys.argv[sys.argv.index('--out') + 1])
with open('ran.txt', 'a') as log:
    log.write(pathlib.Path(sys.argv[0]).stem + ' ')
"""
    ends = {'datasets/make_synthvl.py': """
(out / 'YouTubeClips').mkdir(parents=True)
for name in ('a', 'b'):
    (out / 'YouTubeClips' / f'{name}.avi').touch()
(out / 'train_list.txt').write_text('b')
(out / 'synthvl.json').touch()
""", 'scene_graphs/parse_text.py': "(out / 'texts').mkdir(parents=True)\n",
            'scene_graphs/parse_video.py': """
assert pathlib.Path(sys.argv[sys.argv.index('--videos') + 1]).read_text().split() == [
    'data/synthvl/msvd/YouTubeClips/b.avi']
(out / 'videos').mkdir(parents=True)
"""}
    for name, end in ends.items():
        file = tmp_path / 'tools' / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(made + end)

    class NoStudy:
        def __init__(self, root, arms, tasks, seeds, backbone, jobs):
            self.arms = arms

        def run(self):
            return {arm: {'videoqa': {'qa/acc': {'mean': 12.34}}} for arm in self.arms}
    monkeypatch.setattr(quickstart, 'Study', NoStudy)
    import finsta.apis.quickstart_report as report
    monkeypatch.setattr(report, 'write_quickstart_report', lambda root, *a: root / 'report.html')
    return tmp_path / 'ran.txt'


def test_configs_weights_and_scripts_of_the_plan_exist(quickstart):
    configs = [a.config for a in quickstart.ARMS.values() if a.config]
    configs += [t.config for t in quickstart.TASKS.values()]
    assert len(configs) == 5 and all((REPO / name).is_file() for name in configs)
    assert (REPO / 'finsta/weights/clip4clip_tiny/model.safetensors').is_file()
    assert {task for task, *_ in quickstart.COLUMNS} == set(quickstart.TASKS)
    steps = quickstart.data_steps(Path('d'), 'tiny')
    assert [name for name, *_ in steps] == ['generate SynthVL', 'parse captions', 'parse videos']
    for _, command, product in steps:
        assert (REPO / command[1]).is_file() and product.parts[0] == 'd'


def test_the_full_length_changes_nothing(quickstart):
    assert quickstart.shortened(1.0) == {}


@pytest.mark.parametrize('scale', [0.05, 1e-9])
def test_a_look_changes_keys_that_the_configs_have(quickstart, scale):
    short = quickstart.shortened(scale)
    trained = {a.config for a in quickstart.ARMS.values() if a.config} | {
        t.config for t in quickstart.TASKS.values() if t.train}
    assert set(short) == trained
    for name, options in short.items():
        config = Config.fromfile(REPO / name)
        full = config.train_cfg.max_iters
        for key in options:
            node = config
            for part in key.split('.'):
                node = node[int(part)] if part.isdigit() else node[part]
        config.merge_from_dict({k: int(v) for k, v in options.items()})
        assert config.train_cfg.max_iters == max(2, round(scale * full)) < full
        assert config.train_cfg.val_interval == config.train_cfg.max_iters
        first, second = config.param_scheduler
        assert first.end <= second.begin < second.end == config.train_cfg.max_iters
        if name == quickstart.ARMS['finsta'].config:
            assert config.custom_hooks[0].type == 'StageHook'
            assert config.custom_hooks[0].warmup_iters < config.train_cfg.max_iters


def test_table_has_a_column_a_figure_and_dashes_for_what_is_absent(quickstart, capsys):
    rows = quickstart.print_table({
        'plain': {'videoqa': {'qa/acc': {'mean': 41.25}}},
        'finsta': {'videoqa': {}, 'pairs': {'pairs/mean_match': {'mean': 50.0}}}})
    assert rows == [['plain', 41.2, *[None] * 6], ['finsta', *[None] * 6, 50.0]]
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines[0].startswith('start   video QA, accuracy %  text-to-video R@1 %')
    assert lines[2].split()[1:] == ['-'] * 6 + ['50.0']
    assert lines[1].index('41.2') == lines[0].index('video QA')
    assert lines[2].index('50.0') == lines[0].index('minimal pairs, match')


def test_second_call_skips_and_deleted_data_are_made_again(quickstart, stand_ins, capsys):
    quickstart.main()
    all_steps = 'make_synthvl parse_text parse_video '
    assert stand_ins.read_text() == all_steps
    assert json.loads(Path('work/results.json').read_text())['plain']
    quickstart.main()
    assert stand_ins.read_text() == all_steps
    shutil.rmtree('data/synthvl/msvd/graphs')
    quickstart.main()
    assert stand_ins.read_text() == all_steps + 'parse_text parse_video '
    shutil.rmtree('data')
    quickstart.main()
    assert stand_ins.read_text() == all_steps + 'parse_text parse_video ' + all_steps
    said = capsys.readouterr().out
    assert '12.3' in said and 'Page: work/report.html' in said


def test_half_deleted_data_end_in_a_sentence(quickstart, stand_ins):
    quickstart.main()
    shutil.rmtree('data/synthvl/msvd/YouTubeClips')
    with pytest.raises(SystemExit, match=r'1 of 1 training videos .* Delete data/synthvl/msvd'):
        quickstart.main()
    Path('data/synthvl/msvd/train_list.txt').unlink()
    with pytest.raises(StepError, match=r'train_list\.txt'):
        quickstart.list_training_videos(Path('data/synthvl/msvd'))


def test_a_failed_step_ends_in_its_log_and_how_to_go_on(quickstart, stand_ins, tmp_path):
    script = tmp_path / 'tools/scene_graphs/parse_text.py'
    script.write_text("raise SystemExit('no such parser')")
    with pytest.raises(SystemExit) as end:
        quickstart.main()
    said = str(end.value)
    assert 'no such parser' in said and 'log.txt' in said and 'Run it again to go on' in said


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_from_nothing_to_table_and_page(quickstart, tmp_path, monkeypatch, capsys):
    """Real steps on a tiny world: generation, both parsers, Finsta, a test, the page. One arm
    and one task, which needs no fine-tuning, so that it takes under a minute."""
    (tmp_path / 'tools').symlink_to(REPO / 'tools')
    monkeypatch.setattr(quickstart, 'ARMS', {
        'finsta': Arm('configs/synthvl/posttrain_msvd.py', {})})
    monkeypatch.setattr(quickstart, 'TASKS', {
        'pairs': Task('configs/synthvl/pairs_msvd.py', train=False)})
    quickstart.main()
    said = capsys.readouterr().out
    assert '$ ' in said and 'tools/datasets/make_synthvl.py --layout msvd --size tiny' in said
    results = json.loads(Path('work/results.json').read_text())
    assert 0 <= results['finsta']['pairs']['pairs/mean_group']['mean'] <= 100
    assert Path('work/finsta/seed0/posttrain/backbone/model.safetensors').is_file()
    page = Path('work/report.html').read_text(encoding='utf-8')
    assert 'minimal pairs, group %' in page and '<td>finsta</td>' in page
    assert page.count('data:image/') >= 8 and 'Textual scene graph' in page

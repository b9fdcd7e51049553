"""Which steps a study runs, in which order, and what it collects: mean, spread, commits."""

import json
import shutil
import threading

import pytest
from mmengine.config import Config

from finsta.apis import study_stgt
from finsta.apis.study import Arm, Stage, StepError, Study, Task


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """A study whose trainings and tests are stood in for by a script that writes what they leave,
    and what they would go on from; calling the other value says which folders ran."""
    (tmp_path / 'tools').mkdir()
    script = """
import pathlib, sys
args = sys.argv
work = pathlib.Path(args[args.index('--work-dir') + 1])
(work / 'backbone').mkdir(parents=True, exist_ok=True)
(work / 'last_checkpoint').write_text(str(work / 'iter_1.pth'))
resumed = (work / 'iter_1.pth').exists()
if '--resume' in args and not resumed:
    (work / 'iter_1.pth').write_text(pathlib.Path(args[1]).read_text())
if '--dump' in args:
    pathlib.Path(args[args.index('--dump') + 1]).write_text('{"qa/acc": 50.0}')
with open('ran.txt', 'a') as log:
    log.write(str(work) + (' resumed' if resumed else '') + chr(10))
"""
    for name in ('train.py', 'test.py'):
        (tmp_path / 'tools' / name).write_text(script)
    for name in ('a.py', 'qa.py'):
        (tmp_path / name).write_text('lr = 1.0\n')
    monkeypatch.chdir(tmp_path)
    study = Study('work', {'finsta': Arm('a.py')}, {'videoqa': Task('qa.py')}, [0], 'weights', 1)
    study.repo = tmp_path

    def ran():
        study.run()
        log = tmp_path / 'ran.txt'
        lines = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return [line.removeprefix('work/finsta/seed0/') for line in lines]
    assert ran() == ['posttrain', 'videoqa/train', 'videoqa/test'] and ran() == []
    return study, ran


@pytest.mark.parametrize(('lost', 'again'), [
    ('finsta/seed0/posttrain/backbone', ['posttrain resumed']),
    ('finsta/seed0/videoqa/train/last_checkpoint', ['videoqa/train resumed']),
    ('finsta/seed0/videoqa/metrics.json', ['videoqa/test'])])
def test_a_study_makes_again_what_was_deleted(stand_in, lost, again):
    study, ran = stand_in
    gone = study.root / lost
    shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
    assert ran() == again


def test_another_config_trains_anew_and_the_test_reads_the_new_checkpoint(stand_in):
    """The command is the same, the file it names is not; what was trained is not gone on from."""
    study, ran = stand_in
    (study.repo / 'qa.py').write_text('# a comment\nlr = 1.0\n')
    assert ran() == []
    (study.repo / 'base.py').write_text('lr = 2.0\n')
    (study.repo / 'qa.py').write_text("_base_ = ['base.py']\n")
    assert ran() == ['videoqa/train', 'videoqa/test']


def test_a_test_depends_on_the_checkpoint_that_it_reads(stand_in):
    study, ran = stand_in
    (study.root / 'finsta/seed0/videoqa/train/iter_1.pth').write_text('other weights')
    assert ran() == ['videoqa/test']


def test_records_without_inputs_are_taken(stand_in, monkeypatch):
    """As a study of before left them: key, seconds and command."""
    study, ran = stand_in
    told = []
    monkeypatch.setattr('finsta.apis.steps.print_log', lambda text, *a: told.append(text))
    for file in study.root.rglob('done.json'):
        old = json.loads(file.read_text())
        file.write_text(json.dumps({k: old[k] for k in ('key', 'seconds', 'command')}))
    assert ran() == [] and len(told) == 3 and 'checkpoint and config' in told[2]
    assert study.commits() == ['unknown'] and study.minutes()['finsta'] > 0
    assert study.results()['finsta']['videoqa']['qa/acc']['values'] == [50.0]


def test_commits_are_those_of_the_steps(stand_in, monkeypatch):
    """A step that is not run again keeps its own; one without a test file is not counted."""
    study, ran = stand_in
    first = study.commits()
    assert len(first) == 1
    monkeypatch.setattr('finsta.apis.steps.commit', lambda folder: 'zzz')
    assert study.commits() == first
    (study.root / 'finsta/seed0/videoqa/metrics.json').unlink()
    assert study.commits() == []
    assert ran() == ['videoqa/test'] and study.commits() == [*first, 'zzz']


def test_the_config_counts_as_resolved_and_without_places(tmp_path):
    (tmp_path / 'qa.py').write_text("data_root = 'a'\ntrain_cfg = dict(path='a/b', lr=1.0)\n")
    tasks = {'qa': Task('qa.py')}

    def digest(root, options):
        study = Study(tmp_path / root, {'plain': Arm()}, tasks, [0], str(tmp_path / root), 1)
        study.repo = tmp_path
        return study._config_hash('qa.py', options)
    assert digest('x', {}) == digest('y', {}) == digest('y', {'train_cfg.lr': '1.0'})
    assert digest('x', {}) != digest('x', {'train_cfg.lr': '2.0'})
    assert digest('x', {'data_root': 'c'}) == digest('x', {'data_root': 'c',
                                                           'train_cfg.path': 'c/b'})
    with pytest.raises(StepError, match=r'absent\.py'):
        Study(tmp_path, {}, {}, [0], '')._config_hash('absent.py', {})


@pytest.fixture
def study(tmp_path):
    arms = {'plain': Arm(), 'finsta': Arm('configs/synthvl/posttrain_msvd.py')}
    tasks = {'pairs': Task('configs/synthvl/pairs_msvd.py', train=False)}
    return Study(tmp_path / 'study', arms, tasks, [0, 1], str(tmp_path / 'weights'), jobs=1)


def test_results_are_mean_and_spread_over_seeds(study):
    for seed, value in ((0, 10.0), (1, 14.0)):
        folder = study.root / 'plain' / f'seed{seed}' / 'pairs'
        folder.mkdir(parents=True)
        (folder / 'metrics.json').write_text(json.dumps({'group': value, 'note': 'text'}))
    table = study.results()
    assert table['plain']['pairs'] == {
        'group': {'mean': 12.0, 'sd': pytest.approx(8 ** 0.5), 'values': [10.0, 14.0]}}
    assert table['finsta']['pairs'] == {}


def test_repeats_are_fine_tuned_with_seeds_of_their_own(tmp_path, monkeypatch):
    """One value a seed, the mean of its repeats; a task that trains nothing is not repeated."""
    tasks = {'qa': Task('qa.py'), 'pairs': Task('pairs.py', train=False)}
    study = Study(tmp_path, {'plain': Arm()}, tasks, [0, 1], '', jobs=1, start='', repeats=2)
    study.repo = tmp_path
    for name in ('qa.py', 'pairs.py'):
        (tmp_path / name).touch()
    trained = []

    def record(name, command, folder, threads, bar=None, stamp='', products=(), inputs=None):
        if 'train.py' in command[1]:
            trained.append((name, command[command.index('--seed') + 1]))
            folder.mkdir(parents=True)
            (folder / 'last_checkpoint').write_text('iter_1.pth')
        else:
            folder.mkdir(parents=True, exist_ok=True)
            value = 10.0 * ('+1' in folder.parent.name) + ('seed1' in str(folder))
            (folder.parent / 'metrics.json').write_text(json.dumps({'acc': value}))
        return 0.0
    monkeypatch.setattr('finsta.apis.study.run_step', record)
    results = study.run()['plain']
    assert trained == [('plain/0 qa', '0'), ('plain/0 qa+1', '10'), ('plain/1 qa', '1'),
                       ('plain/1 qa+1', '11')]
    assert results['qa']['acc'] == {'mean': 5.5, 'sd': pytest.approx(0.5 ** 0.5),
                                    'values': [5.0, 6.0], 'runs': [[0.0, 10.0], [1.0, 11.0]]}
    assert results['pairs']['acc']['values'] == [0.0, 1.0]
    assert 'runs' not in results['pairs']['acc']


def test_a_seed_without_a_result_is_told(study, monkeypatch):
    told = []
    monkeypatch.setattr('finsta.apis.study.print_log', lambda text, *a: told.append(text))
    cell = study.root / 'plain' / 'seed1' / 'pairs'
    cell.mkdir(parents=True)
    (cell / 'metrics.json').write_text(json.dumps({'pairs/mean_group': 3.0}))
    assert study.results()['plain']['pairs']['pairs/mean_group']['values'] == [3.0]
    assert told == ['plain, pairs: no result yet of the seeds [0]',
                    'finsta, pairs: no result yet of the seeds [0, 1]']


def test_arms_start_from_their_own_backbone(study):
    assert study.start_of('plain', 1) == study.backbone
    assert study.start_of('finsta', 1).endswith('finsta/seed1/posttrain/backbone')


def test_stages_that_begin_alike_are_run_once(tmp_path):
    first = Stage('vtc', 'a.py', {'log_level': '1'}, start='')
    arms = {'csal': Arm(stages=(first, Stage('two', 'b.py', start='load_from'))),
            'more': Arm(stages=(first, Stage('two', 'b.py', {'log_processor.losses': 'stage1'},
                                       'load_from')),
                        task_options={'model.backbone.sim_threshold': '0.5'}),
            'other': Arm(stages=(Stage('vtc', 'a.py', {'log_level': '2'}, start=''),
                                 Stage('end', 'b.py', file='model.safetensors')))}
    study = Study(tmp_path, arms, {'qa': Task('qa.py', options={'launcher': '3'})}, [0, 1], '',
                  jobs=1, start='load_from', threads=1)
    study.repo = tmp_path
    for name in ('a.py', 'b.py', 'qa.py'):
        (tmp_path / name).touch()
    ran = []

    def record(name, command, folder, threads, bar=None, stamp='', products=(), inputs=None):
        ran.append((str(folder.relative_to(tmp_path)), command))
        if 'train.py' in command[1]:
            (folder / 'backbone').mkdir(parents=True)
            (folder / 'backbone' / 'model.safetensors').write_bytes(str(folder).encode())
            (folder / 'last_checkpoint').write_text('iter_1.pth')
        return 0.0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('finsta.apis.study.run_step', record)
        study.run()
    names = [name for name, _ in ran]
    assert len(names) == len(set(names)) == 4 + 6 + 6 + 6
    commands = dict(ran)
    assert sum(name.startswith('stages/vtc') for name in names) == 4
    more = study.stage_folder('more', 1, 1)
    assert study.stage_folder('more', 1, 0) == study.stage_folder('csal', 1, 0)
    assert more != study.stage_folder('csal', 1, 1)
    command = commands[str(more.relative_to(tmp_path))]
    assert command[-2:] == ['log_processor.losses=stage1',
                            f'load_from={study.stage_folder("more", 1, 0)}/backbone']
    assert not any('load_from' in word for word in commands[names[0]])
    end = commands[str(study.stage_folder('other', 0, 1).relative_to(tmp_path))]
    assert end[-1] == ('model.backbone.pretrained='
                       f'{study.stage_folder("other", 0, 0)}/backbone/model.safetensors')
    wanted = {'launcher=3', 'model.backbone.sim_threshold=0.5', f'load_from={more}/backbone'}
    assert wanted <= set(commands['more/seed1/qa/train'])


def test_a_step_waits_for_what_it_needs_and_for_nothing_else(study, monkeypatch):
    """While one arm's post-training runs, the other arm is tested."""
    study.jobs, tested, events = 2, threading.Event(), []

    def stage(arm, seed, depth, bar):
        assert seed or tested.wait(20), 'the plain arm was not tested meanwhile'
        events.append((arm, seed, 'posttrain'))

    def test(arm, seed, task, repeat, bar):
        events.append((arm, seed, task))
        if (arm, seed) == ('plain', 0):
            tested.set()
    monkeypatch.setattr(study, '_stage', stage)
    monkeypatch.setattr(study, '_test', test)
    study.run()
    assert len(events) == len(set(events)) == 6
    for s in study.seeds:
        assert events.index(('finsta', s, 'posttrain')) < events.index(('finsta', s, 'pairs'))


def test_a_failed_step_ends_the_study_and_starts_nothing_more(study, monkeypatch):
    ran = []

    def stage(arm, seed, depth, bar):
        ran.append(seed)
        raise StepError('broken')
    monkeypatch.setattr(study, '_stage', stage)
    with pytest.raises(StepError, match='broken'):
        study.run()
    assert ran == [0]


@pytest.mark.parametrize('name', sorted(study_stgt.ARMS))
def test_arms_of_the_stgt_study_build_and_take_as_many_host_steps(name, repo_root):
    steps = 0
    for stage in study_stgt.ARMS[name].chain():
        config = Config.fromfile(repo_root / stage.config)
        config.merge_from_dict({k: _value(v) for k, v in stage.options.items()})
        steps += config.train_cfg.max_iters
        assert config.param_scheduler[1].end == config.train_cfg.max_iters
        for hook in config.custom_hooks:
            if hook['type'] == 'StageHook':
                steps -= hook['warmup_iters']
    assert steps == study_stgt.BARE + study_stgt.FIRST + study_stgt.SECOND
    for task in study_stgt.TASKS.values():
        config = Config.fromfile(repo_root / task.config)
        config.merge_from_dict({k: _value(v) for k, v in
                                {**task.options, **study_stgt.ARMS[name].task_options}.items()})
        assert config.train_cfg.max_iters in (study_stgt.RETRIEVAL, study_stgt.QUESTIONS)
        layers = config.model.backbone.adapter.num_layers
        assert layers == {'no-graph': 0, 'layers-2': 2}.get(name, 1)


def _value(text):
    try:
        return json.loads(text)
    except ValueError:
        return text


def test_minutes_count_the_finished_steps(study):
    for folder, seconds in (('finsta/seed0/posttrain', 60), ('finsta/seed1/pairs/test', 120)):
        (study.root / folder).mkdir(parents=True)
        (study.root / folder / 'done.json').write_text(json.dumps({'seconds': seconds}))
    assert study.minutes() == {'plain': 0.0, 'finsta': 1.5}


def test_a_training_that_saved_nothing_is_named(study):
    with pytest.raises(StepError, match='last_checkpoint'):
        study._last_checkpoint(study.root)

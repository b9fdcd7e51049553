"""Steps run once, failures show their log, results have mean and spread."""

import json
import sys

import pytest

from finsta.apis.study import Arm, StepError, Study, Task, run_step


def test_a_finished_step_is_skipped_until_it_changes(tmp_path):
    counter = tmp_path / 'count'
    script = f"open({str(counter)!r}, 'a').write('x')"
    command = [sys.executable, '-c', script]
    for _ in range(2):
        run_step('count', command, tmp_path / 'step', 1)
    assert counter.read_text() == 'x'
    run_step('count', command, tmp_path / 'step', 1, stamp='new weights')
    assert counter.read_text() == 'xx'


def test_a_failed_step_shows_command_log_and_end_and_runs_again(tmp_path):
    command = [sys.executable, '-c', "print('the reason'); raise SystemExit(3)"]
    for _ in range(2):
        with pytest.raises(StepError, match='exit code 3') as error:
            run_step('broken', command, tmp_path, 1)
        assert 'the reason' in str(error.value) and 'log.txt' in str(error.value)
    assert not (tmp_path / 'done.json').exists()


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


def test_arms_start_from_their_own_backbone(study):
    assert study.start_of('plain', 1) == study.backbone
    assert study.start_of('finsta', 1).endswith('finsta/seed1/posttrain/backbone')


def test_a_training_that_saved_nothing_is_named(study):
    with pytest.raises(StepError, match='last_checkpoint'):
        study._last_checkpoint(study.root)


class _Bar:
    def __init__(self):
        self.seen, self.steps = [], 0

    def set_postfix_str(self, text):
        self.seen.append(text)

    def update(self, steps):
        self.steps += steps


def test_progress_of_a_step_is_shown(tmp_path):
    script = ("import sys; print('Iter(train) [ 20/300]  lr: 1'); "
              "sys.stderr.write('videos:  5%| 7/150 [00:01<00:09]\\r'); sys.stderr.flush()")
    bar = _Bar()
    run_step('work', [sys.executable, '-c', script], tmp_path, 1, bar)
    assert set(bar.seen) == {'work 20/300', 'work 7/150'} and bar.steps == 1

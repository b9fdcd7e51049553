"""``kill -9`` in the post-training of the real model, and ``--resume``.

test_loops.py holds the loop on a toy; here it is everything that a user's run has: the shipped
tiny backbone, the teacher with its three encoders, transfer, hard negatives, the graph store, the
frame cache, loader processes, AdamW with a schedule, the switch from warm-up to joint training.
"""

import json
from pathlib import Path

import pytest

# everything else is configs/synthvl/posttrain_msvd.py; the log has each step's own numbers
REPO, CONFIG = Path(__file__).parents[2], 'configs/synthvl/posttrain_msvd.py'
STEPS, WARMUP, SAVED, KILLED = 10, 2, 4, 7
OPTIONS = [
    'train_dataloader.batch_size=4', f'train_cfg.max_iters={STEPS}',
    f'custom_hooks.0.warmup_iters={WARMUP}', f'default_hooks.checkpoint.interval={SAVED}',
    'default_hooks.logger.interval=1', 'custom_hooks.1.interval=1', 'log_processor.window_size=1',
    'param_scheduler.0.end=3', 'param_scheduler.1.begin=3', f'param_scheduler.1.end={STEPS}']
CLOCK = {'time', 'data_time', 'memory'}


def steps_of(work_dir: Path) -> dict[int, dict]:
    """Step -> all that was logged of it but the clock; of all logs below the folder, the later
    log wins. A last line that the kill cut off does not count."""
    out = {}
    for scalars in sorted(work_dir.rglob('scalars.json')):
        for line in scalars.read_text().splitlines(keepends=True):
            if line.endswith('\n'):
                row = json.loads(line)
                out[row['step']] = {k: v for k, v in row.items() if k not in CLOCK}
    return out


@pytest.mark.slow
def test_killed_posttraining_resumes_as_the_uninterrupted_one(tiny_world, tool_in):
    """Equal to the last digit: each loss, the gradient norm, the structure's numbers, the
    learning rate of each step, and the bytes of the exported backbone."""
    tool = tool_in(tiny_world)

    def train(work_dir: str, *flags: str, config: str = CONFIG):
        return tool('train.py', config, '--work-dir', work_dir, *flags, '--cfg-options', *OPTIONS)

    whole = train('whole')
    assert whole.returncode == 0, whole.stderr
    expected = steps_of(tiny_world / 'whole')
    assert sorted(expected) == list(range(1, STEPS + 1))
    # the run has what the test is about
    teacher, joint = {'loss_osc', 'loss_ptc', 'loss_graph'}, {'loss_itc', 'loss_node_video'}
    assert all(teacher <= set(row) for row in expected.values())
    assert [joint <= set(expected[k]) for k in (WARMUP, WARMUP + 1)] == [False, True]
    assert len({row['loss'] for row in expected.values()}) == STEPS
    assert 'missing_' not in whole.stdout + whole.stderr  # every graph was in the store

    cut = tiny_world / 'cut'
    # killed (-9) from inside, in the step after the step KILLED
    (tiny_world / 'killed.py').write_text(
        f"_base_ = {str(REPO / CONFIG)!r}\n"
        "custom_imports = dict(imports=['toy_world'], allow_failed_imports=False)\n"
        "default_hooks = dict(kill=dict(type='TraceHook', path='trace.txt', "
        f"kill_at={KILLED}))\n")
    killed = train('cut', config='killed.py')
    assert killed.returncode == -9, killed.stderr
    before = steps_of(cut)
    assert WARMUP < SAVED < KILLED == max(before) < STEPS
    assert not (cut / 'backbone').exists()

    resumed = train('cut', '--resume')
    assert resumed.returncode == 0, resumed.stderr
    log = resumed.stdout + resumed.stderr
    assert f'the data continue at iteration {SAVED}' in log
    logs = sorted(cut.rglob('scalars.json'))
    assert len(logs) == 2
    after = steps_of(logs[1].parent)
    assert sorted(after) == list(range(SAVED + 1, STEPS + 1))
    assert before == {step: expected[step] for step in before}
    assert after == {step: expected[step] for step in after}
    exported = [tiny_world / run / 'backbone' / 'model.safetensors' for run in ('whole', 'cut')]
    assert exported[0].read_bytes() == exported[1].read_bytes()

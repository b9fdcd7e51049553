"""Two torchrun processes train the shipped backbones by the shipped configs (test_train.py has
the toy): every parameter that a config leaves out of a loss would stop them."""

import pytest

SHORT = ['train_dataloader.batch_size=2', 'train_cfg.max_iters=3',
         'param_scheduler.0.end=1', 'param_scheduler.1.begin=1', 'param_scheduler.1.end=3']


@pytest.mark.slow
@pytest.mark.parametrize(('name', 'port', 'options'), [
    ('videoqa_msvd', 29641, []),
    ('videoqa_msvd_alpro', 29642, []),
    ('retrieval_msvd_alpro', 29643, []),
    ('posttrain_msvd', 29644, ['custom_hooks.0.warmup_iters=1']),
    ('posttrain_msvd_alpro_control', 29645, []),
])
def test_two_processes_train(tiny_world, tool_in, name, port, options):
    done = tool_in(tiny_world)('dist_train.sh', f'configs/synthvl/{name}.py', 2, '--no-validate',
                               '--work-dir', f'two/{name}', '--cfg-options', *SHORT, *options,
                               PORT=str(port))
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    assert (tiny_world / 'two' / name / 'iter_3.pth').is_file()

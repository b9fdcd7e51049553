"""Two stages of pre-training, retrieval with re-ranking and question answering on a SynthVL twin,
a few iterations each, as a user calls them."""

import json
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
FEW = ['train_cfg.max_iters=2', 'train_dataloader.batch_size=4', 'train_dataloader.num_workers=0',
       'train_dataloader.persistent_workers=False']


def run(tool, *args):
    done = tool(*args)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    return done


@pytest.mark.slow
def test_stages_retrieval_and_questions(tool, tmp_path):
    run(tool, 'datasets/make_synthvl.py', '--layout', 'msvd', '--num-train', 6, '--num-val', 3,
        '--num-test', 4, '--pairs', 1, '--workers', 1, '--out', 'data/synthvl/msvd', '--quiet')
    (tmp_path / 'data' / 'synthvl' / 'pretrain').symlink_to(tmp_path / 'data/synthvl/msvd')
    configs = REPO / 'configs' / 'synthvl'
    run(tool, 'train.py', configs / 'pretrain_stgt_stage1.py', '--work-dir', 'one',
        '--no-validate', '--cfg-options', *FEW)
    log = run(tool, 'train.py', configs / 'pretrain_stgt_stage2.py', '--work-dir', 'two',
              '--no-validate', '--cfg-options', *FEW, 'load_from=one/backbone',
              'default_hooks.logger.interval=1')
    for loss in ('loss_csal', 'loss_vtm', 'loss_vtg'):
        assert loss in log.stdout + log.stderr
    assert 'loss_vtc' not in log.stdout + log.stderr
    run(tool, 'train.py', configs / 'retrieval_msvd_stgt.py', '--work-dir', 'ret',
        '--no-validate', '--cfg-options', *FEW, 'load_from=two/backbone')
    run(tool, 'test.py', configs / 'retrieval_msvd_stgt.py', 'ret/iter_2.pth', '--dump', 'r.json')
    metrics = json.loads((tmp_path / 'r.json').read_text())
    assert {'retrieval/t2v_R1', 'rerank/t2v_R1', 'rerank/v2t_MnR'} <= set(metrics)
    assert 1 <= metrics['rerank/t2v_MnR'] <= 4
    run(tool, 'train.py', configs / 'videoqa_msvd_stgt.py', '--work-dir', 'qa', '--no-validate',
        '--cfg-options', *FEW, 'load_from=two/backbone')
    run(tool, 'test.py', configs / 'videoqa_msvd_stgt.py', 'two/backbone', '--zero-shot', '--dump',
        'zero.json')
    run(tool, 'test.py', configs / 'videoqa_msvd_stgt.py', 'qa/iter_2.pth', '--dump', 'q.json')
    for name in ('zero.json', 'q.json'):
        assert any('acc' in key.lower() for key in json.loads((tmp_path / name).read_text()))

"""Two stages of pre-training, post-training with Finsta, retrieval with re-ranking and question
answering on SynthVL twins, a few iterations each, as a user calls them."""

import json
from pathlib import Path

import pytest

from finsta.models.backbones.checkpoint import load_backbone

REPO = Path(__file__).resolve().parents[2]
FEW = ['train_cfg.max_iters=2', 'train_dataloader.batch_size=4', 'train_dataloader.num_workers=0',
       'train_dataloader.persistent_workers=False']


CONFIGS = REPO / 'configs' / 'synthvl'
LOG = 'default_hooks.logger.interval=1'


def run(tool, *args):
    done = tool(*args)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    return done


def make(tool, layout, *args):
    run(tool, 'datasets/make_synthvl.py', '--layout', layout, '--num-train', 6, '--num-val', 3,
        '--num-test', 4, '--pairs', 0, '--workers', 1, '--out', f'data/synthvl/{layout}',
        '--quiet', *args)


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


@pytest.fixture(scope='module')
def second_stage(tmp_path_factory, tool_in):
    """Both stages on WebVid's layout; the folder of the backbone, and the log of the second."""
    folder = tmp_path_factory.mktemp('webvid')
    tool = tool_in(folder)
    make(tool, 'webvid')
    for number in (1, 2):
        log = run(tool, 'train.py', CONFIGS / f'pretrain_stgt_stage{number}_webvid.py',
                  '--cfg-options', *FEW, LOG)
    return folder / 'work_dirs' / 'pretrain_stgt_stage2_webvid' / 'backbone', log


@pytest.mark.slow
def test_both_stages_on_webvid_rows(second_stage):
    """The second begins, by its own config, with what the first one left."""
    backbone, log = second_stage
    said = log.stdout + log.stderr
    assert 'WebVid (train): found 6 of 6 videos' in said
    assert 'loss_csal' in said and 'loss_vtc' not in said
    assert 'pretrain_stgt_stage1_webvid/backbone' in said
    assert load_backbone(backbone).embed_dim == 128


@pytest.mark.slow
def test_posttraining_of_stgt_with_finsta(tool, tmp_path, second_stage):
    """Teacher, choice among false captions, reversal; the saved backbone has moved."""
    start, _ = second_stage
    make(tool, 'msvd')
    data = 'data/synthvl/msvd'
    for name in ('parse_text.py', 'parse_video.py'):
        run(tool, f'scene_graphs/{name}', '--gold', data, '--out', f'{data}/graphs')
    done = run(tool, 'train.py', CONFIGS / 'posttrain_msvd_stgt.py', '--work-dir', 'post',
               '--cfg-options', *FEW, 'train_cfg.max_iters=3', LOG,
               f'model.backbone.pretrained={start}', 'custom_hooks.0.warmup_iters=1')
    said = done.stdout + done.stderr
    for loss in ('osc', 'ptc', 'choice_itc', 'choice_itm', 'reversal_itc', 'csal', 'vtm', 'vtg',
                 'pooled_text', 'pooled_video', 'pooled_cross'):
        assert f'loss_{loss}: ' in said, loss
    assert 'nan' not in said.lower()
    before = load_backbone(start).state_dict()
    after = load_backbone(tmp_path / 'post' / 'backbone').state_dict()
    assert list(before) == list(after)
    assert any((before[k] != after[k]).any() for k in before)


@pytest.mark.slow
def test_msrvtt_retrieval_and_questions(tool, tmp_path, second_stage):
    start, _ = second_stage
    make(tool, 'msrvtt')
    scores = {}
    for task in ('retrieval', 'videoqa'):
        config = CONFIGS / f'{task}_msrvtt_stgt.py'
        run(tool, 'train.py', config, '--work-dir', task, '--cfg-options', *FEW,
            f'load_from={start}')
        run(tool, 'test.py', config, f'{task}/iter_2.pth', '--dump', f'{task}.json')
        scores |= json.loads((tmp_path / f'{task}.json').read_text())
    assert 1 <= scores['rerank/t2v_MnR'] <= 4 and 1 <= scores['retrieval/t2v_MnR'] <= 4
    assert 0 <= scores['qa/acc'] <= 100

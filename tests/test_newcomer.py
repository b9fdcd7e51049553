"""What someone meets who runs the real configs for the first time: sentences, or a run."""

import json
import math

import pytest
import transformers

from finsta.apis import list_models
from finsta.apis.models import get_config
from finsta.models.backbones.tokenizers import load_tokenizer, save_tokenizer
from finsta.registry import BACKBONES, DATASETS
from tests.small_msvd import make_msvd

CONFIG = 'configs/finsta/videoqa_msvd.py'
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


@pytest.fixture(scope='module')
def clip_folder(tmp_path_factory):
    """A random CLIP of a few thousand weights, written as transformers writes the real one."""
    folder = tmp_path_factory.mktemp('weights') / 'clip'
    tokenizer = load_tokenizer('tiny')
    ids = {f'{k}_token_id': getattr(tokenizer, f'{k}_token_id') for k in ('pad', 'bos', 'eos')}
    config = transformers.CLIPConfig(
        text_config=dict(vocab_size=len(tokenizer), hidden_size=32, intermediate_size=48,
                         num_hidden_layers=1, num_attention_heads=2,
                         max_position_embeddings=40, **ids),
        vision_config=dict(hidden_size=32, intermediate_size=48, num_hidden_layers=1,
                           num_attention_heads=2, image_size=32, patch_size=8),
        projection_dim=32)
    transformers.CLIPModel(config).save_pretrained(folder)
    save_tokenizer(tokenizer, folder)
    return folder


def small(root, clip, pad):
    """--cfg-options: where data and weights lie, and sizes for a test."""
    options = {'model.backbone.pretrained': clip, 'train_dataloader.batch_size': 3,
               'train_cfg.max_iters': 2, 'train_cfg.val_interval': 2,
               'default_hooks.logger.interval': 1}
    for loader in LOADERS:
        options |= {f'{loader}.num_workers': 0, f'{loader}.persistent_workers': False,
                    f'{loader}.dataset.data_root': root}
        for key, value in (('0.num_frames', 4), ('1.size', 36), ('2.size', 32),
                           (f'{pad}.num_frames', 4)):
            options[f'{loader}.dataset.pipeline.{key}'] = value
    return [f'{key}={value}' for key, value in options.items()]


@pytest.mark.parametrize('name', list_models())
def test_every_config_names_files_and_data_sets_that_exist(name):
    config = get_config(name)
    assert config.model.type == 'FinstaModel' and config.model.backbone.type
    for loader in LOADERS:
        if config.get(loader):
            assert DATASETS.get(config[loader].dataset.type) is not None


@pytest.mark.parametrize('name', ['videoqa_msvd', 'retrieval_msvd'])
def test_without_data_and_weights_both_are_named(tool, name):
    done = tool('train.py', f'configs/finsta/{name}.py', HF_HUB_OFFLINE='1')
    assert done.returncode == 2, done.stderr
    said = done.stderr
    assert 'Traceback' not in said
    assert 'data/msvd/' in said                                             # the missing path
    assert 'tools/datasets/msvd' in said and 'README.md says where' in said  # where to get it
    assert 'python tools/datasets/make_synthvl.py --layout msvd --size small ' \
           '--out data/synthvl/msvd' in said                                # what runs instead
    assert f'python tools/train.py configs/synthvl/{name}.py' in said
    assert said.index('data/msvd/') < said.index('openai/clip-vit-base-patch32')
    assert '--cfg-options model.backbone.pretrained=' in said


@pytest.mark.parametrize('tool_name', ['train.py', 'test.py'])
def test_without_data_but_with_weights(tool, clip_folder, tool_name):
    done = tool(tool_name, CONFIG, '--cfg-options', f'model.backbone.pretrained={clip_folder}')
    assert done.returncode == 2, done.stderr
    assert 'no annotation file data/msvd/' in done.stderr
    assert 'make_synthvl.py --layout msvd' in done.stderr
    assert 'model.backbone.pretrained' not in done.stderr and 'Traceback' not in done.stderr


def test_with_data_but_without_weights(tool, tmp_path):
    make_msvd(tmp_path / 'data' / 'msvd')
    done = tool('train.py', CONFIG, HF_HUB_OFFLINE='1')
    assert done.returncode == 2, done.stderr
    assert "no usable weights or tokeniser at 'openai/clip-vit-base-patch32'" in done.stderr
    assert '--cfg-options model.backbone.pretrained=' in done.stderr
    assert 'make_synthvl' not in done.stderr and 'Traceback' not in done.stderr


def test_folder_without_weights_is_named(tool, tmp_path, clip_folder):
    make_msvd(tmp_path / 'data' / 'msvd')
    cut = tmp_path / 'cut'
    cut.mkdir()
    for file in clip_folder.iterdir():
        if file.suffix != '.safetensors':
            (cut / file.name).write_bytes(file.read_bytes())
    done = tool('train.py', CONFIG, '--cfg-options', f'model.backbone.pretrained={cut}')
    assert done.returncode == 2, done.stderr
    assert str(cut) in done.stderr and 'model.safetensors' in done.stderr
    assert 'Traceback' not in done.stderr


@pytest.mark.slow
def test_real_config_runs_on_a_few_videos(tool, tmp_path, clip_folder):
    """from_pretrained, published layout, three of five training videos; then tools/test.py."""
    root = make_msvd(tmp_path / 'msvd')
    options = ['--cfg-options', *small(root, clip_folder, 3),
               f'model.head.answers.ann_file={root}/train_qa.json',
               f'zero_shot_head.answers.ann_file={root}/train_qa.json']
    done = tool('train.py', CONFIG, *options)
    assert done.returncode == 0, done.stderr
    said = done.stdout + done.stderr
    assert 'MSVD-QA (train): found 3 of 5 videos' in said and '6 of 10 rows' in said
    work = tmp_path / 'work_dirs' / 'videoqa_msvd'
    rows = [json.loads(line) for file in work.rglob('scalars.json')
            for line in file.read_text().splitlines()]
    trained = [row['loss'] for row in rows if 'loss' in row]
    assert len(trained) == 2 and all(math.isfinite(v) and v > 0 for v in trained)
    for extra in ([work / 'iter_2.pth'], ['--zero-shot']):
        done = tool('test.py', CONFIG, *extra, '--dump', 'm.json', *options)
        assert done.returncode == 0, done.stderr
        assert 'MSVD-QA (test): found 1 of 2 videos' in done.stdout + done.stderr
        scores = json.loads((tmp_path / 'm.json').read_text())
        assert scores['qa/acc'] in (0, 50, 100) and scores['qa/out_of_vocabulary'] == 50


@pytest.mark.slow
def test_a_post_trained_backbone_goes_into_the_real_config(tool, tmp_path, clip_folder):
    """README: model.backbone.pretrained=.../backbone; and tested without the CLIP it came from."""
    root = make_msvd(tmp_path / 'msvd')
    config = get_config(CONFIG)
    backbone = BACKBONES.build({**config.model.backbone, 'pretrained': str(clip_folder)})
    folder = backbone.save(tmp_path / 'backbone')
    answers = [f'model.head.answers.ann_file={root}/train_qa.json',
               f'zero_shot_head.answers.ann_file={root}/train_qa.json']
    done = tool('train.py', CONFIG, '--cfg-options', *small(root, folder, 3), *answers)
    assert done.returncode == 0, done.stderr
    data = [o for o in small(root, folder, 3) if not o.startswith('model.backbone')]
    done = tool('test.py', CONFIG, folder, '--zero-shot', '--dump', 'm.json', '--cfg-options',
                *data, *answers)
    assert done.returncode == 0, done.stderr
    assert 'qa/acc' in json.loads((tmp_path / 'm.json').read_text())

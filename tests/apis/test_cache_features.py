"""Cached tower outputs give the losses of the pixels; stale, damaged, missing ones are named."""

import copy
import json
import pickle

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

pytest.importorskip('pyarrow')

from finsta.apis.cache_features import Filler, build_backbone, feature_steps, fill_from_config
from finsta.datasets.collate import video_text_collate
from finsta.datasets.feature_store import (
    BLANK,
    FeatureRow,
    FeatureStore,
    FeatureStoreError,
    Key,
)
from finsta.datasets.transforms.features import key_of, recipe_of
from finsta.datasets.transforms.video import VideoError
from finsta.models import FinstaModel
from finsta.registry import DATASETS
from finsta.structures import FrameFeatures
from tests.datasets.conftest import write_video
from tests.models.backbones.hosts import HOSTS

FRAMES = 4
# the second video has fewer frames than are read, so its last ones are padding
LENGTHS = {'aa_0_1': 20, 'bb_0_2': 3, 'cc_3_4': 12}
PIXELS = [dict(type='LoadVideoFrames', num_frames=FRAMES),
          dict(type='ResizeFrames', size=(32, 32)),
          dict(type='PadFrames', num_frames=FRAMES)]


@pytest.fixture
def config(tmp_path) -> Config:
    """A frozen tiny STGT over three videos, features in the place of pixels."""
    init_default_scope('finsta')
    (tmp_path / 'YouTubeClips').mkdir()
    for number, (name, frames) in enumerate(LENGTHS.items()):
        write_video(tmp_path / 'YouTubeClips' / f'{name}.mp4', frames, fps=5 + number)
    (tmp_path / 'train_list.txt').write_text('\n'.join(LENGTHS) + '\n')
    rows = [{'id': f'{name}.avi', 'caption': [f'a red {name[:2]} moves left']} for name in LENGTHS]
    for name in ('training_label.json', 'testing_label.json'):
        (tmp_path / name).write_text(json.dumps(rows if name[:2] == 'tr' else []))
    pipeline = [dict(type='LoadFrameFeatures', root='{data_root}/features', pipeline=PIXELS),
                dict(type='ChooseCaption')]
    torch.manual_seed(0)
    return Config(dict(
        model=dict(backbone=dict(HOSTS['STGT-frozen'], adapter=dict(num_layers=1, num_heads=2,
                                                                    dropout=0.0))),
        train_dataloader=dict(dataset=dict(type='MSVD', split='train', rows='video',
                                           data_root=str(tmp_path), pipeline=pipeline))))


def saved(config, tmp_path) -> str:
    """Weights of the config's backbone, with statistics in the stem's norms that are not 0, 1."""
    model = FinstaModel(backbone=config.model.backbone)
    for name, value in model.backbone.vision.named_buffers():
        if name.endswith('running_mean'):
            value.normal_()
    return str(model.backbone.save(tmp_path / 'weights'))


def batch_of(config, cached: bool) -> dict:
    given = copy.deepcopy(config.train_dataloader.dataset)
    if not cached:
        given['pipeline'] = [*PIXELS, *given['pipeline'][1:]]
    dataset = DATASETS.build(given)
    return video_text_collate([dataset[i] for i in range(len(dataset))])


def losses(model, batch) -> dict:
    torch.manual_seed(1)
    found = model(**batch, mode='loss')
    return {k: v for k, v in found.items() if k.startswith('loss')}


def test_losses_and_outputs_are_those_of_the_pixels(config, tmp_path):
    weights = saved(config, tmp_path)
    counts = fill_from_config(config, weights, dtype='fp32', batch=2)
    assert counts == {f'{tmp_path}/features': {'kept': 0, 'added': 4, 'unreadable': 0}}
    model = FinstaModel(backbone=config.model.backbone)
    model.backbone.load(weights)
    model.train()
    pixels, cached = batch_of(config, False), batch_of(config, True)
    assert isinstance(cached['inputs']['frames'], FrameFeatures)
    assert cached['inputs']['frame_mask'].tolist()[1] == [True] * 3 + [False]
    assert torch.equal(cached['inputs']['frame_mask'], pixels['inputs']['frame_mask'])
    want, found = losses(model, pixels), losses(model, cached)
    assert set(want) == {'loss_vtc', 'loss_vtm', 'loss_vtg'}
    for key, value in want.items():
        torch.testing.assert_close(found[key], value, rtol=1e-5, atol=1e-6)
    sum(found.values()).backward()
    assert model.backbone.adapter.proj.weight.grad.abs().sum() > 0
    with torch.no_grad():
        a, b = (model.encode(x['inputs'])[1] for x in (pixels, cached))
    for name in ('video', 'video_extra', 'video_queries'):
        torch.testing.assert_close(getattr(b, name), getattr(a, name), rtol=1e-5, atol=1e-5)


def test_choices_between_true_and_false_are_those_of_the_pixels(config, tmp_path):
    weights = saved(config, tmp_path)
    fill_from_config(config, weights, dtype='fp32')
    model = FinstaModel(backbone=config.model.backbone, choice=dict(type='CaptionChoice'),
                        reversal=dict(type='VideoChoice'), host_weight=0.0,
                        neighbours=dict(type='NeighbourChoice', group_size=3))
    model.backbone.load(weights)
    model.train()
    found = []
    for cached in (False, True):
        batch = batch_of(config, cached)
        # the second video has padding at its end, the last one no false caption
        batch['inputs']['negative_texts'] = [['a blue aa', 'an aa'], ['a bb moves right'], []]
        found.append(losses(model, batch))
    assert {k.split('_')[1] for k in found[0]} == {'choice', 'reversal', 'neighbours'}
    for key, value in found[0].items():
        assert value > 0
        torch.testing.assert_close(found[1][key], value, rtol=1e-4, atol=1e-5)


def test_half_precision_is_near_and_half_as_large(config, tmp_path):
    weights, sizes, found = saved(config, tmp_path), {}, {}
    model = FinstaModel(backbone=config.model.backbone)
    model.backbone.load(weights)
    for dtype in ('fp32', 'fp16'):
        config.train_dataloader.dataset.pipeline[0]['root'] = str(tmp_path / dtype)
        fill_from_config(config, weights, dtype=dtype)
        given = batch_of(config, True)
        sizes[dtype] = given['inputs']['frames'].tokens.nbytes
        found[dtype] = losses(model, given)
    assert sizes['fp16'] * 2 == sizes['fp32']
    for key, value in found['fp32'].items():
        torch.testing.assert_close(found['fp16'][key], value, rtol=5e-3, atol=5e-3)


def test_other_weights_are_refused_by_model_and_tool(config, tmp_path):
    weights = saved(config, tmp_path)
    fill_from_config(config, weights)
    model = FinstaModel(backbone=config.model.backbone)
    model.backbone.load(weights)
    given = batch_of(config, True)
    losses(model, given)
    with torch.no_grad():
        next(model.backbone.vision.parameters())[..., 0] += 1e-3
    with pytest.raises(ValueError, match='stale'):
        losses(model, given)
    other = str(model.backbone.save(tmp_path / 'other'))
    with pytest.raises(FeatureStoreError, match='stale: made with tower'):
        fill_from_config(config, other)
    model.backbone.freeze_vision = False
    with pytest.raises(ValueError, match='freeze_vision=True'):
        losses(model, given)


def test_other_pipelines_videos_and_backbones_are_refused(config, tmp_path):
    weights = saved(config, tmp_path)
    fill_from_config(config, weights)
    changed = copy.deepcopy(config)
    changed.train_dataloader.dataset.pipeline[0]['pipeline'][0]['sampling'] = 'consecutive'
    with pytest.raises(FeatureStoreError, match='stale: made with recipe'):
        batch_of(changed, True)
    given = batch_of(config, True)
    with pytest.raises(ValueError, match='reads pixels'):
        losses(FinstaModel(backbone=HOSTS['CLIP4Clip']), given)
    write_video(tmp_path / 'YouTubeClips' / 'aa_0_1.mp4', 30)
    with pytest.raises(FeatureStoreError, match=r'aa_0_1.mp4 has \d+ bytes'):
        batch_of(config, True)


def test_a_killed_filling_goes_on_and_a_damaged_shard_is_named(config, tmp_path, monkeypatch):
    weights = saved(config, tmp_path)
    filler = Filler(build_backbone(config, weights), batch=1, flush_bytes=1)
    step, samples = feature_steps(config)[0]
    put, count = FeatureStore.put, [0]

    def killed(self, key, row):
        if count[0] == 2:
            raise KeyboardInterrupt
        count[0] += 1
        put(self, key, row)
    monkeypatch.setattr(FeatureStore, 'put', killed)
    with pytest.raises(KeyboardInterrupt):
        filler.fill(step, samples)
    monkeypatch.undo()
    folder = tmp_path / 'features' / 'features'
    (folder / '.features-000009-aa.parquet.tmp').write_bytes(b'half')
    assert filler.fill(step, samples) == {'kept': 2, 'added': 2, 'unreadable': 0}
    whole = batch_of(config, True)
    shard = sorted(folder.glob('*.parquet'))[-1]
    data = bytearray(shard.read_bytes())
    data[60] ^= 0xff
    shard.write_bytes(data)
    with pytest.raises(FeatureStoreError, match=f'no features of Key.*{shard.name}'):
        batch_of(config, True)
    shard.write_bytes(data[:len(data) // 2])
    assert filler.fill(step, samples) == {'kept': 3, 'added': 1, 'unreadable': 0}
    again = batch_of(config, True)
    assert torch.equal(again['inputs']['frames'].tokens, whole['inputs']['frames'].tokens)


def test_videos_of_a_shard_with_flipped_tokens_are_done_again(config, tmp_path):
    """The file keeps its length and everything that is read at opening."""
    filler = Filler(build_backbone(config, saved(config, tmp_path)))
    step, samples = feature_steps(config)[0]
    filler.fill(step, samples)
    whole = batch_of(config, True)['inputs']['frames'].tokens
    shard, = (tmp_path / 'features' / 'features').glob('*.parquet')
    data = bytearray(shard.read_bytes())
    with step.store() as store:
        row = store.get(key_of(samples[2]))
    tokens = row.tokens[row.mask].tobytes()
    # the value itself bears its length; statistics hold copies that nothing reads
    data[data.index(len(tokens).to_bytes(4, 'little') + tokens) + 50] ^= 0xff
    shard.write_bytes(data)
    # the rows beside the damaged one go with their shard
    assert filler.fill(step, samples) == {'kept': 0, 'added': 4, 'unreadable': 0}
    assert torch.equal(batch_of(config, True)['inputs']['frames'].tokens, whole)
    assert filler.fill(step, samples) == {'kept': 4, 'added': 0, 'unreadable': 0}


def test_an_unreadable_video_is_noted_and_treated_as_without_a_cache(config, tmp_path):
    weights = saved(config, tmp_path)
    (tmp_path / 'YouTubeClips' / 'cc_3_4.mp4').write_bytes(b'no video')
    counts = fill_from_config(config, weights)
    assert counts[f'{tmp_path}/features'] == {'kept': 0, 'added': 3, 'unreadable': 1}
    given = dict(config.train_dataloader.dataset, test_mode=True)
    with pytest.raises(VideoError, match='cc_3_4'):
        DATASETS.build(copy.deepcopy(given))[2]
    blank = DATASETS.build(dict(copy.deepcopy(given), bad_video='blank'))[2]
    assert blank['features'].shape[0] == FRAMES and np.isfinite(blank['features']).all()


def test_size_is_bounded_before_anything_is_written(config, tmp_path):
    with pytest.raises(FeatureStoreError, match='raise --max-gb'):
        fill_from_config(config, saved(config, tmp_path), max_bytes=1000)
    assert not list((tmp_path / 'features').rglob('*.parquet'))


def test_store_refuses_what_half_precision_cannot_hold_and_travels(tmp_path):
    row = FeatureRow(np.full((2, 3, 4), 1e6), np.ones(2, bool), np.zeros(2), np.zeros(4))
    with pytest.raises(FeatureStoreError, match='not finite as fp16'):
        FeatureStore(tmp_path, [], 'x', readonly=False).put(Key('v'), row)
    with FeatureStore(tmp_path, [], 'x', readonly=False, dtype='fp32') as store:
        store.put(Key('v', 1.5, 2.0), row)
        store.put(BLANK, row)
    again = pickle.loads(pickle.dumps(FeatureStore(tmp_path, [])))
    assert np.array_equal(again.get(Key('v', 1.5, 2.0)).tokens, row.tokens)
    assert Key('v') not in again and again.tower == 'x'
    with pytest.raises(PermissionError):
        again.put(Key('w'), row)
    with pytest.raises(FileNotFoundError, match='cache_features'):
        FeatureStore(tmp_path / 'none', [])


def test_where_frames_are_cached_is_no_part_of_the_recipe():
    def recipe(root, side):
        return recipe_of([dict(type='LoadVideoFrames', num_frames=2,
                               cache=dict(root=root, short_side=side))])
    assert recipe('a', 48) == recipe('b', 48) != recipe('a', 64)

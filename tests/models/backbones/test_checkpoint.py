import json
import pickle

import pytest
import torch
from safetensors.torch import load_file, save_file

from finsta.engine.checkpoint import load_weights
from finsta.models import FinstaModel
from finsta.models.backbones import CheckpointError, load_backbone
from finsta.models.backbones.checkpoint import read_state_dict
from finsta.registry import BACKBONES
from tests.models.backbones.hosts import HOSTS, SIZE, build


@pytest.fixture
def saved(tmp_path):
    host = build('CLIP4Clip')
    return host, host.save(tmp_path / 'saved', dict(command='test', seed=0))


def test_config_json_says_what_the_weights_are(saved):
    host, folder = saved
    info = json.loads((folder / 'config.json').read_text())
    assert info['config']['type'] == 'CLIP4Clip' and info['provenance']['seed'] == 0
    assert info['num_parameters'] == sum(p.numel() for p in host.parameters())


def test_half_precision_on_disk_is_fp32_again(tmp_path):
    host = build('CLIP4Clip-conv')
    folder = host.save(tmp_path / 'half', dtype=torch.float16)
    stored = load_file(folder / 'model.safetensors')
    assert {v.dtype for v in stored.values()} == {torch.float16, torch.int64}
    loaded = load_backbone(folder)
    for key, value in host.state_dict().items():
        new = loaded.state_dict()[key]
        assert new.dtype == value.dtype
        torch.testing.assert_close(new, value, rtol=2e-3, atol=1e-4)


def test_pretrained_folder_file_and_init_cfg_load_the_same(saved, tmp_path):
    host, folder = saved
    cfg = HOSTS['CLIP4Clip']
    torch.save({'state_dict': {f'backbone.{k}': v for k, v in host.state_dict().items()}
                | {'head.weight': torch.zeros(1)}}, tmp_path / 'model.pth')
    built = [BACKBONES.build({**cfg, 'pretrained': str(source)})
             for source in (folder, folder / 'model.safetensors', tmp_path / 'model.pth')]
    built.append(BACKBONES.build(
        {**cfg, 'init_cfg': dict(type='Pretrained', checkpoint=str(folder))}))
    assert not torch.equal(built[-1].clip.visual_projection.weight,
                           host.clip.visual_projection.weight)
    built[-1].init_weights()
    for other in built:
        for key, value in host.state_dict().items():
            assert torch.equal(value, other.state_dict()[key]), key


def test_init_weights_keeps_pretrained_weights(saved):
    host, folder = saved
    loaded = load_backbone(folder)
    loaded.init_weights()
    assert all(torch.equal(v, host.state_dict()[k]) for k, v in loaded.state_dict().items())


def test_keys_that_do_not_fit_fail_unless_allowed(saved, tmp_path):
    host, _ = saved
    state = {k: v.clone() for k, v in host.state_dict().items()}
    del state['clip.logit_scale']
    state['more'] = torch.zeros(1)
    path = tmp_path / 'odd.safetensors'
    save_file(state, path)
    before = {k: v.clone() for k, v in host.state_dict().items()}
    with pytest.raises(CheckpointError, match=r'missing: clip\.logit_scale.*unexpected: more'):
        host.load(path)
    assert all(torch.equal(v, before[k]) for k, v in host.state_dict().items())
    report = host.load(path, allow_missing=[r'clip\.logit'], allow_unexpected=['more'])
    assert report.missing == ['clip.logit_scale'] and report.unexpected == ['more']
    state['clip.visual_projection.weight'] = torch.zeros(3, 3)
    save_file(state, path)
    with pytest.raises(CheckpointError, match=r'visual_projection.*\(3, 3\)'):
        host.load(path, allow_missing=['.*'], allow_unexpected=['.*'])


def test_weights_of_another_backbone_are_refused(saved):
    _, folder = saved
    with pytest.raises(CheckpointError, match=r'another backbone.*type'):
        build('ALPRO').load(folder)
    with pytest.raises(CheckpointError, match=r'another backbone.*temporal'):
        build('CLIP4Clip-meanP').load(folder)


def test_a_saved_backbone_in_a_real_config_asks_no_hub(saved, tmp_path):
    """Its folder has a tokeniser; that of another class is refused before the config's is read."""
    host = build('ALPRO')
    host.cfg['tokenizer'] = 'bert-base-uncased'   # so that the folder gets a copy
    own = host.save(tmp_path / 'own')
    config = dict(HOSTS['ALPRO'], tokenizer='bert-base-uncased', text=dict(vocab_size=30522))
    model = FinstaModel(backbone=dict(config, pretrained=str(own)))
    assert model.backbone.cfg['tokenizer'] == str(own / 'tokenizer')
    with pytest.raises(CheckpointError, match='holds a CLIP4Clip, and the config is for ALPRO'):
        FinstaModel(backbone=dict(config, pretrained=str(saved[1])))


def test_damaged_weights_are_refused(saved):
    _, folder = saved
    weights = folder / 'model.safetensors'
    state = load_file(weights)
    state['clip.logit_scale'] += 1
    save_file(state, weights)
    with pytest.raises(CheckpointError, match='sha256'):
        load_backbone(folder)
    weights.write_bytes(b'not weights')
    with pytest.raises(CheckpointError, match='not a readable safetensors'):
        load_backbone(folder)


def test_missing_files(tmp_path):
    with pytest.raises(FileNotFoundError, match='no such file'):
        BACKBONES.build({**HOSTS['CLIP4Clip'], 'pretrained': str(tmp_path / 'x.safetensors')})
    with pytest.raises(FileNotFoundError, match='alpro_to_finsta'):
        BACKBONES.build({**HOSTS['ALPRO'], 'pretrained': 'nowhere/alpro'})
    with pytest.raises(CheckpointError, match='not a saved backbone'):
        load_backbone(tmp_path)


def test_files_that_are_no_weights(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'nowhere\.pth'):
        read_state_dict(tmp_path / 'nowhere.pth')
    torch.save({'state_dict': {'a': torch.zeros(300)}}, tmp_path / 'a.pth')
    (tmp_path / 'cut.pth').write_bytes((tmp_path / 'a.pth').read_bytes()[:700])
    (tmp_path / 'cut.safetensors').write_bytes(b'\x10\0\0\0\0\0\0\0{"a"')
    (tmp_path / 'old.pth').write_bytes(pickle.dumps({'a': 1}, protocol=2))
    torch.save({'state_dict': {'a': torch.nn.Linear(1, 1)}}, tmp_path / 'pickle.pth')
    torch.save({'state_dict': {'a': print}}, tmp_path / 'code.pth')
    torch.save({'meta': {}}, tmp_path / 'empty.pth')
    for name, words in [('cut.pth', 'cut off'), ('cut.safetensors', 'damaged'),
                        ('old.pth', 'not a checkpoint'), ('pickle.pth', 'plain weights'),
                        ('code.pth', 'not opened'), ('empty.pth', 'no weights')]:
        with pytest.raises(CheckpointError, match=words):
            read_state_dict(tmp_path / name)


@pytest.mark.parametrize('key', ['state_dict', 'model', None])
@pytest.mark.parametrize('older', [False, True])
def test_a_run_and_a_backbone_read_the_same_files(saved, tmp_path, key, older):
    """Of a wrapped model, in torch's older format, under the key of a released file."""
    host, path = saved[0], tmp_path / 'weights.pth'
    state = {f'module.{k}': v for k, v in host.state_dict().items()}
    torch.save(state if key is None else {key: state, 'epoch': 3}, path,
               _use_new_zipfile_serialization=not older)
    model, alone = FinstaModel(HOSTS['CLIP4Clip']), build('CLIP4Clip')
    load_weights(model, path)
    alone.load(path)
    for name, value in host.state_dict().items():
        assert torch.equal(value, model.backbone.state_dict()[name]), name
        assert torch.equal(value, alone.state_dict()[name]), name


@pytest.mark.parametrize('frames', [2, 7])
@pytest.mark.parametrize('name', ['ALPRO', 'ALPRO-graph', 'CLIP4Clip-graph', 'STGT',
                                  'VideoLLaVA-graph'])
def test_another_number_of_frames_reads_the_time_table_as_before(name, frames, tmp_path):
    """``model.backbone.num_frames`` over saved weights: from a folder, a file, a whole model."""
    host = build(name)
    host.save(tmp_path)
    torch.save({'state_dict': FinstaModel(HOSTS[name]).state_dict()
                | {f'backbone.{k}': v for k, v in host.state_dict().items()}},
               tmp_path / 'model.pth')
    changed = {**HOSTS[name], 'num_frames': frames}
    inside, alone = FinstaModel(changed), FinstaModel(changed)
    load_weights(inside, tmp_path / 'model.pth')
    load_weights(alone, tmp_path / 'model.safetensors')
    built = [load_backbone(tmp_path, num_frames=frames), inside.backbone, alone.backbone,
             BACKBONES.build(dict(type='SavedBackbone', pretrained=str(tmp_path),
                                  num_frames=frames)),
             BACKBONES.build({**changed, 'pretrained': str(tmp_path)})]
    pixels = torch.randn(2, frames, 3, SIZE, SIZE)
    with torch.no_grad():
        expected = host.encode_video(pixels)
        for other in built:
            assert other.num_frames == frames and set(other.time_tables()) < {*host.state_dict()}
            assert all(other.state_dict()[k].shape[-2] == frames for k in other.time_tables())
            found = other.eval().encode_video(pixels)
            torch.testing.assert_close(found.video, expected.video, rtol=1e-5, atol=1e-5)
            torch.testing.assert_close(found.video_pooled, expected.video_pooled, rtol=1e-5,
                                       atol=1e-5)


def test_a_time_table_of_another_width_is_not_stretched(tmp_path):
    host = build('STGT')
    state = dict(host.state_dict())
    state['adapter.time_embed'] = torch.zeros(2, 20)
    save_file(state, tmp_path / 'model.safetensors')
    with pytest.raises(CheckpointError, match=r'adapter\.time_embed'):
        build('STGT').load(tmp_path / 'model.safetensors')

"""A video adapter in the backbones that take one; what all backbones promise is the contract."""

import pytest
import torch

from finsta.models.backbones.checkpoint import CheckpointError
from finsta.models.stgt.adapter import AdapterOutput
from finsta.registry import BACKBONES
from tests.models.backbones.hosts import FRAMES, HOSTS, SIZE, build

each_adapted = pytest.mark.parametrize('name', ['CLIP4Clip', 'ALPRO', 'VideoLLaVA'])


def pixels(host, batch: int = 2) -> torch.Tensor:
    frames = torch.randint(0, 256, (batch, FRAMES, 3, SIZE, SIZE), dtype=torch.uint8)
    return host.preprocess_frames(frames)


def plain_config(name: str) -> dict:
    return {**HOSTS[f'{name}-graph'], 'video_adapter': None}


@each_adapted
def test_it_adds_its_own_keys_and_no_others(name):
    adapted, plain = build(f'{name}-graph'), BACKBONES.build(plain_config(name))
    own = {f'video_adapter.{k}' for k in adapted.video_adapter.state_dict()}
    assert own and set(adapted.state_dict()) == set(plain.state_dict()) | own
    assert adapted.cfg['video_adapter'] == HOSTS[f'{name}-graph']['video_adapter']


@each_adapted
@torch.no_grad()
def test_frames_see_their_neighbours_and_padding_stays_zero(name):
    host = build(f'{name}-graph')
    frames, mask = pixels(host), torch.ones(2, FRAMES, dtype=torch.bool)
    mask[1, 2:] = False
    video = host.encode_video(frames, mask)
    assert video.video[mask].abs().sum() > 0 and not video.video[~mask].any()
    other = frames.clone()
    other[0, 0] = frames[1, 0]
    changed = host.encode_video(other, mask)
    assert not torch.allclose(changed.video[0, 1], video.video[0, 1], atol=1e-6)


@each_adapted
def test_plain_weights_start_an_adapted_backbone(name, tmp_path):
    plain = BACKBONES.build(plain_config(name))
    folder = plain.save(tmp_path)
    adapted = BACKBONES.build({**HOSTS[f'{name}-graph'], 'allow_missing': ['video_adapter'],
                               'pretrained': str(folder / 'model.safetensors')})
    for key, value in plain.state_dict().items():
        assert torch.equal(adapted.state_dict()[key], value), key
    with pytest.raises(CheckpointError, match='video_adapter'):
        BACKBONES.build({**HOSTS[f'{name}-graph'], 'pretrained': str(folder)})


@each_adapted
def test_another_width_is_refused(name):
    config = HOSTS[f'{name}-graph']
    with pytest.raises(ValueError, match=f'video_adapter has dim=40.*{name}.*leave dim out'):
        BACKBONES.build({**config, 'video_adapter': {**config['video_adapter'], 'dim': 40}})


@each_adapted
@pytest.mark.parametrize('broken', ['tokens', 'pooled'])
def test_an_adapter_that_changes_shapes_is_named(name, broken):
    class Shrinking(torch.nn.Module):
        def forward(self, tokens, height, width, frame_mask):
            b, f, _, c = tokens.shape
            cut = tokens[:, :, 1:] if broken == 'tokens' else tokens
            pooled = tokens.new_zeros(b, f + (broken == 'pooled'), c)
            return AdapterOutput(cut, pooled, torch.ones_like(pooled[..., 0], dtype=torch.bool))

    host = build(f'{name}-graph')
    host.video_adapter = Shrinking()
    with pytest.raises(ValueError, match=r'Shrinking made tokens.*keeps the shape'):
        host.encode_video(pixels(host))


@torch.no_grad()
def test_a_model_in_half_precision_below_an_adapter_in_full():
    host = build('VideoLLaVA-graph')
    host.vlm.to(torch.bfloat16)
    video = host.encode_video(pixels(host))
    assert video.video.dtype == torch.bfloat16 and torch.isfinite(video.video_pooled).all()

import pytest
import torch
from safetensors.torch import load_file

from finsta.apis import get_config, get_model, list_models
from finsta.engine.checkpoint import CheckpointError


def test_names_and_patterns():
    names = list_models()
    assert 'finsta/videoqa_msvd' in names and not any('_base_' in n for n in names)
    assert set(list_models('synthvl/*')) == {n for n in names if n.startswith('synthvl/')}
    assert 'finsta/videoqa_msvd' in list_models('videoqa_*')


def test_config_by_name():
    config = get_config('finsta/videoqa_msvd', {'train_dataloader.batch_size': 3})
    assert config.model.type == 'FinstaModel' and config.train_dataloader.batch_size == 3
    with pytest.raises(FileNotFoundError, match=r'did you mean .*videoqa_msvd'):
        get_config('finsta/videoqa_msvdd')


def test_model_with_weights(toy_config, tmp_path):
    import toy_world  # noqa: F401
    torch.manual_seed(1)
    model = get_model(str(toy_config))
    assert not model.training
    torch.save({'state_dict': model.state_dict()}, tmp_path / 'a.pth')
    again = get_model(str(toy_config), tmp_path / 'a.pth')
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(),
                                                 strict=True))
    (tmp_path / 'backbone').mkdir()
    model.backbone.save(tmp_path / 'backbone')
    zero = get_model(str(toy_config), tmp_path / 'backbone', zero_shot=True)
    assert type(zero.head).__name__ == 'ConstantHead'
    assert torch.equal(zero.backbone.proj.weight,
                       load_file(tmp_path / 'backbone' / 'model.safetensors')['proj.weight'])
    with pytest.raises(CheckpointError, match='another shape'):
        get_model(str(toy_config), tmp_path / 'a.pth', options={'model.width': 5})


def test_zero_shot_needs_a_head():
    with pytest.raises(ValueError, match='no zero_shot_head'):
        get_model('finsta/posttrain_msvd', zero_shot=True)


import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from finsta.engine.checkpoint import CheckpointError, latest_checkpoint, load_weights


class _Backbone(nn.Sequential):
    def load(self, folder):
        self.load_state_dict(load_file(f'{folder}/model.safetensors'))


class _Model(nn.Module):
    def __init__(self, width=3, teacher=False, answers=2):
        super().__init__()
        self.backbone = _Backbone(nn.Linear(2, width), nn.Linear(width, width))
        self.head = nn.Linear(width, answers)
        if teacher:
            self.teacher = nn.Linear(width, width)


def _same(a, b):
    return all(torch.equal(a.state_dict()[k], b.state_dict()[k]) for k in a.state_dict())


def _save(model, path):
    torch.save({'state_dict': model.state_dict(), 'meta': {}}, path)
    return path


def test_pth_safetensors_and_backbone_folder(tmp_path):
    source = _Model()
    save_file(source.state_dict(), tmp_path / 'a.safetensors')
    folder = tmp_path / 'backbone'
    folder.mkdir()
    save_file(source.backbone.state_dict(), folder / 'model.safetensors')
    for file in (_save(source, tmp_path / 'a.pth'), tmp_path / 'a.safetensors'):
        model = _Model()
        report = load_weights(model, file)
        assert _same(model, source) and report.loaded == 6 and not report.missing
    model = _Model()
    report = load_weights(model, folder, optional=('head',))
    assert _same(model.backbone, source.backbone) and not _same(model.head, source.head)
    assert report.missing == ['head.weight', 'head.bias']
    with pytest.raises(CheckpointError, match='--zero-shot'):
        load_weights(_Model(), folder)


def test_ddp_prefix_is_stripped(tmp_path):
    source = _Model()
    state = {f'module.{k}': v for k, v in source.state_dict().items()}
    torch.save({'state_dict': state}, tmp_path / 'a.pth')
    model = _Model()
    load_weights(model, tmp_path / 'a.pth')
    assert _same(model, source)


def test_the_teacher_of_a_post_training_is_left_aside(tmp_path):
    report = load_weights(_Model(), _save(_Model(teacher=True), tmp_path / 'a.pth'))
    assert report.ignored == ['teacher.weight', 'teacher.bias']
    assert 'not needed here' in str(report)


def test_checkpoint_of_another_backbone(tmp_path):
    path = _save(_Model(width=5), tmp_path / 'a.pth')
    model = _Model()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    with pytest.raises(CheckpointError, match=r'a.pth .*another shape: backbone.0.weight '
                       r'\(5, 2\) instead of \(3, 2\).*another backbone'):
        load_weights(model, path)
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())
    torch.save({'state_dict': {'backbone.vit.weight': torch.ones(1)}}, path)
    with pytest.raises(CheckpointError, match=r'6 keys are missing.*1 of its keys are unknown.*'
                       r'backbone.vit.weight'):
        load_weights(_Model(), path)


def test_missing_head_says_zero_shot(tmp_path):
    state = {k: v for k, v in _Model().state_dict().items() if k.startswith('backbone')}
    torch.save({'state_dict': state}, tmp_path / 'a.pth')
    with pytest.raises(CheckpointError, match='--zero-shot'):
        load_weights(_Model(), tmp_path / 'a.pth')


def test_optional_head_of_another_size_is_still_refused(tmp_path):
    path = _save(_Model(answers=9), tmp_path / 'a.pth')
    with pytest.raises(CheckpointError, match=r'head\.weight'):
        load_weights(_Model(), path, optional=('head',))


def test_latest_checkpoint_skips_the_one_cut_off(tmp_path):
    assert latest_checkpoint(tmp_path) is None
    for step in (5, 20, 100):
        _save(_Model(), tmp_path / f'iter_{step}.pth')
    _save(_Model(), tmp_path / 'best_acc_iter_900.pth')
    assert latest_checkpoint(tmp_path).endswith('iter_100.pth')
    content = (tmp_path / 'iter_100.pth').read_bytes()
    (tmp_path / 'iter_100.pth').write_bytes(content[:len(content) // 2])
    assert latest_checkpoint(tmp_path).endswith('iter_20.pth')

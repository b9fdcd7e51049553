import pickle
import zipfile

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer, MessageHub

import finsta  # noqa: F401  applies compat
from finsta.utils.compat import _history_getattr, cpu_ddp_cfg, init_cpu_process_group
from tests.utils.dist import run_processes


def _hub() -> MessageHub:
    hub = MessageHub.get_instance('test_compat')
    hub.update_scalar('train/a', 1.0)
    hub.update_scalar('train/a', torch.tensor(3.0))
    hub.update_scalar('train/b', np.float32(2.0))
    hub.update_info('ids', [1, 2])
    return hub


def test_message_hub_survives_weights_only(tmp_path):
    path = tmp_path / 'a.pth'
    torch.save({'message_hub': _hub().state_dict(), 'meta': {'iter': 3}}, path)
    loaded = torch.load(path, weights_only=True)['message_hub']
    buffer = loaded['log_scalars']['train/a']
    assert isinstance(buffer, HistoryBuffer)
    assert buffer.data[0].tolist() == [1.0, 3.0]
    assert buffer.mean() == 2.0 and buffer.statistics('max') == 3.0
    assert loaded['runtime_info']['ids'] == [1, 2]


def test_the_shim_is_needed_still(tmp_path):
    """When this fails, mmengine no longer needs the shim: remove it."""
    path = tmp_path / 'a.pth'
    torch.save({'message_hub': _hub().state_dict()}, path)
    allowed = torch.serialization.get_safe_globals()
    torch.serialization.clear_safe_globals()
    try:
        with pytest.raises(pickle.UnpicklingError):
            torch.load(path, weights_only=True)
    finally:
        torch.serialization.add_safe_globals(allowed)


def test_getattr_gives_history_statistics_and_nothing_else():
    assert _history_getattr(HistoryBuffer, 'mean') is HistoryBuffer.mean
    fake = type('HistoryBuffer', (), {'mean': 1})
    for owner, name in [(HistoryBuffer, '__init__'), (HistoryBuffer, 'update'), (fake, 'mean'),
                        (torch, 'load'), (HistoryBuffer(), 'mean')]:
        with pytest.raises(ValueError, match='refusing'):
            _history_getattr(owner, name)


class _ReadsAttribute:
    """Pickles as getattr(HistoryBuffer, '__reduce_ex__'): what a crafted file would try."""

    def __reduce__(self):
        return getattr, (HistoryBuffer, '__reduce_ex__')


class _RunsCommand:
    def __reduce__(self):
        return print, ('code ran',)


@pytest.mark.parametrize('crafted', [_ReadsAttribute(), _RunsCommand()])
def test_crafted_checkpoint_is_refused(tmp_path, crafted, capsys):
    path = tmp_path / 'bad.pth'
    torch.save({'state_dict': crafted}, path)
    assert zipfile.is_zipfile(path)
    with pytest.raises((pickle.UnpicklingError, ValueError)):
        torch.load(path, weights_only=True)
    assert 'code ran' not in capsys.readouterr().out


def test_no_process_group_without_a_launcher(monkeypatch):
    monkeypatch.delenv('RANK', raising=False)
    assert init_cpu_process_group() is False


def _ddp_step(rank):
    import mmengine.model  # noqa: F401  registers the wrapper
    from mmengine.registry import MODEL_WRAPPERS
    torch.manual_seed(0)
    module = torch.nn.Linear(2, 1, bias=False)
    wrapped = MODEL_WRAPPERS.build(dict(cpu_ddp_cfg(False), module=module))
    wrapped.module(torch.ones(1, 2))                  # the wrapper keeps it on the CPU
    torch.nn.parallel.DistributedDataParallel.forward(
        wrapped, torch.full((1, 2), float(rank))).sum().backward()
    return module.weight.grad.tolist()


def test_ddp_wrapper_on_cpu_averages_gradients():
    grads = run_processes(_ddp_step, 2)
    assert grads[0] == grads[1] == [[0.5, 0.5]]

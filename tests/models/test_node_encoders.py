"""The frozen node encoder gives a label the same vector whatever was asked before."""

import torch

from finsta.models.node_encoders import FrozenBackboneEncoder
from finsta.registry import BACKBONES
from tests.models.tiny import BACKBONE

LABELS = ['dog', 'red', 'move to the left', 'a', 'pick up', 'quickly', '', 'ball']


def encoder(**kwargs) -> FrozenBackboneEncoder:
    torch.manual_seed(0)
    return FrozenBackboneEncoder(BACKBONES.build(dict(BACKBONE)), **kwargs)


def test_a_label_does_not_depend_on_what_was_encoded_with_it_or_before_it():
    """A resumed run meets the labels in other company than the uninterrupted one."""
    at_once = encoder().encode_labels(LABELS)
    for company in ([LABELS[::-1]], [[label] for label in LABELS], [LABELS[:3], LABELS[2:]]):
        other = encoder()
        for labels in company:
            other.encode_labels(labels)
        assert torch.equal(other.encode_labels(LABELS), at_once)
    full = encoder(cache_size=3)  # forgets, and computes the same again
    assert torch.equal(full.encode_labels(LABELS), at_once)
    assert torch.equal(full.encode_labels(LABELS), at_once)


def test_labels_differ_repeat_and_may_be_none():
    node_encoder = encoder()
    out = node_encoder.encode_labels(['dog', 'red', 'dog'])
    assert out.shape == (3, node_encoder.label_dim) and torch.equal(out[0], out[2])
    assert not torch.allclose(out[0], out[1])
    assert node_encoder.encode_labels([]).shape == (0, node_encoder.label_dim)


def test_new_weights_make_the_cache_stale():
    node_encoder = encoder()
    before = node_encoder.encode_labels(['dog'])
    state = {k: v + 0.1 if v.is_floating_point() else v
             for k, v in node_encoder.state_dict().items()}
    node_encoder.load_state_dict(state)
    assert not torch.allclose(node_encoder.encode_labels(['dog']), before)

"""Transfer distances against closed forms."""

import pytest
import torch

from finsta.models.transfer import RelationalTransfer, TransferInputs
from finsta.models.transfer.distances import (
    PooledTransfer,
    cosine_distance,
    l2_distance,
    spread_to_neighbours,
)
from finsta.structures import HolisticBatch
from tests.models.graph_factory import holistic_graph


@pytest.fixture
def inputs():
    return TransferInputs(HolisticBatch.from_graphs([holistic_graph(0)]))


def test_distances_at_their_extremes():
    x = torch.randn(4, 6)
    torch.testing.assert_close(cosine_distance(x, 3 * x), torch.zeros(4), atol=1e-6, rtol=0)
    torch.testing.assert_close(cosine_distance(x, -x), torch.full((4,), 2.0))
    # |a - b|^2 = 2 (1 - cos) for unit vectors
    y = torch.randn(4, 6)
    torch.testing.assert_close(l2_distance(x, y), 2 * cosine_distance(x, y))


def test_relational_is_zero_for_equal_matrices_and_ignores_row_shifts(inputs):
    loss = RelationalTransfer({}, {}, 8)
    s = torch.randn(5, 5)
    inputs.student_similarity = {'text': s, 'video': s.T}
    inputs.teacher_similarity = {k: v.clone() for k, v in inputs.student_similarity.items()}
    assert loss(inputs)['loss_relational'].abs() < 1e-6
    t = torch.randn(5, 5)
    inputs.teacher_similarity = {'text': t, 'video': t.T}
    expected = 0.0
    for a, b in ((s, t), (s.T, t.T)):
        p, q = b.softmax(-1), a.softmax(-1)
        expected += (p * (p / q).log()).sum() / 5 / 2
    torch.testing.assert_close(loss(inputs)['loss_relational'], expected)
    # samples without a graph are left out, as row and as candidate
    inputs.known = inputs.known_everywhere = torch.tensor([True, False, True, True, False])
    inputs.student_similarity['text'] = s.clone().requires_grad_()
    found = loss(inputs)['loss_relational']
    found.backward()
    kept = s[inputs.known][:, inputs.known], t[inputs.known][:, inputs.known]
    other = TransferInputs(inputs.graphs)
    other.student_similarity = {'text': kept[0], 'video': kept[0].T}
    other.teacher_similarity = {'text': kept[1], 'video': kept[1].T}
    torch.testing.assert_close(found, loss(other)['loss_relational'])
    assert not inputs.student_similarity['text'].grad[~inputs.known].any()
    inputs.known = inputs.known_everywhere = torch.zeros(5, dtype=torch.bool)
    assert loss(inputs)['loss_relational'] == 0
    inputs.teacher_similarity = {}
    assert loss(inputs) == {}


def test_pooled_skips_streams_that_a_side_lacks(inputs):
    loss = PooledTransfer({'text': 4, 'cross': 4}, {}, 8, weight=0.5)
    inputs.student_pooled = {'text': torch.randn(2, 4, requires_grad=True)}
    teacher = torch.randn(2, 8, requires_grad=True)
    inputs.teacher_pooled = {'text': teacher, 'video': teacher}
    out = loss(inputs)
    assert set(out) == {'loss_pooled_text'}
    out['loss_pooled_text'].backward()
    assert teacher.grad is None and inputs.student_pooled['text'].grad.abs().sum() > 0
    with pytest.raises(ValueError, match='distance'):
        PooledTransfer({'text': 4}, {}, 8, distance='manhattan')


def test_spread_gives_the_mean_of_neighbours():
    x = torch.tensor([[2.0], [4.0], [9.0], [0.0]])
    has = torch.tensor([True, True, False, False])
    edges = torch.tensor([[0, 1, 2, 0], [2, 2, 0, 1]])
    out = spread_to_neighbours(x * has[:, None], has, edges)
    assert out.squeeze(1).tolist() == [2.0, 4.0, 3.0, 0.0]

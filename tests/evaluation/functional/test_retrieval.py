"""Ranks against a brute force in plain python; ties, NaN, chunks, multi-vector videos."""

import math
import random
import statistics

import pytest
import torch

from finsta.evaluation.functional import rank_statistics, retrieval_ranks


def brute_force(texts, videos, truth):
    """Cosine by hand; a rank is 1 + the number of strictly better wrong (or other) items."""
    def cosine(a, b):
        norm = math.sqrt(sum(x * x for x in a)) * math.sqrt(sum(x * x for x in b))
        return sum(x * y for x, y in zip(a, b, strict=True)) / norm
    score = [[max(cosine(t, q) for q in video) for video in videos] for t in texts]
    t2v = [1 + sum(s > row[truth[i]] for s in row) for i, row in enumerate(score)]
    v2t = []
    for v in range(len(videos)):
        best = max(score[i][v] for i in range(len(texts)) if truth[i] == v)
        v2t.append(1 + sum(score[i][v] > best for i in range(len(texts)) if truth[i] != v))
    return t2v, v2t


@pytest.mark.parametrize('seed', range(5))
@pytest.mark.parametrize('queries,chunk', [(1, 4096), (1, 3), (3, 4096), (3, 1)])
def test_against_brute_force(seed, queries, chunk):
    generator = torch.Generator().manual_seed(seed)
    rng = random.Random(seed)
    num_videos = 7
    truth = list(range(num_videos)) + [rng.randrange(num_videos) for _ in range(12)]
    rng.shuffle(truth)
    texts = torch.randn(len(truth), 5, generator=generator)
    videos = torch.randn(num_videos, queries, 5, generator=generator)
    texts += 1.0 * videos[torch.tensor(truth), 0]
    ranks = retrieval_ranks(texts, videos if queries > 1 else videos[:, 0], torch.tensor(truth),
                            chunk=chunk)
    t2v, v2t = brute_force(texts.tolist(), videos.tolist(), truth)
    assert ranks.t2v.tolist() == t2v and ranks.v2t.tolist() == v2t
    assert not ranks.t2v_tied.any() and not ranks.v2t_tied.any()


def test_ties_count_for_the_query_and_are_reported():
    ranks = retrieval_ranks(torch.ones(4, 3), torch.ones(4, 3), torch.arange(4))
    assert ranks.t2v.tolist() == [1] * 4 == ranks.v2t.tolist()
    assert ranks.t2v_tied.all() and ranks.v2t_tied.all()
    # two equal captions of the same video are no tie
    own = retrieval_ranks(torch.eye(3)[[0, 0, 1, 2]], torch.eye(3), torch.tensor([0, 0, 1, 2]))
    assert not own.v2t_tied.any() and not own.t2v_tied.any()


def test_normalisation_can_be_switched_off():
    texts, videos = torch.tensor([[1., 0.], [0., 1.]]), torch.tensor([[1., 0.], [5., 5.]])
    assert retrieval_ranks(texts, videos, torch.arange(2)).t2v.tolist() == [1, 1]
    assert retrieval_ranks(texts, videos, torch.arange(2), normalize=False).t2v.tolist() == [2, 1]


@pytest.mark.parametrize('change,words', [
    (lambda t, v, y: (t.fill_(float('nan')), v, y), r'3 text embeddings are not finite'),
    (lambda t, v, y: (t, v.index_fill(0, torch.tensor(1), float('inf')), y),
     'first at row 1'),
    (lambda t, v, y: (t[:, :2], v, y), 'do not fit'),
    (lambda t, v, y: (t, v, y[:2]), 'do not fit'),
    (lambda t, v, y: (t, v, y + 1), 'must lie in 0..2'),
    (lambda t, v, y: (t, v, y - 1), 'must lie in 0..2'),
    (lambda t, v, y: (t, v, y * 0), 'video 1 has no text')])
def test_bad_input_raises(change, words):
    with pytest.raises(ValueError, match=words):
        retrieval_ranks(*change(torch.randn(3, 4), torch.randn(3, 4), torch.arange(3)))


def test_statistics_against_python():
    for n in (1, 2, 9, 10):
        values = [random.Random(n * 100 + i).randint(1, 20) for i in range(n)]
        out = rank_statistics(torch.tensor(values))
        assert out['MdR'] == statistics.median(values)
        assert out['MnR'] == pytest.approx(statistics.mean(values))
        for k in (1, 5, 10):
            assert out[f'R{k}'] == pytest.approx(100 * sum(v <= k for v in values) / n)
    for bad in ([], [0, 1]):
        with pytest.raises(ValueError):
            rank_statistics(torch.tensor(bad, dtype=torch.long))

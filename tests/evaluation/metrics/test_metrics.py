"""Metric shells: predictions in, scores out, once per sample, also over two processes."""

import json

import pytest
import torch
from mmengine.evaluator import Evaluator

from finsta.evaluation.functional import retrieval_ranks
from finsta.evaluation.metrics import MinimalPairMetric, QAAccuracy, RetrievalMetric
from finsta.registry import METRICS


def run(metric, predictions, size=None):
    metric.process(None, predictions)
    return metric.evaluate(size or len(predictions))


def retrieval_rows(num=4, queries=None):
    torch.manual_seed(0)
    shape = (num, 6) if queries is None else (num, queries, 6)
    video = torch.randn(shape)
    texts = torch.randn(num, 2, 6) + (video if queries is None else video[:, 0])[:, None]
    return [dict(sample_id=f's{i}', video_id=f'v{i}', video_emb=video[i], text_embs=texts[i],
                 caption_ids=[f'v{i}#0', f'v{i}#1']) for i in range(num)]


@pytest.mark.parametrize('queries', [None, 3])
def test_retrieval(tmp_path, queries):
    rows = retrieval_rows(queries=queries)
    path = tmp_path / 'deep' / 'r.json'
    out = run(RetrievalMetric(dump=str(path)), rows)
    ranks = retrieval_ranks(torch.cat([r['text_embs'] for r in rows]),
                            torch.stack([r['video_emb'] for r in rows]),
                            torch.tensor([0, 0, 1, 1, 2, 2, 3, 3]))
    assert out['retrieval/t2v_R1'] == pytest.approx(100 * (ranks.t2v == 1).double().mean())
    assert out['retrieval/v2t_MnR'] == pytest.approx(ranks.v2t.double().mean())
    assert out['retrieval/tied'] == 0
    dumped = json.loads(path.read_text())
    assert [r['rank'] for r in dumped['samples'] if r['direction'] == 't2v'] == ranks.t2v.tolist()
    assert dumped['scores']['t2v_R1'] == out['retrieval/t2v_R1']


def test_rows_of_one_video_are_joined():
    whole = retrieval_rows()
    split = [dict(r, sample_id=r['caption_ids'][k], text_embs=r['text_embs'][k:k + 1],
                  caption_ids=r['caption_ids'][k:k + 1]) for r in whole for k in (0, 1)]
    assert run(RetrievalMetric(), split) == run(RetrievalMetric(), whole)


def test_embeddings_that_are_not_finite_raise():
    rows = retrieval_rows()
    rows[2]['video_emb'] = rows[2]['video_emb'] * float('nan')
    with pytest.raises(ValueError, match='1 video embeddings are not finite'):
        run(RetrievalMetric(), rows)
    rows[2]['caption_ids'] = ['one']
    with pytest.raises(ValueError, match='s2: text_embs'):
        run(RetrievalMetric(), rows)


def qa_rows():
    return [dict(sample_id=f'q{i}', answer=a, answer_id=ai, pred=p, pred_id=pi,
                 meta={'question_type': t}) for i, (a, ai, p, pi, t) in enumerate([
                     ('man', 0, 'Man ', 0, 'who'), ('cat', 1, 'man', 0, 'what'),
                     ('zebra', -1, 'cat', 1, 'what'), ('dog', 2, 'dog', 2, 'what')])]


def test_qa_accuracy(tmp_path):
    path = tmp_path / 'qa.json'
    out = run(QAAccuracy(dump=str(path)), qa_rows())
    assert out == {'qa/acc': 50, 'qa/acc_who': 100, 'qa/acc_what': pytest.approx(100 / 3),
                   'qa/out_of_vocabulary': 25}
    assert [r['right'] for r in json.loads(path.read_text())['samples']] == [True, False, False,
                                                                            True]
    by_class = [{k: v for k, v in r.items() if k in ('sample_id', 'answer_id', 'pred_id')}
                for r in qa_rows() if r['answer_id'] >= 0]
    assert run(QAAccuracy(type_key=None), by_class)['qa/acc'] == pytest.approx(200 / 3)
    with pytest.raises(ValueError, match='q9: neither'):
        run(QAAccuracy(), [dict(sample_id='q9', answer='x')])


def pair_rows():
    table = {'p0': ('order', [[2., 1.], [0., 3.]]), 'p1': ('adverb', [[1., 2.], [0., 3.]])}
    return [dict(pair_id=p, factor=f, video=k, scores=torch.tensor(s[k]))
            for p, (f, s) in table.items() for k in (0, 1)]


def test_minimal_pairs():
    out = run(MinimalPairMetric(), pair_rows()[::-1])  # any order
    assert out['pairs/order_group'] == 100 and out['pairs/adverb_group'] == 0
    assert out['pairs/group'] == out['pairs/mean_group'] == 50 and out['pairs/single'] == 75
    with pytest.raises(ValueError, match=r"one video only, e\.g\. 'p1'"):
        run(MinimalPairMetric(), pair_rows()[:3])
    with pytest.raises(ValueError, match='expected 0 or 1'):
        run(MinimalPairMetric(), [dict(pair_rows()[0], video=2)])


def test_repeated_samples_count_once_and_nothing_raises():
    rows = qa_rows()
    metric = QAAccuracy()
    assert run(metric, rows + rows[:2], 6)['qa/acc'] == 50
    with pytest.raises(ValueError, match='no prediction'):
        metric.evaluate(0)


def test_are_found_by_name():
    for name in ('RetrievalMetric', 'QAAccuracy', 'MinimalPairMetric'):
        assert METRICS.get(name).__name__ == name


def _evaluate_part(rank, world_size=2):
    """Each process sees every second sample, with mmengine's padding of the last batch."""
    import torch.distributed as dist
    scores = {}
    for metric, rows in ((RetrievalMetric(), retrieval_rows(5)), (QAAccuracy(), qa_rows()[:3]),
                         (MinimalPairMetric(), pair_rows())):
        mine = [rows[i % len(rows)] for i in range(rank, len(rows) + len(rows) % 2, world_size)]
        evaluator = Evaluator(metric)
        evaluator.process(mine)
        scores.update(evaluator.evaluate(len(rows)))
    dist.barrier()
    return scores


@pytest.mark.slow
def test_two_processes_give_the_scores_of_one():
    from tests.utils.dist import run_processes
    expected = {}
    for metric, rows in ((RetrievalMetric(), retrieval_rows(5)), (QAAccuracy(), qa_rows()[:3]),
                         (MinimalPairMetric(), pair_rows())):
        expected.update(run(metric, rows))
    for scores in run_processes(_evaluate_part, 2):
        assert scores == pytest.approx(expected)

"""Coarse-then-rerank: scores and ranks by hand, and the loop on a matcher that knows the truth."""

import json

import pytest
import torch

from finsta.engine.rerank import RerankTestLoop, ranks_of_scores, refine
from finsta.models.backbones.base import BackboneFeatures
from finsta.structures import VideoTextSample
from tests.models.backbones.hosts import build


def test_refined_scores_stand_above_all_others():
    torch.manual_seed(0)
    coarse = torch.rand(5, 9) * 2 - 1
    asked = []

    def probability(queries, candidates):
        asked.append((queries, candidates))
        return (candidates % 3 == 0).float()

    refined = refine(coarse, 4, probability)
    for q in range(5):
        best = coarse[q].topk(4).indices
        rest = [c for c in range(9) if c not in best.tolist()]
        assert refined[q, best].min() > refined[q, rest].max()
        torch.testing.assert_close(refined[q, best],
                                   coarse[q, best] + (best % 3 == 0).float())
        assert refined[q, rest].argsort().equal(coarse[q, rest].argsort())
    assert sum(len(q) for q, _ in asked) == 20
    assert refine(coarse, 99, probability).shape == (5, 9)


def test_ranks_count_wrong_candidates_above_the_best_true_one():
    scores = torch.tensor([[0.1, 0.9, 0.5, 0.7], [0.3, 0.2, 0.1, 0.0]])
    truth = torch.tensor([[True, False, True, False], [False, False, True, True]])
    assert ranks_of_scores(scores, truth).tolist() == [3, 3]


class Backbone(torch.nn.Module):
    """Embeddings that say nothing, a matcher that reads numbers."""

    match_fields = ('video_extra',)

    def preprocess_frames(self, frames):
        return frames.float()

    def encode_video(self, frames, mask=None, crop=None):
        number = frames.flatten(1)[:, :1]
        return BackboneFeatures(video=torch.zeros(len(frames), 1, 1, 1), video_extra=number,
                                video_pooled=torch.tensor([[1.0, 0.0]]).repeat(len(frames), 1))

    def encode_text(self, texts):
        number = torch.tensor([[float(t.split()[-1])] for t in texts])
        return BackboneFeatures(text=number, text_pooled=torch.tensor([[0.6, 0.8]]).repeat(
            len(texts), 1))

    def match_logits(self, text, video):
        assert video.video is None, 'only match_fields are kept'
        same = (text.text[:, 0] == video.video_extra[:, 0]).float()
        return torch.stack([1 - same, same], 1) * 9


class Runner:
    """What the loop asks of mmengine's Runner."""

    def __init__(self, model):
        self.model = model

    def call_hook(self, name, **kwargs):
        pass


def loop(backbone, k, fp16=False, size=2):
    from mmengine.evaluator import Evaluator
    from mmengine.model import BaseDataPreprocessor
    from torch.utils.data import DataLoader

    from finsta.evaluation.metrics import RetrievalMetric
    from finsta.models.heads import RetrievalHead

    model = torch.nn.Module()
    model.backbone, model.head = backbone, RetrievalHead(None)
    model.data_preprocessor = BaseDataPreprocessor()
    rows = [dict(inputs=dict(frames=torch.full((2, 1, 3, size, size), float(i))
                             + torch.arange(2).view(2, 1, 1, 1, 1)), data_samples=[VideoTextSample(
            video_id=f'v{i + d}', video_path='', sample_id=f'v{i + d}',
            captions=(f'a {i + d}', f'b {i + d}'), text=f'a {i + d}') for d in (0, 1)])
        for i in (0, 2, 4)]
    loader = DataLoader(rows, batch_size=None)
    found = RerankTestLoop.__new__(RerankTestLoop)
    found._runner, found.dataloader = Runner(model), loader
    found.evaluator = Evaluator(RetrievalMetric())
    found.k, found.batch_size, found.fp16 = k, 5, fp16
    return found


def test_the_matcher_repairs_what_the_cosine_cannot_tell():
    metrics = loop(Backbone(), 12).run()
    for way in ('t2v', 'v2t'):
        assert metrics[f'rerank/{way}_R1'] == 100 and metrics[f'rerank/{way}_MnR'] == 1
    assert metrics['retrieval/tied'] == 100
    json.dumps(metrics)


@pytest.mark.parametrize('name', ['ALPRO', 'STGT'])
def test_every_text_and_video_is_encoded_once_and_matched_as_in_a_pair_alone(name, monkeypatch):
    host = build(name)
    with torch.no_grad():
        for parameter in host.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    texts, clips, matched = [], [], []
    encode_text, encode_video = host.encode_text, host.encode_video
    monkeypatch.setattr(host, 'encode_text', lambda x: (texts.extend(x), encode_text(x))[1])
    monkeypatch.setattr(host, 'encode_video', lambda *a: (clips.extend(a[0]),
                                                          encode_video(*a))[1])
    found = loop(host, 4, size=32)
    captions = ['a', 'b b red', 'the blue square turns', 'c', 'two', 'it is', 'a red', 'd', 'x y',
                'a blue star moves', 'b', 'what is that?']
    for i, row in enumerate(found.dataloader.dataset):
        for j, sample in enumerate(row['data_samples']):
            sample.captions = tuple(captions[4 * i + 2 * j:][:2])
    probability = found._probability
    found._probability = lambda *pairs: (matched.append((*pairs, probability(*pairs))),
                                         matched[-1][2])[1]
    found.run()
    assert texts == captions and len(clips) == 6
    monkeypatch.undo()
    assert sum(len(scores) for *_, scores in matched) == 12 * 4 + 6 * 4
    for given in matched:
        for text, video, score in zip(*(x.tolist() for x in given), strict=True):
            with torch.no_grad():
                logits = host.match_logits(host.encode_text([captions[text]]), encode_video(
                    host.preprocess_frames(torch.full((1, 1, 3, 32, 32), float(video)))))
            assert score == pytest.approx(float(logits[0].softmax(-1)[1]), rel=1e-5, abs=1e-5)


def test_a_head_without_embeddings_is_refused():
    found = loop(Backbone(), 2)
    found._runner.model.head = torch.nn.Identity()
    with pytest.raises(TypeError, match='Identity predicts no embeddings'):
        found.run()


def test_a_backbone_that_cannot_match_is_refused():
    with pytest.raises(TypeError, match=r'Linear has no match_logits'):
        loop(torch.nn.Linear(1, 1), 2).run()


def test_nan_match_scores_raise():
    class Overflown(Backbone):
        def match_logits(self, text, video):
            return super().match_logits(text, video) * torch.nan

    with pytest.raises(ValueError, match='NaN scores'):
        loop(Overflown(), 2).run()


@pytest.mark.parametrize('fp16', [False, True])
def test_fp16_encodes_and_matches_under_autocast(fp16):
    seen = {}

    class Watched(Backbone):
        def encode_video(self, *args):
            seen['video'] = torch.is_autocast_enabled('cpu')
            return super().encode_video(*args)

        def encode_text(self, texts):
            seen['text'] = torch.is_autocast_enabled('cpu')
            return super().encode_text(texts)

        def match_logits(self, text, video):
            seen['match'] = torch.is_autocast_enabled('cpu')
            return super().match_logits(text, video)

    assert loop(Watched(), 12, fp16).run()['rerank/t2v_R1'] == 100
    assert seen == dict(video=fp16, text=fp16, match=fp16)


def test_several_processes_are_refused_in_a_sentence(monkeypatch):
    from finsta.engine import rerank
    from finsta.engine.launch import errors_in_sentences
    monkeypatch.setattr(rerank, 'get_world_size', lambda: 2)
    monkeypatch.setattr(rerank.TestLoop, '__init__', lambda *args: None)
    with pytest.raises(SystemExit) as stopped, errors_in_sentences(debug=False):
        RerankTestLoop(None, None, None)
    assert stopped.value.code == 2

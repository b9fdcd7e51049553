"""Task heads: losses, predictions, and what they refuse."""

import json

import pytest
import torch

from finsta.models import FinstaModel
from finsta.models.heads import BackboneInfo, PairScoreHead
from tests.models.backbones.hosts import HOSTS
from tests.models.tiny import BACKBONE, batch


@pytest.fixture
def answers(tmp_path):
    file = tmp_path / 'answers.json'
    file.write_text(json.dumps(['red', 'blue', 'two']))
    return dict(ann_file=str(file))


@pytest.mark.parametrize('fusion', ['attention', 'pooled', 'auto'])
def test_qa_head_learns_a_batch_by_heart(answers, fusion):
    torch.manual_seed(0)
    model = FinstaModel(BACKBONE, head=dict(type='OpenEndedQAHead', answers=answers, width=32,
                                            num_heads=2, num_classes=5, fusion=fusion,
                                            dropout=0.0)).train()
    data = batch(4)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(60):
        loss = model(**data, mode='loss')['loss_qa']
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.1
    found = model.eval()(**data, mode='predict')
    assert [row['pred_id'] for row in found] == [s.answer_id for s in data['data_samples']]
    assert found[0]['pred'] == 'red'


def test_qa_head_leaves_unknown_answers_out(answers):
    model = FinstaModel(BACKBONE, head=dict(type='OpenEndedQAHead', answers=answers, width=32,
                                            num_heads=2)).train()
    data = batch(2)
    for sample in data['data_samples']:
        sample.answer, sample.answer_id = 'violet', 1  # known to the data set, not to the head
    loss = model(**data, mode='loss')['loss_qa']
    assert loss.item() == 0 and loss.requires_grad
    assert {row['answer_id'] for row in model.eval()(**data, mode='predict')} == {-1}


def test_qa_head_counts_classes_by_its_own_vocabulary(answers):
    """A data set that counts more answers, in another order, gives the same loss."""
    torch.manual_seed(0)
    model = FinstaModel(BACKBONE, head=dict(type='OpenEndedQAHead', answers=answers, width=32,
                                            num_heads=2, num_classes=3, dropout=0.0)).train()
    data = batch(4)
    expected = model(**data, mode='loss')['loss_qa']
    for sample in data['data_samples']:
        sample.answer_id += 700
    torch.testing.assert_close(model(**data, mode='loss')['loss_qa'], expected)
    for sample in data['data_samples']:
        sample.answer, sample.answer_id = None, 2  # a row without a string keeps its number
    assert model(**data, mode='loss')['loss_qa'] != expected


def test_qa_head_never_predicts_an_unused_class(answers):
    model = FinstaModel(BACKBONE, head=dict(type='OpenEndedQAHead', answers=answers, width=32,
                                            num_heads=2, num_classes=1000)).eval()
    assert all(row['pred_id'] < 3 for row in model(**batch(8), mode='predict'))


def test_too_many_answers_are_refused(answers):
    with pytest.raises(ValueError, match='num_classes=2'):
        FinstaModel(BACKBONE, head=dict(type='OpenEndedQAHead', answers=answers, num_classes=2))
    with pytest.raises(ValueError, match='fusion'):
        FinstaModel(BACKBONE, head=dict(type='OpenEndedQAHead', answers=answers, fusion='sum'))


def test_retrieval_head_gives_every_caption_an_embedding():
    model = FinstaModel(BACKBONE, head=dict(type='RetrievalHead')).eval()
    data = batch(3)
    rows = model(**data, mode='predict')
    assert all(r['text_embs'].shape == (2, 32) and r['video_emb'].shape == (32,) for r in rows)
    text = model.backbone.encode_text(data['data_samples'][1].captions).text_pooled
    torch.testing.assert_close(rows[1]['text_embs'], text)


def test_pair_scores_are_the_similarities():
    model = FinstaModel(BACKBONE, head=dict(type='PairScoreHead')).eval()
    data = batch(2)
    for i, sample in enumerate(data['data_samples']):
        sample.meta = dict(pair_id='p', factor='order', video=i)
    rows = model(**data, mode='predict')
    _, video = model.encode(data['inputs'])
    full = model.backbone.encode_text(data['data_samples'][1].captions)
    expected = model.backbone.similarity(full, video)[:, 1]
    torch.testing.assert_close(rows[1]['scores'], expected)
    assert rows[1]['video'] == 1
    with pytest.raises(TypeError, match='only tests'):
        model.train()(**data, mode='loss')


def test_zero_shot_takes_the_best_scored_answer(answers):
    model = FinstaModel(BACKBONE, head=dict(type='ZeroShotQAHead', answers=answers,
                                            chunk=2)).eval()
    data = batch(2)
    rows = model(**data, mode='predict')
    _, video = model.encode(data['inputs'])
    for i, row in enumerate(rows):
        texts = [f'{data["data_samples"][i].text} {w}' for w in ('red', 'blue', 'two')]
        scores = model.backbone.similarity(model.backbone.encode_text(texts), video)[:, i]
        assert row['pred_id'] == int(scores.argmax())
    with pytest.raises(TypeError, match='only tests'):
        model.train()(**data, mode='loss')


@pytest.mark.parametrize('name', ['CLIP4Clip', 'ALPRO', 'STGT-stage2', 'VideoLLaVA'])
def test_zero_shot_heads_encode_a_video_once(name, answers, monkeypatch):
    model = FinstaModel(HOSTS[name], head=dict(type='ZeroShotQAHead', answers=answers,
                                               chunk=1)).eval()
    data, host = batch(2), model.backbone
    texts = [[f'{s.text} {word}' for word in ('red', 'blue', 'two')]
             for s in data['data_samples']]
    with torch.no_grad():
        expected = host.score_choices(texts, host.preprocess_frames(data['inputs']['frames']))
    encode, calls, scored = host.encode_video, [], []
    monkeypatch.setattr(host, 'encode_video', lambda *a: (calls.append(a), encode(*a))[1])
    score = host.choice_scores
    monkeypatch.setattr(host, 'choice_scores', lambda *a: (scored.append(score(*a)),
                                                           scored[-1])[1])
    found = model(**data, mode='predict')
    assert len(calls) == 1 and len(scored) == 3
    torch.testing.assert_close(torch.cat(scored, 1), expected, rtol=1e-5, atol=1e-5)
    assert [row['pred_id'] for row in found] == expected.argmax(1).tolist()
    model.head = PairScoreHead(model.info)
    for i, sample in enumerate(data['data_samples']):
        sample.meta = dict(pair_id='p', factor='order', video=i)
    model(**data, mode='predict')
    assert len(calls) == 2


def test_info_is_what_the_backbone_declares():
    model = FinstaModel(BACKBONE)
    assert model.info == BackboneInfo(dict(text=32, video=32), 32, 96, 4)

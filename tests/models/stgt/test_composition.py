"""STGT under Finsta, with heads, and as a pair scorer: the contracts carry it."""

import torch

from finsta.models import FinstaModel
from tests.models.backbones.hosts import HOSTS
from tests.models.tiny import TEACHER, TRANSFER, batch

STGT = dict(HOSTS['STGT'], max_text_length=32)


def test_finsta_post_trains_stgt():
    torch.manual_seed(0)
    model = FinstaModel(backbone=STGT, teacher=TEACHER, transfer=TRANSFER).train()
    given = batch()
    given['inputs']['negative_texts'] = [['a blue star', 'two red squares'], [], ['nothing']]
    losses = model(**given, mode='loss')
    assert {'loss_vtc', 'loss_vtm', 'loss_vtg', 'loss_osc', 'loss_pooled_text',
            'loss_pooled_video', 'loss_pooled_cross', 'loss_node_text', 'loss_node_video',
            'loss_node_cross', 'loss_relational'} <= set(losses)
    total = sum(v for k, v in losses.items() if k.startswith('loss'))
    assert torch.isfinite(total)
    total.backward()
    graph = model.backbone.adapter.layers[0].graph
    for module in (graph.query, graph.value, model.backbone.qformer, model.teacher.encoder):
        assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in module.parameters())


def test_retrieval_head_hands_out_every_query():
    model = FinstaModel(backbone=STGT, head=dict(type='RetrievalHead')).eval()
    given = batch()
    rows = model(**given, mode='predict')
    assert rows[0]['video_emb'].shape == (4, 16) and rows[0]['text_embs'].shape == (2, 16)
    with torch.no_grad():
        text, video = model.encode(given['inputs'])
        scores = model.backbone.similarity(text, video)
    found = torch.stack([(r['text_embs'][0] @ r['video_emb'].T).max() for r in rows])
    torch.testing.assert_close(found, scores.diagonal(), rtol=1e-4, atol=1e-5)


def test_generation_is_causal_and_the_queries_see_no_text():
    model = FinstaModel(backbone=STGT).eval()
    backbone, given = model.backbone, batch()
    with torch.no_grad():
        text, video = model.encode(given['inputs'])
        ids, mask = text.text_ids.clone(), text.text_mask
        pooled = torch.ones(video.video_extra.shape[:2], dtype=torch.bool)
        before = backbone._ask(video.video_extra, pooled, ids, mask, causal=True)
        alone = backbone._ask(video.video_extra, pooled)
        changed = ids.clone()
        changed[:, 3] = (ids[:, 3] + 1) % 50 + 7
        after = backbone._ask(video.video_extra, pooled, changed, mask, causal=True)
    q = backbone.num_queries
    # generation from cached queries: they are those of the video alone
    torch.testing.assert_close(before[:, :q], alone, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(after[:, :q + 3], before[:, :q + 3], rtol=1e-4, atol=1e-5)
    assert float((after[:, q + 3] - before[:, q + 3]).abs().max()) > 1e-3

"""STGT over two processes: the wrong texts and videos that VTM mines are the big batch's."""

import numpy as np
import pytest
import torch

from finsta.registry import BACKBONES
from tests.models.backbones.hosts import FRAMES, HOSTS, SIZE
from tests.utils.dist import run_processes

PAIRS, EXTRA = (3, 2), (3, 1)
TEXTS = ['a red circle moves to the left', 'zebra', 'the blue square hits the green star',
         'what is that?', 'two circles turn slowly around a small yellow triangle']
FURTHER = ['nothing', 'a green circle moves to the right', 'a star', 'the red square']


def hardest_host(gather_grad: bool):
    torch.manual_seed(46)
    host = BACKBONES.build({**HOSTS['STGT'], 'host_losses': [
        dict(type='VTM', mining='hardest', gather_grad=gather_grad)]})
    # as initialised all videos are nearly equal; seed and size are chosen for the case below
    with torch.no_grad():
        for parameter in host.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return host.eval()


def share(sizes: tuple[int, int], rank: int) -> slice:
    start = sizes[0] * rank
    return slice(start, start + sizes[rank])


def encode(host, pairs: slice, extra: slice):
    frames = torch.randint(0, 256, (5, FRAMES, 3, SIZE, SIZE), dtype=torch.uint8,
                           generator=torch.Generator().manual_seed(0))[pairs]
    return (host.encode_text(TEXTS[pairs] + FURTHER[extra]),
            host.encode_video(host.preprocess_frames(frames)))


def matched(rank: int):
    """For gather_grad of VTM True and False: what one process gives its matching head, words of
    each row and the video's tokens; and its loss."""
    return [_matched(rank, gather_grad) for gather_grad in (True, False)]


def _matched(rank: int, gather_grad: bool):
    host, seen = hardest_host(gather_grad), {}
    text, video = encode(host, share(PAIRS, rank), share(EXTRA, rank))
    match = host.match

    def watched(ids, mask, tokens, token_mask):
        seen['texts'] = [tuple(row[keep].tolist()) for row, keep in zip(ids, mask, strict=True)]
        seen['videos'] = tokens.detach().flatten(1).numpy()
        assert token_mask.all()
        return match(ids, mask, tokens, token_mask)

    host.match = watched
    seen['loss'] = float(host.host_loss(text, video)['loss_vtm'].detach())
    return seen


def test_mined_negatives_are_the_right_rows_on_both_processes():
    host = hardest_host(True)
    with torch.no_grad():
        text, video = encode(host, slice(0, 5), slice(0, 4))
        scores = torch.einsum('bqe,me->bmq', video.video_queries, text.text_pooled).amax(-1)
        whole = float(host.host_loss(text, video)['loss_vtm'])
    words = [tuple(row[keep].tolist())
             for row, keep in zip(text.text_ids, text.text_mask, strict=True)]
    assert len(set(words)) == 9
    tokens = video.video_extra.flatten(1).numpy()
    wrong = scores.masked_fill(torch.eye(5, 9).bool(), -torch.inf)
    hard_text, hard_video = wrong.argmax(1).tolist(), wrong[:, :5].argmax(0).tolist()

    # the case: each process needs a video of the other, the first a text of the second's pairs,
    # the second one of the first's extra texts
    first, second = (range(5)[share(PAIRS, r)] for r in (0, 1))
    assert any(hard_video[i] in second for i in first)
    assert any(hard_video[i] in first for i in second)
    assert any(hard_text[i] in second for i in first)
    assert any(hard_text[i] - 5 in range(4)[share(EXTRA, 0)] for i in second)
    best = wrong.topk(2, 1).values, wrong[:, :5].topk(2, 0).values.T
    assert min(float((x[:, 0] - x[:, 1]).min()) for x in best) > 1e-3

    for parts in zip(*run_processes(matched, 2), strict=True):
        for own, part in zip((first, second), parts, strict=True):
            expected = ([(i, i) for i in own] + [(i, hard_video[i]) for i in own]
                        + [(hard_text[i], i) for i in own])
            distance = np.abs(part['videos'][:, None] - tokens).max(-1)
            assert distance.min(1).max() < 1e-4
            found = zip(part['texts'], distance.argmin(1).tolist(), strict=True)
            assert [(words.index(t), v) for t, v in found] == expected
        assert np.mean([p['loss'] for p in parts]) == pytest.approx(whole, rel=1e-4)

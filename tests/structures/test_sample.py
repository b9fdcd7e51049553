"""Which samples of a batch show the same video or say the same."""

import torch

from finsta.structures import VideoTextSample, alike, pair_groups


def sample(video: str, **segment: float) -> VideoTextSample:
    return VideoTextSample(video, f'{video}.mp4', **segment)


def test_captions_of_one_video_have_one_number_and_segments_their_own():
    rows = [sample('a'), sample('b'), sample('a'), sample('a', start=0.0, end=2.0),
            sample('a', start=2.0, end=4.0), sample('a', start=0.0, end=2.0)]
    found = pair_groups(rows)[:, 0]
    assert found.dtype == torch.long
    assert found[0] == found[2] and found[3] == found[5]
    assert len(found.unique()) == 4


def test_the_number_is_the_same_in_every_process():
    assert pair_groups([sample('vid1')]).tolist() == [[7506220604434651431, 7531266821334470792]]
    assert pair_groups([]).shape == (0, 2)


def test_who_shares_a_video_or_a_text_is_alike():
    rows = [VideoTextSample(video, 'x.mp4', text) for video, text in (
        ('a', 'a man walks'), ('a', 'a dog'), ('b', 'A man  walks '), ('c', 'a cat'))]
    found = pair_groups(rows)
    assert alike(found, found).tolist() == [[True, True, True, False], [True, True, False, False],
                                            [True, False, True, False], [False] * 3 + [True]]
    assert alike(found[:, 0], found[1:, 0]).tolist()[0] == [True, False, False]
    assert alike(found[:0], found).shape == (0, 4)

"""Which samples of a batch show the same video."""

import torch

from finsta.structures import VideoTextSample, video_groups


def sample(video: str, **segment: float) -> VideoTextSample:
    return VideoTextSample(video, f'{video}.mp4', **segment)


def test_captions_of_one_video_have_one_number_and_segments_their_own():
    rows = [sample('a'), sample('b'), sample('a'), sample('a', start=0.0, end=2.0),
            sample('a', start=2.0, end=4.0), sample('a', start=0.0, end=2.0)]
    found = video_groups(rows)
    assert found.dtype == torch.long
    assert found[0] == found[2] and found[3] == found[5]
    assert len(found.unique()) == 4


def test_the_number_is_the_same_in_every_process():
    assert video_groups([sample('vid1')]).tolist() == [7506220604434651431]
    assert video_groups([]).shape == (0,)

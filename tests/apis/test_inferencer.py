from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from finsta.apis import FinstaInferencer

av = pytest.importorskip('av')


@pytest.fixture(scope='module')
def video(tmp_path_factory):
    """Ten frames that become brighter."""
    path = tmp_path_factory.mktemp('video') / 'clip.mp4'
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('mpeg4', rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, 'yuv420p'
        for k in range(10):
            picture = np.full((48, 64, 3), 20 * k, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format='rgb24')))
        container.mux(stream.encode())
    return path


class _Brightness(nn.Module):
    """A backbone whose video feature is the frames' brightness; a text is a number."""

    num_frames = 5

    def preprocess_frames(self, frames):
        return frames.float()

    def encode_video(self, frames, frame_mask=None, crop=None):
        self.seen = frames.mean((2, 3, 4))
        return SimpleNamespace(video_pooled=self.seen.mean(1))

    def encode_text(self, texts):
        return SimpleNamespace(text_pooled=torch.tensor([float(t.split()[-1]) for t in texts]))

    def similarity(self, text, video):
        return -(text.text_pooled[:, None] - video.video_pooled[None]).abs()

    def score_choices(self, texts, frames, frame_mask=None):
        video = self.encode_video(frames)
        return torch.stack([self.similarity(self.encode_text(row), video)[:, 0] for row in texts])


def test_similarity_sees_evenly_spread_frames(video):
    inferencer = FinstaInferencer(_Brightness())
    scores = inferencer.similarity(video, ['0', '100', '255'])
    assert max(scores) == scores[1]
    # the middles of five equal parts of frames 0..9: 1, 3, 5, 7, 9
    assert inferencer.backbone.seen[0].tolist() == pytest.approx([20, 60, 100, 140, 180], abs=4)


def test_answer_by_choices(video):
    assert FinstaInferencer(_Brightness()).answer(video, 'how bright?', ['0', '99']) == '99'


def test_answer_without_a_head(video):
    with pytest.raises(ValueError, match='no question-answering head'):
        FinstaInferencer(_Brightness()).answer(video, 'what?')


def test_texts_are_a_list(video):
    for wrong in ('a dog', []):
        with pytest.raises(ValueError, match='at least one text'):
            FinstaInferencer(_Brightness()).similarity(video, wrong)

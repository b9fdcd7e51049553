"""Small video files whose frames carry their own number, and MSVD trees made of them."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

BITS = 8


def numbered_frame(number: int, width: int = 96, height: int = 64) -> np.ndarray:
    """Black and white bars that spell ``number``: readable after any codec."""
    frame = np.full((height, width, 3), 128, np.uint8)
    bar = width // BITS
    for bit in range(BITS):
        frame[:, bit * bar:(bit + 1) * bar] = 255 if number >> bit & 1 else 0
    return frame


def read_number(frame: np.ndarray) -> int:
    """Inverse of :func:`numbered_frame`, at any size."""
    bar = frame.shape[1] / BITS
    values = [frame[:, int(bit * bar + bar * .3):int(bit * bar + bar * .7)].mean()
              for bit in range(BITS)]
    return sum(1 << bit for bit, value in enumerate(values) if value > 127)


def write_video(path: Path, num_frames: int = 30, codec: str = 'mpeg4', fps: int = 10,
                container: str | None = None, width: int = 96, height: int = 64,
                options: dict | None = None, rotation: int = 0, times: list[int] | None = None
                ) -> Path:
    """Encode numbered frames; ``times`` are presentation times in frames (variable rate)."""
    av = pytest.importorskip('av')
    with av.open(str(path), 'w', format=container) as out:
        stream = out.add_stream(codec, rate=fps, options=options or {})
        stream.width, stream.height = width, height
        stream.pix_fmt = 'rgb8' if codec == 'gif' else 'yuv420p'
        if rotation:
            stream.set_display_rotation(rotation)
        stream.time_base = Fraction(1, fps)
        stream.codec_context.time_base = Fraction(1, fps)
        out.start_encoding()
        for i in range(num_frames):
            frame = av.VideoFrame.from_ndarray(numbered_frame(i, width, height), format='rgb24')
            frame.pts = times[i] if times else i
            frame.time_base = Fraction(1, fps)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def write_sound(path: Path) -> Path:
    """A file with sound and no picture."""
    av = pytest.importorskip('av')
    with av.open(str(path), 'w') as out:
        stream = out.add_stream('aac', rate=16000)
        for i in range(20):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format='fltp',
                                               layout='mono')
            frame.sample_rate, frame.pts = 16000, i * 1024
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


@pytest.fixture
def logged(monkeypatch) -> list[str]:
    """Lines that the data sets log, whatever stream mmengine's logger is bound to."""
    from finsta.datasets import base
    lines: list[str] = []
    monkeypatch.setattr(base, 'print_log', lambda text, **kwargs: lines.append(text))
    return lines


MSVD_SPLITS = {'train': ['aa_0_1', 'bb_0_2', 'cc-d_3_4'], 'val': ['dd_0_1'], 'test': ['ee_5_9']}


@pytest.fixture(scope='session')
def clip_file(tmp_path_factory) -> Path:
    """One small mp4 of 30 frames."""
    return write_video(tmp_path_factory.mktemp('clip') / 'clip.mp4')


@pytest.fixture
def msvd_root(tmp_path, clip_file) -> Path:
    """MSVD and MSVD-QA as published, five videos (two extensions), all of them on disk."""
    clips = tmp_path / 'YouTubeClips'
    clips.mkdir()
    names = [v for videos in MSVD_SPLITS.values() for v in videos]
    for split, videos in MSVD_SPLITS.items():
        (tmp_path / f'{split}_list.txt').write_text('\n'.join(videos) + '\n')
    for k, name in enumerate(names):
        (clips / f'{name}{".avi" if k % 2 else ".mp4"}').symlink_to(clip_file)
    (tmp_path / 'youtube_mapping.txt').write_text(
        ''.join(f'{name} vid{k + 1}\n' for k, name in enumerate(names)))
    rows = [{'id': f'{name}.avi', 'caption': [f'a thing {name} moves', f'{name} goes left']}
            for name in names]
    (tmp_path / 'training_label.json').write_text(json.dumps(rows[:3]))
    (tmp_path / 'testing_label.json').write_text(json.dumps(rows[3:]))
    qid = 0
    for split, videos in MSVD_SPLITS.items():
        questions = []
        for name in videos:
            for question, answer in (('what moves?', 'circle'), ('who is there?', name[:2])):
                questions.append({'answer': answer, 'id': qid, 'question': question,
                                  'video_id': names.index(name) + 1})
                qid += 1
        (tmp_path / f'{split}_qa.json').write_text(json.dumps(questions))
    return tmp_path

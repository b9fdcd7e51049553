"""Frames: deterministic, antialiased, of every background; video files decode to them."""

import numpy as np
import pytest

from finsta.synthvl import make_scene, render
from finsta.synthvl.difficulty import BACKGROUNDS
from finsta.synthvl.video_files import write_video


@pytest.mark.parametrize('kind', BACKGROUNDS)
def test_frames_of_every_background(kind):
    scene = make_scene(0, 0, backgrounds=(kind,), staged=0.0, canvas=128)
    frames = render(scene)
    assert frames.shape == (24, 128, 128, 3) and frames.dtype == np.uint8
    assert np.array_equal(frames, render(scene))
    corner = frames[:, :6, :6].astype(int)
    assert (np.ptp(corner, axis=(0, 1, 2)).max() == 0) == (kind == 'plain')


def test_edges_are_antialiased():
    scene = make_scene(0, 2, backgrounds=('plain',), staged=0.0, striped=0.0)
    colours = np.unique(render(scene)[0].reshape(-1, 3), axis=0)
    assert len(colours) > 2 * (len(scene.things) + 1)


def test_every_shape_looks_unlike_the_others():
    import cv2

    from finsta.synthvl.render import OUTLINES
    masks = {}
    for name, lines in OUTLINES.items():
        image = np.zeros((40, 40), np.uint8)
        cv2.fillPoly(image, [np.round(o * 17 + 20).astype(np.int32) for o in lines], 1)
        masks[name] = image.astype(bool)
    names = list(masks)
    for i, a in enumerate(names):
        for b in names[i + 1:]:
            both = (masks[a] & masks[b]).sum() / (masks[a] | masks[b]).sum()
            assert both < 0.9, (a, b, both)


@pytest.mark.parametrize('suffix', ['.avi', '.mp4'])
def test_video_files_decode_and_are_the_same_bytes(tmp_path, suffix):
    av = pytest.importorskip('av')
    frames = render(make_scene(0, 4))
    path = tmp_path / f'clip{suffix}'
    write_video(path, frames, 8)
    content = path.read_bytes()
    with av.open(str(path)) as container:
        assert container.streams.video[0].average_rate == 8
        back = np.stack([f.to_ndarray(format='rgb24') for f in container.decode(video=0)])
    assert back.shape == frames.shape
    assert np.abs(back.astype(int) - frames).mean() < 6
    write_video(path, frames, 8)
    assert path.read_bytes() == content and list(tmp_path.iterdir()) == [path]


def test_wrong_files_and_frames_are_named(tmp_path):
    with pytest.raises(ValueError, match='suffix'):
        write_video(tmp_path / 'a.webm', np.zeros((2, 32, 32, 3), np.uint8), 8)
    with pytest.raises(ValueError, match='uint8'):
        write_video(tmp_path / 'a.avi', np.zeros((2, 32, 32, 3), np.float32), 8)

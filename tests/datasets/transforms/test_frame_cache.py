"""The cache gives what the file gives, follows the file, and survives damage."""

import os

import numpy as np
import pytest

from finsta.datasets.transforms.frame_cache import FrameCache
from finsta.datasets.transforms.loading import LoadVideoFrames
from finsta.datasets.transforms.video import VideoError, open_video
from finsta.structures import VideoTextSample
from tests.datasets.conftest import read_number, write_video

pytest.importorskip('av')
pytest.importorskip('cv2')


def entries(root):
    return sorted(p for p in root.rglob('*.npy') if not p.name.endswith('.times.npy'))


def test_same_frames_and_times_as_the_file(tmp_path, clip_file):
    cache = FrameCache(tmp_path, short_side=64)
    with open_video(clip_file) as plain:
        for turn in ('decoded', 'from disk'):
            with cache.open(str(clip_file)) as reader:
                assert len(reader) == len(plain) and reader.size == plain.size, turn
                assert np.array_equal(reader.times, plain.times)
                index = [29, 3, 3, 12]
                assert np.array_equal(reader.get_batch(index), plain.get_batch(index))
                with pytest.raises(IndexError):
                    reader.get_batch([30])
    assert cache.tally.summary() == {'miss': 1, 'hit': 1}


def test_entries_can_be_read_by_whom_the_umask_lets_read(tmp_path, clip_file):
    before = os.umask(0o022)
    try:
        FrameCache(tmp_path).open(str(clip_file)).close()
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.rglob('*.npy')} == {0o644}


def test_small_and_few(tmp_path, clip_file):
    cache = FrameCache(tmp_path, short_side=32, max_frames=10)
    with cache.open(str(clip_file)) as reader:
        assert len(reader) == 10 and reader.size == (48, 32)
        numbers = [read_number(f) for f in reader.get_batch(range(10))]
        assert numbers == [1, 4, 7, 10, 13, 16, 19, 22, 25, 28]
        assert np.allclose(reader.times * 10, numbers, atol=.2)
    assert entries(tmp_path)[0].stat().st_size < 10 * 32 * 48 * 3 + 300


def test_changed_file_and_other_size_get_new_entries(tmp_path, clip_file):
    path = tmp_path / 'v.mp4'
    path.write_bytes(clip_file.read_bytes())
    root = tmp_path / 'cache'
    FrameCache(root).open(str(path)).close()
    FrameCache(root, short_side=32).open(str(path)).close()
    assert len(entries(root)) == 2
    write_video(path, 12)
    os.utime(path, ns=(1, 1))
    with FrameCache(root).open(str(path)) as reader:
        assert len(reader) == 12
    assert len(entries(root)) == 3


@pytest.mark.parametrize('damage', ['cut', 'garbage', 'other array', 'object array', 'times'])
def test_damaged_entry_is_counted_and_made_again(tmp_path, clip_file, damage):
    cache = FrameCache(tmp_path)
    cache.open(str(clip_file)).close()
    entry = entries(tmp_path)[0]
    if damage == 'cut':
        entry.write_bytes(entry.read_bytes()[:5000])
    elif damage == 'garbage':
        entry.write_bytes(b'nothing')
    elif damage == 'other array':
        np.save(entry, np.zeros((3, 3)))
    elif damage == 'object array':  # would need pickle: must be refused, not run
        np.save(entry, np.array([{'a': 1}], dtype=object), allow_pickle=True)
    else:
        entry.with_suffix('.times.npy').unlink()
    with cache.open(str(clip_file)) as reader:
        assert read_number(reader.get_batch([7])[0]) == 7
    assert cache.tally['damaged'] == 1
    cache.open(str(clip_file)).close()
    assert cache.tally['hit'] == 1 and cache.tally['miss'] == 2


def test_no_half_entry_after_a_kill(tmp_path, clip_file, monkeypatch):
    """A process that dies while writing leaves no entry that could be read."""
    cache = FrameCache(tmp_path)
    monkeypatch.setattr(os, 'replace', lambda *a: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        cache.open(str(clip_file))
    assert not list(tmp_path.rglob('*.npy')) and not list(tmp_path.rglob('*.tmp'))


def test_too_large_clip_is_decoded_and_bad_file_raises(tmp_path, clip_file):
    cache = FrameCache(tmp_path, max_bytes=1000)
    with cache.open(str(clip_file)) as reader:
        assert reader.backend != 'cache' and read_number(reader.get_batch([9])[0]) == 9
    assert cache.tally['too_large'] == 1 and not entries(tmp_path)
    with pytest.raises(VideoError, match='no such file'):
        cache.open(str(tmp_path / 'none.mp4'))


def test_the_readable_part_of_a_cut_off_file_can_be_cached(tmp_path):
    """LoadVideoFrames(allow_truncated=True, cache=...) reads what it reads without a cache."""
    part = tmp_path / 'part.mkv'
    data = write_video(tmp_path / 'whole.mkv', 60, options={'g': '5'}).read_bytes()
    part.write_bytes(data[:int(len(data) * .6)])
    load = dict(num_frames=3, cache=dict(root=str(tmp_path / 'cache'), short_side=64))
    results = {'sample': VideoTextSample('part', str(part), '')}
    for _ in ('decoded', 'from disk'):
        frames = LoadVideoFrames(**load, allow_truncated=True)(dict(results))['frames']
        assert len(frames) == 3 and read_number(frames[0]) < read_number(frames[2]) < 60
        with pytest.raises(VideoError):  # and the entry is not for those who want whole files
            LoadVideoFrames(**load)(dict(results))

"""Readers: right frames on every container, and a documented answer to every bad file."""

import multiprocessing
import pickle

import numpy as np
import pytest

from finsta.datasets.transforms import video
from finsta.datasets.transforms.video import (
    DecordReader,
    PyAVReader,
    VideoError,
    VideoLimits,
    open_video,
    reader_tally,
)
from tests.datasets.conftest import read_number, write_sound, write_video

pytest.importorskip('av')

H264 = {'g': '12', 'bf': '2'}
FILES = {
    'h264.mp4': dict(codec='libx264', options=H264), 'mpeg4.avi': dict(codec='mpeg4'),
    'h264.avi': dict(codec='libx264', options=H264), 'h264.mkv': dict(codec='libx264'),
    'vp9.webm': dict(codec='libvpx-vp9', options={'deadline': 'realtime', 'cpu-used': '8'}),
    'clip.gif': dict(codec='gif'), 'clip.ts': dict(codec='libx264', container='mpegts'),
    'vfr.mp4': dict(codec='libx264', options=H264,
                    times=[i + (5 if i >= 10 else 0) for i in range(40)]),
}


@pytest.fixture(scope='module')
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp('files')
    return {name: write_video(folder / name, 40, **kwargs) for name, kwargs in FILES.items()}


@pytest.mark.parametrize('backend', ['auto', 'pyav'])
@pytest.mark.parametrize('name', list(FILES))
def test_every_container_gives_the_asked_frames(files, name, backend):
    """Random order, repeats, several calls, going back: the number in the picture is the index."""
    with open_video(files[name], backend) as reader:
        assert len(reader) == 40 == len(reader.times) and reader.size == (96, 64)
        for index in ([31, 4, 4, 39, 17], [18, 19, 20], [19], [0], list(range(40))):
            batch = reader.get_batch(index)
            assert batch.shape == (len(index), 64, 96, 3) and batch.dtype == np.uint8
            assert [read_number(frame) for frame in batch] == index
        assert reader.times[0] == 0 and (np.diff(reader.times) >= 0).all()
        if name == 'vfr.mp4':
            assert reader.times[10] - reader.times[9] == pytest.approx(.6, abs=.02)
        else:
            assert reader.fps == pytest.approx(10, rel=.05)
            assert np.allclose(reader.times, np.arange(40) / 10, atol=.02)


def test_route_follows_what_is_right(files):
    pytest.importorskip('decord')
    used = {}
    for name, path in files.items():
        with open_video(path) as reader:
            used[name] = reader.backend
    assert used == {'h264.mp4': 'decord', 'mpeg4.avi': 'pyav', 'h264.avi': 'pyav',
                    'h264.mkv': 'decord', 'vp9.webm': 'decord', 'clip.gif': 'pyav',
                    'clip.ts': 'pyav', 'vfr.mp4': 'decord'}


def test_av1_goes_to_pyav(tmp_path):
    path = write_video(tmp_path / 'av1.mp4', 12, 'libsvtav1', options={'preset': '12'})
    with open_video(path) as reader:
        assert reader.backend == 'pyav'
        assert [read_number(f) for f in reader.get_batch([11, 3])] == [11, 3]


def test_wrong_extension_is_read_by_content(files, tmp_path):
    path = tmp_path / 'really_a_transport_stream.mp4'
    path.write_bytes(files['clip.ts'].read_bytes())
    before = reader_tally['wrong_extension']
    with open_video(path) as reader:
        assert reader.backend == 'pyav' and read_number(reader.get_batch([25])[0]) == 25
    assert reader_tally['wrong_extension'] == before + 1


def test_rotated_video_stands_upright(tmp_path):
    path = write_video(tmp_path / 'phone.mp4', 5, 'libx264', rotation=90)
    with PyAVReader(path) as reader:
        assert reader.size == (64, 96) and reader.get_batch([2]).shape == (1, 96, 64, 3)


def test_edit_list_hides_what_was_cut_away(tmp_path):
    """A stream-copied cut keeps the packets before its start; they are not part of the video."""
    import av
    whole = write_video(tmp_path / 'whole.mp4', 60, 'libx264', options={'g': '60', 'bf': '2'})
    path = tmp_path / 'cut.mp4'
    with av.open(str(whole)) as src, av.open(
            str(path), 'w', options={'avoid_negative_ts': 'disabled'}) as out:
        source = src.streams.video[0]
        stream, shift = out.add_stream_from_template(source), int(2.0 / source.time_base)
        for packet in src.demux(source):
            if packet.size:
                packet.stream = stream
                packet.pts -= shift
                packet.dts -= shift
                out.mux(packet)
    with open_video(path) as reader:
        assert reader.backend == 'pyav' and len(reader) == 40
        assert [read_number(f) for f in reader.get_batch([0, 1, 17, 39])] == [20, 21, 37, 59]


def bad_files(folder, clip):
    """kind of the error -> file that causes it."""
    data = clip.read_bytes()
    files = {'missing': folder / 'none.mp4', 'directory': folder / 'folder.mp4',
             'empty': folder / 'empty.mp4', 'audio_only': write_sound(folder / 'sound.mp4'),
             'not_video text': folder / 'text.mp4', 'not_video page': folder / 'page.mp4',
             'not_video cut': folder / 'cut.mp4', 'not_video zip': folder / 'zip.avi'}
    files['directory'].mkdir()
    files['empty'].write_bytes(b'')
    files['not_video text'].write_text('not a video at all\n' * 100)
    files['not_video page'].write_text('<html>404</html>')
    files['not_video zip'].write_bytes(b'PK\x03\x04' + bytes(100))
    files['not_video cut'].write_bytes(data[:len(data) // 2])  # its index stands at the end
    return files


def test_bad_files_name_file_cause_and_remedy(tmp_path, clip_file):
    for kind, path in bad_files(tmp_path, clip_file).items():
        with pytest.raises(VideoError) as caught:
            open_video(path)
        error = caught.value
        assert error.kind == kind.split()[0], (kind, str(error))
        assert str(path) in str(error) and error.remedy in str(error) and error.cause
        assert pickle.loads(pickle.dumps(error)).kind == error.kind  # crosses worker processes


def test_file_without_frames(tmp_path):
    path = write_video(tmp_path / 'none.avi', 0)
    with pytest.raises(VideoError) as caught:
        open_video(path)
    assert caught.value.kind in ('no_frames', 'not_video', 'corrupt')


@pytest.mark.parametrize('suffix,codec', [('mp4', 'mpeg4'), ('mkv', 'libx264'), ('avi', 'mpeg4')])
def test_truncated_video_is_refused_or_read_in_part(tmp_path, suffix, codec):
    options = {'g': '5'}
    whole = write_video(tmp_path / f'whole.{suffix}', 60, codec, options=options)
    if suffix == 'mp4':  # index first, so that the beginning can be read
        import av
        fast = tmp_path / 'fast.mp4'
        with av.open(str(whole)) as src, av.open(
                str(fast), 'w', options={'movflags': 'faststart'}) as out:
            stream = out.add_stream_from_template(src.streams.video[0])
            for packet in src.demux(video=0):
                if packet.size:
                    packet.stream = stream
                    out.mux(packet)
        whole = fast
    part = tmp_path / f'part.{suffix}'
    data = whole.read_bytes()
    part.write_bytes(data[:int(len(data) * .6)])
    with pytest.raises(VideoError) as caught, open_video(part) as reader:
        reader.get_batch([0, len(reader) - 1])
    assert caught.value.kind in ('truncated', 'corrupt')
    with PyAVReader(part, allow_truncated=True) as reader:
        numbers = [read_number(f) for f in reader.get_batch([0, 5, 10])]
    assert numbers == [0, 5, 10]


def test_limits_bound_pixels_frames_bytes_and_batches(files):
    path = files['h264.mp4']
    for limits in (VideoLimits(max_pixels=1000), VideoLimits(max_frames=10),
                   VideoLimits(max_bytes=10)):
        with pytest.raises(VideoError) as caught:
            open_video(path, limits=limits)
        assert caught.value.kind == 'too_large'
    with open_video(path, limits=VideoLimits(max_batch_bytes=96 * 64 * 3 * 5)) as reader:
        assert len(reader.get_batch(range(5))) == 5
        with pytest.raises(VideoError, match='fewer frames'):
            reader.get_batch(range(6))


def test_index_outside_raises_and_none_is_empty(files):
    with open_video(files['h264.mp4']) as reader:
        with pytest.raises(IndexError, match=r'frame 40 is outside 0\.\.39'):
            reader.get_batch([0, 40])
        with pytest.raises(IndexError):
            reader.get_batch([-1])
        assert reader.get_batch([]).shape == (0, 64, 96, 3)


def test_decord_failure_falls_back_counted(files, monkeypatch):
    pytest.importorskip('decord')
    before = reader_tally['decord_failed']
    with open_video(files['h264.mp4']) as reader:
        assert reader.backend == 'decord'

        def fail(self, index):
            raise VideoError(self.path, 'corrupt', 'broken on purpose', 'none')
        monkeypatch.setattr(DecordReader, '_decode', fail)
        assert [read_number(f) for f in reader.get_batch([9, 30])] == [9, 30]
        assert reader.backend == 'pyav'
    assert reader_tally['decord_failed'] == before + 1


def test_without_decord_pyav_reads(files, monkeypatch):
    def absent(name, why):
        if name == 'decord':
            raise ImportError('no decord')
        return real(name, why)
    real = video.require
    monkeypatch.setattr(video, 'require', absent)
    before = reader_tally['no_decord']
    with open_video(files['h264.mp4']) as reader:
        assert reader.backend == 'pyav'
    assert reader_tally['no_decord'] == before + 1
    with pytest.raises(ImportError):
        open_video(files['h264.mp4'], 'decord')


def _read_in_child(reader, queue):
    try:
        reader.get_batch([0])
        queue.put('read')
    except VideoError as error:
        queue.put(error.kind)


def test_reader_of_another_process_raises_instead_of_hanging(files):
    context = multiprocessing.get_context('fork')
    with open_video(files['h264.mp4']) as reader:
        queue = context.Queue()
        child = context.Process(target=_read_in_child, args=(reader, queue))
        child.start()
        assert queue.get(timeout=30) == 'wrong_process'
        child.join(30)


def test_unknown_backend():
    with pytest.raises(ValueError, match='backend'):
        open_video('x.mp4', 'cv2')

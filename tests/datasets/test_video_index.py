"""Finding videos by id."""

from finsta.datasets.video_index import VideoIndex, video_stem


def test_stem_keeps_dots_that_are_no_extension():
    assert video_stem('a/b/x_1.5_2.AVI') == 'x_1.5_2'
    assert video_stem('x_1.5_2.7') == 'x_1.5_2.7' and video_stem('a\\b.mp4') == 'b'


def test_any_extension_duplicates_and_folders(tmp_path):
    for name in ('a.mp4', 'b.WEBM', 'c.avi', 'c.mp4', 'notes.txt', 'sub/d.mkv'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    index = VideoIndex(tmp_path)
    assert index.get('a') == str(tmp_path / 'a.mp4') and index.get('b').endswith('b.WEBM')
    assert index.get('c').endswith('c.avi') and index.tally['two_files_of_one_id'] == 1
    assert index.get('notes') is None and index.get('d') is None and len(index) == 3
    (tmp_path / 'sub' / 'a.mkv').touch()
    deep = VideoIndex(tmp_path, recursive=True)
    assert deep.get('sub/d').endswith('sub/d.mkv') and deep.get('d') is None
    assert deep.get('a').endswith('a.mp4') and deep.get('sub/a').endswith('sub/a.mkv')
    assert len(VideoIndex(tmp_path / 'none')) == 0

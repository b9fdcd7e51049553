"""WebVid-like rows: ids are paths, corpora are told apart."""

import json

import pytest

from finsta.datasets import WebVid
from finsta.utils.annotation_files import AnnotationError


@pytest.fixture
def root(tmp_path, clip_file):
    """Names that repeat in two folders; ``b`` with another extension than its row says."""
    for name in ('000/a.mp4', '001/a.mp4', '001/b.webm'):
        path = tmp_path / 'videos' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(clip_file)
    return tmp_path


def write(root, rows, name='train.json'):
    (root / name).write_text(json.dumps([dict(video=v, caption=c) for v, c in rows]))


def rows(data, root):
    samples = [data.get_sample(i) for i in range(len(data))]
    return [(s.video_id, s.video_path.removeprefix(f'{root}/'), s.text) for s in samples]


def test_a_video_is_its_path_not_its_name(root):
    write(root, [('000/a.mp4', ' a cat '), ('001/a.mp4', 'a dog'), ('./001//b.mp4', 'a cow'),
                 ('000/a.mp4', 'again'), ('001/b.mp4', ''), ('000/gone.mp4', 'not on disk')])
    data = WebVid(data_root=str(root))
    assert rows(data, root) == [('000/a', 'videos/000/a.mp4', 'a cat'),
                                ('001/a', 'videos/001/a.mp4', 'a dog'),
                                ('001/b', 'videos/001/b.webm', 'a cow'),
                                ('000/a', 'videos/000/a.mp4', 'again')]
    assert data.tally.summary() == {'empty_caption': 1} and data.coverage == (3, 4)


def test_several_files_with_paths_in_one_folder(root):
    write(root, [('000/a.mp4', 'one')])
    write(root, [('000/a.mp4', 'two')], 'more.json')
    data = WebVid(['train.json', 'more.json'], data_root=str(root))
    assert [text for *_, text in rows(data, root)] == ['one', 'two'] and data.coverage == (1, 1)


def test_joined_corpora_are_told_apart(tmp_path, clip_file):
    for corpus in ('webvid', 'vidal'):
        folder = tmp_path / 'videos' / corpus / '000'
        folder.mkdir(parents=True)
        (folder / 'a.mp4').symlink_to(clip_file)
        write(tmp_path, [('000/a.mp4', f'of {corpus}')], f'{corpus}.json')
    data = WebVid(dict(webvid='webvid.json', vidal='vidal.json'), data_root=str(tmp_path))
    assert rows(data, tmp_path) == [
        ('webvid/000/a', 'videos/webvid/000/a.mp4', 'of webvid'),
        ('vidal/000/a', 'videos/vidal/000/a.mp4', 'of vidal')]
    assert [data.get_sample(i).meta for i in (0, 1)] == [{'corpus': 'webvid'},
                                                         {'corpus': 'vidal'}]
    assert len({data.get_sample(i).sample_id for i in (0, 1)}) == 2


@pytest.mark.parametrize('video,words', [
    ('001/a.avi', '001/a.mp4 and 001/a.avi have one id'),
    ('../a.mp4', 'expected a path under videos/'), ('/tmp/a.mp4', 'expected a path under'),
    ('', 'expected a path under')])
def test_paths_that_name_no_video_of_the_folder(root, video, words):
    write(root, [('001/a.mp4', 'one'), (video, 'two')])
    with pytest.raises(AnnotationError, match=f"row 1, key 'video'.*{words}"):
        WebVid(data_root=str(root))


def test_a_row_without_a_caption_is_named(root):
    (root / 'train.json').write_text(json.dumps([dict(video='000/a.mp4')]))
    with pytest.raises(AnnotationError, match="row 0, key 'caption'"):
        WebVid(data_root=str(root))

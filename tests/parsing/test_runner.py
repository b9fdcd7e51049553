"""Under which id a video's graph is stored: the one that the data sets look up."""

import pytest

from finsta.datasets.video_index import VIDEO_EXTENSIONS, VideoIndex
from finsta.parsing.runner import RunOptions, list_videos, parse_videos
from finsta.parsing.store import GraphStore
from finsta.registry import SG_PARSERS
from finsta.structures import DynamicSceneGraph, SceneGraph

HERE = RunOptions(workers=0, progress=False)


@SG_PARSERS.register_module()
class _OneFrame:
    """One empty frame for anything, as a parser of annotations answers an id."""

    def parse(self, videos):
        return [DynamicSceneGraph((SceneGraph(),), (0.,), video=v) for v in videos]


@pytest.mark.parametrize('name,video_id', [
    # ids of LSMDC and PVSG have dots; an annotation parser gets them without an extension
    ('1001_Flight_00.00.10.930-00.00.11.980', '1001_Flight_00.00.10.930-00.00.11.980'),
    ('clips/1001_Flight_00.00.10.930.avi', '1001_Flight_00.00.10.930'),
    ('x_1.5_2.AVI', 'x_1.5_2'), ('video7.ogv', 'video7')])
def test_the_id_is_the_name_without_a_video_extension(tmp_path, name, video_id):
    with GraphStore(tmp_path, readonly=False) as store:
        report = parse_videos([name], dict(type='_OneFrame'), store, HERE)
    assert report.parsed == 1
    assert list(GraphStore(tmp_path).video_keys()) == [video_id]


def test_two_ids_that_differ_behind_a_dot_are_two(tmp_path):
    with GraphStore(tmp_path, readonly=False) as store:
        report = parse_videos(['a.00', 'a.01'], dict(type='_OneFrame'), store, HERE)
        assert report.parsed == 2
        with pytest.raises(ValueError, match=r"same id 'b'"):
            parse_videos(['x/b.mp4', 'y/b.mp4'], dict(type='_OneFrame'), store, HERE)


def test_under_a_root_the_id_is_the_path(tmp_path):
    """The ids that WebVid-like data sets look up."""
    with GraphStore(tmp_path / 'graphs', readonly=False) as store:
        parse_videos(['v/x/b.mp4', 'v/y/b.mp4'], dict(type='_OneFrame'), store, HERE, root='v')
        with pytest.raises(ValueError, match=r'w/b\.mp4 does not lie under the root v'):
            parse_videos(['w/b.mp4'], dict(type='_OneFrame'), store, HERE, root='v')
    assert sorted(GraphStore(tmp_path / 'graphs').video_keys()) == ['x/b', 'y/b']


def test_a_folder_is_searched_for_what_the_data_sets_find(tmp_path):
    for extension in VIDEO_EXTENSIONS:
        (tmp_path / f'{extension[1:]}{extension}').write_bytes(b'x')
    assert len(list_videos(tmp_path)) == len(VideoIndex(tmp_path)) == len(VIDEO_EXTENSIONS)

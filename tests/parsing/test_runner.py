"""What a run does with odd inputs, and under which id a video's graph is stored: the one that
the data sets look up."""

import cv2
import numpy as np
import pytest

from finsta.datasets.video_index import VIDEO_EXTENSIONS, VideoIndex
from finsta.parsing.runner import RunOptions, list_videos, parse_texts, parse_videos
from finsta.parsing.store import GraphStore
from finsta.registry import SG_PARSERS
from finsta.structures import DynamicSceneGraph, SceneGraph

HERE = RunOptions(workers=0, progress=False)


@SG_PARSERS.register_module()
class _OneFrame:
    """One empty frame for anything, as a parser of annotations answers an id."""

    def parse(self, videos):
        return [DynamicSceneGraph((SceneGraph(),), (0.,), video=v) for v in videos]


@SG_PARSERS.register_module()
class _RaisesOn:
    """Reads a file whose name says what happens to it."""

    def parse(self, videos):
        return [self.parse_frames(*self.read(v), v) for v in videos]

    def read(self, path):
        if 'opencv' in path:
            cv2.resize(np.zeros((0, 0, 3), np.uint8), (2, 2))
        return None, (0.,)

    def parse_frames(self, frames, times, video):
        if 'memory' in video:
            raise MemoryError('cannot take 80 GiB')
        if 'index' in video:
            return [][0]
        if 'key' in video:
            return {}['track']
        if 'zero' in video:
            return 1 // 0
        if 'mistake' in video:
            raise TypeError('parse() takes no argument colour')
        return DynamicSceneGraph((SceneGraph(),), (0.,), video=video)


@pytest.mark.parametrize('name,reason', [
    ('opencv', 'error: OpenCV'), ('memory', 'MemoryError: cannot take 80 GiB'),
    ('index', 'IndexError'), ('key', "KeyError: 'track'"), ('zero', 'ZeroDivisionError')])
def test_an_odd_clip_is_listed_and_the_rest_is_parsed(tmp_path, name, reason):
    with GraphStore(tmp_path, readonly=False) as store:
        report = parse_videos(['a', name, 'b'], dict(type='_RaisesOn'), store, HERE)
    assert (report.parsed, report.failed) == (2, 1)
    ((key, why),) = report.failures
    assert key == name and why.startswith(reason)


def test_a_mistake_in_the_parser_s_code_stops_the_run(tmp_path):
    with GraphStore(tmp_path, readonly=False) as store, pytest.raises(TypeError, match='colour'):
        parse_videos(['a', 'mistake', 'b'], dict(type='_RaisesOn'), store, HERE)


def test_texts_of_a_batch_are_tried_one_by_one(tmp_path):
    with GraphStore(tmp_path, readonly=False) as store:
        report = parse_texts(['one', '', 'two'], dict(type='_FirstLetter'), store,
                             RunOptions(workers=0, progress=False, batch_size=3))
    assert (report.parsed, report.failed) == (2, 1)
    assert report.failures[0][1].startswith('IndexError')


@SG_PARSERS.register_module()
class _FirstLetter:
    def parse(self, texts):
        return [SceneGraph(text=text, parser=text[0]) for text in texts]


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

"""Coverage, empty splits, unreadable videos, and the loader with workers."""

import shutil

import pytest
from torch.utils.data import DataLoader

from finsta.datasets import MSVD, MSVDQA, video_text_collate
from finsta.datasets.base import VideoTextDataset
from finsta.datasets.transforms.video_files import VideoError
from finsta.utils.annotation_files import AnnotationError
from tests.datasets.conftest import MSVD_SPLITS

pytest.importorskip('av')
pytest.importorskip('cv2')

LOAD = [dict(type='LoadVideoFrames', num_frames=4), dict(type='ResizeFrames', size=(32, 32))]


@pytest.fixture(autouse=True)
def scope():
    from mmengine.registry import DefaultScope
    with DefaultScope.overwrite_default_scope('finsta'):
        yield


def clips(root):
    return sorted((root / 'YouTubeClips').iterdir())


def test_takes_what_is_there_and_says_so(msvd_root, logged):
    (msvd_root / 'YouTubeClips' / 'bb_0_2.avi').unlink()
    data = MSVD(data_root=str(msvd_root), rows='video')
    assert data.coverage == (2, 3) and len(data) == 2
    assert 'MSVD (train): found 2 of 3 videos' in logged[0]


def test_none_on_disk_names_path_source_and_synthvl(msvd_root):
    shutil.rmtree(msvd_root / 'YouTubeClips')
    with pytest.raises(FileNotFoundError) as caught:
        MSVD(data_root=str(msvd_root))
    for part in (f'{msvd_root}/YouTubeClips/aa_0_1.avi', 'tools/datasets/msvd/README.md',
                 'does not exist', 'python tools/datasets/make_synthvl.py --layout msvd --size '
                 'small --out data/synthvl/msvd'):
        assert part in str(caught.value)


def test_missing_annotation_file_names_the_same(msvd_root):
    (msvd_root / 'train_list.txt').unlink()
    with pytest.raises(FileNotFoundError) as caught:
        MSVD(data_root=str(msvd_root))
    assert f'{msvd_root}/train_list.txt' in str(caught.value)
    assert 'make_synthvl.py' in str(caught.value)


def test_empty_split_raises_or_borrows_loudly(msvd_root, logged):
    for name in MSVD_SPLITS['val']:
        for path in (msvd_root / 'YouTubeClips').glob(f'{name}.*'):
            path.unlink()
    with pytest.raises(FileNotFoundError, match='none of the 1 videos'):
        MSVDQA(data_root=str(msvd_root), split='val', test_mode=True)
    data = MSVDQA(data_root=str(msvd_root), split='val', test_mode=True, empty_split='borrow')
    assert len(data) == 8 and data.splits == ('train', 'test')
    assert 'none of the videos of val is on disk' in logged[0] and 'STAND IN' in logged[0]


def test_rows_become_samples_and_batches_with_workers(msvd_root):
    data = MSVD(data_root=str(msvd_root), pipeline=LOAD, split=('train', 'val', 'test'))
    assert len(data) == 10
    loader = DataLoader(data, batch_size=5, num_workers=2, collate_fn=video_text_collate)
    texts = []
    for batch in loader:
        assert batch['inputs']['frames'].shape == (5, 4, 3, 32, 32)
        texts += batch['inputs']['texts']
        assert [s.text for s in batch['data_samples']] == batch['inputs']['texts']
    assert texts[:2] == ['a thing aa_0_1 moves', 'aa_0_1 goes left'] and len(set(texts)) == 10


def test_unreadable_video_is_counted_and_replaced_in_training(msvd_root):
    path = msvd_root / 'YouTubeClips' / 'aa_0_1.mp4'
    path.unlink()
    path.write_bytes(b'')
    data = MSVD(data_root=str(msvd_root), pipeline=LOAD, rows='video')
    assert data[0]['sample'].video_id in ('bb_0_2', 'cc-d_3_4')
    assert data.tally['unreadable_video'] >= 1


def test_refetch_is_bounded(msvd_root):
    for path in clips(msvd_root):
        path.unlink()
        path.write_bytes(b'')
    data = MSVD(data_root=str(msvd_root), pipeline=LOAD, max_refetch=3)
    with pytest.raises(VideoError, match='4 rows in a row'):
        data[0]
    assert data.tally['unreadable_video'] == 4


def test_unreadable_video_in_testing_stops_or_stays_blank(msvd_root):
    path = msvd_root / 'YouTubeClips' / 'ee_5_9.mp4'
    path.unlink()
    path.write_bytes(b'')
    kwargs = dict(data_root=str(msvd_root), pipeline=LOAD, split='test', test_mode=True)
    with pytest.raises(VideoError, match='0 bytes'):
        MSVD(**kwargs)[0]
    data = MSVD(**kwargs, bad_video='blank')
    assert len(data) == 1 and not data[0]['frames'].any()
    assert data[0]['sample'].video_id == 'ee_5_9' and data.tally['unreadable_video'] == 2


class Two(VideoTextDataset):
    """Rows given by the test."""

    name, layout = 'two', 'msvd'
    rows = ()

    def load_rows(self):
        return self.rows


def test_duplicate_row_id_and_unknown_field(tmp_path, clip_file):
    (tmp_path / 'videos').mkdir()
    (tmp_path / 'videos' / 'v.mp4').symlink_to(clip_file)
    Two.rows = [dict(video_id='v', sample_id='1'), dict(video_id='v', sample_id='1')]
    with pytest.raises(AnnotationError, match="'1' stands in rows 0 and 1"):
        Two(data_root=str(tmp_path))
    Two.rows = [dict(video_id='v', sample_id='1', colour='red')]
    with pytest.raises(TypeError, match='colour'):
        Two(data_root=str(tmp_path))
    Two.rows = [dict(video_id='v', sample_id='1')]
    seen = {}
    data = Two(data_root=str(tmp_path), pipeline=[lambda r: seen.update(r) or r])
    assert data[0]['sample'].video_path == str(tmp_path / 'videos' / 'v.mp4')
    assert Two(data_root=str(tmp_path), indices=[0]).get_sample(0).sample_id == '1'


def test_data_root_reaches_the_pipeline(msvd_root):
    cache = dict(root='{data_root}/frames', short_side=32)
    pipeline = [dict(type='LoadVideoFrames', num_frames=2, cache=cache)]
    data = MSVD(data_root=str(msvd_root), pipeline=pipeline)
    assert data[0]['frames'].shape == (2, 32, 48, 3)
    assert list((msvd_root / 'frames').rglob('*.npy'))
    assert cache['root'] == '{data_root}/frames'  # the config itself is left alone


@pytest.mark.parametrize('kwargs', [dict(bad_video='skip'), dict(empty_split='any'),
                                    dict(rows='both')])
def test_bad_options(msvd_root, kwargs):
    with pytest.raises(ValueError):
        MSVD(data_root=str(msvd_root), **kwargs)

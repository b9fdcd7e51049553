"""The loaders on real files: 74 clips, the MSVD and MSVD-QA annotations. Skipped where absent."""

import json
from pathlib import Path

import numpy as np
import pytest

from finsta.datasets import MSVD, MSVDQA, video_text_collate
from finsta.datasets.msvd import read_split
from finsta.datasets.transforms.video import PyAVReader, open_video
from finsta.structures import AnswerVocabulary

pytest.importorskip('av')
LOAD = [dict(type='LoadVideoFrames', num_frames=4), dict(type='ResizeFrames', size=128),
        dict(type='CenterCropFrames', size=112), dict(type='ChooseCaption')]


@pytest.fixture(scope='module')
def manifest(shared_data):
    return json.loads((shared_data / 'videos' / 'manifest.json').read_text())['clips']


@pytest.fixture(scope='module')
def msvd_tree(shared_data, manifest, tmp_path_factory):
    """The published tree, made of links: real lists, questions, captions, and five clips."""
    root = tmp_path_factory.mktemp('msvd')
    notes = shared_data / 'annotations'
    if not (notes / 'msvd' / 'train_list.txt').is_file():
        pytest.skip(f'no MSVD annotations in {notes}')
    for split in ('train', 'val', 'test'):
        (root / f'{split}_list.txt').symlink_to(notes / 'msvd' / f'{split}_list.txt')
        (root / f'{split}.csv').symlink_to(notes / 'msvd_qa' / f'{split}.csv')
    (root / 'training_label.json').symlink_to(notes / 'msvd' / 'training_label.json')
    (root / 'youtube_mapping.txt').symlink_to(notes / 'msvd' / 'youtube_mapping.rebuilt.txt')
    (root / 'YouTubeClips').mkdir()
    clips = [c for c in manifest if 'msvd_id' in c]
    for clip in clips:
        (root / 'YouTubeClips' / (clip['msvd_id'] + Path(clip['file']).suffix)).symlink_to(
            shared_data / 'videos' / clip['file'])
    labels = [{'id': f'{c["msvd_id"]}.avi', 'caption': [t['text'] for t in c['captions']]}
              for c in clips]
    (root / 'clips_label.json').write_text(json.dumps(labels))
    return root


@pytest.mark.slow
def test_all_clips_are_read_as_the_manifest_says(shared_data, manifest):
    """Size, length, rate; and the routed reader shows the frames that in-order decoding shows."""
    for clip in manifest:
        with open_video(shared_data / 'videos' / clip['file']) as reader:
            assert reader.size == (clip['width'], clip['height']), clip['file']
            assert len(reader) == pytest.approx(clip['frames'], abs=2), clip['file']
            if clip['frames'] > 8:
                assert reader.times[-1] == pytest.approx(
                    clip['duration_s'], rel=.1, abs=.5), clip['file']
            index = np.linspace(0, len(reader) - 1, 4).astype(int)[[2, 0, 3, 1]]
            frames = reader.get_batch(index)
            if reader.backend == 'decord':
                with PyAVReader(reader.path) as exact:
                    difference = np.abs(exact.get_batch(index).astype(int) - frames).mean()
                assert difference < 1.5, clip['file']


def test_published_annotations_are_whole(msvd_tree):
    counts = [len(read_split(str(msvd_tree / f'{s}_list.txt'))) for s in ('train', 'val', 'test')]
    assert counts == [1200, 100, 670]
    questions = [sum(1 for _ in MSVDQA(data_root=str(msvd_tree), split=s,
                                       lazy_init=True).load_rows())
                 for s in ('train', 'val', 'test')]
    assert questions == [30933, 6415, 13157]
    vocabulary = AnswerVocabulary(msvd_tree / 'train.csv')
    assert len(vocabulary) == 1000 and vocabulary.words[:2] == ('man', 'woman')
    captions = MSVD(['training_label.json'], data_root=str(msvd_tree), lazy_init=True,
                    split=('train', 'val', 'test'), rows='caption')
    assert sum(1 for _ in captions.load_rows()) == 24232
    assert captions.tally['video_without_caption'] == 520  # one of the two files is here


def test_five_clips_with_their_questions_and_captions(msvd_tree, logged):
    from mmengine.registry import DefaultScope
    with DefaultScope.overwrite_default_scope('finsta'):
        questions = MSVDQA(data_root=str(msvd_tree), pipeline=LOAD)
        captions = MSVD(['clips_label.json'], data_root=str(msvd_tree), pipeline=LOAD,
                        rows='video')
    assert questions.coverage[0] == 5 and len(questions) == 179 and len(captions) == 5
    assert 'MSVD-QA (train): found 5 of 1161 videos' in logged[0]
    assert 'skipped 1195 video_without_caption' in logged[1]
    batch = video_text_collate([captions[i] for i in range(5)]
                               + [questions[i] for i in (0, 50, 100, 178)])
    assert batch['inputs']['frames'].shape == (9, 4, 3, 112, 112)
    assert batch['inputs']['frames'].float().flatten(1).std(1).min() > 5  # no black clip
    assert all(batch['inputs']['texts'])

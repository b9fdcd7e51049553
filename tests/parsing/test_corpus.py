"""Texts of annotation files are the texts that the data sets look up."""

import gzip
import json

import pytest

from finsta.datasets import MSRVTT, MinimalPairs
from finsta.parsing.corpus import import_gold, texts_of_annotation
from finsta.parsing.store import GraphStore
from finsta.structures import SceneGraph
from finsta.utils.annotation_files import AnnotationError

ODD = [' a man runs ', 'two dogs\n', 'a cut emoji \\ud83d', 'a whole one \\ud83d\\ude00', '  ']


def msrvtt(root):
    """The published layout, with captions as they really stand there."""
    sentences = ', '.join(f'{{"caption": "{text}", "video_id": "video0", "sen_id": {i}}}'
                          for i, text in enumerate(t.replace('\n', '\\n') for t in ODD))
    (root / 'videos' / 'all').mkdir(parents=True)
    (root / 'videos' / 'all' / 'video0.mp4').write_bytes(b'x')
    (root / 'train_val_videodatainfo.json').write_text(
        '{"videos": [{"video_id": "video0", "split": "train"}], "sentences": [' + sentences
        + ']}')
    (root / 'test_videodatainfo.json').write_text('{"videos": [], "sentences": []}')
    return MSRVTT(data_root=str(root))


def test_texts_are_those_that_the_data_set_looks_up(tmp_path):
    """MSR-VTT has captions with blanks at their ends: their graphs must be found."""
    data = msrvtt(tmp_path)
    rows = [data.get_sample(i).text for i in range(len(data))]
    assert rows == ['a man runs', 'two dogs', 'a cut emoji ?', 'a whole one 😀']
    assert data.tally['empty_caption'] == 1
    assert texts_of_annotation(tmp_path / 'train_val_videodatainfo.json') == rows
    for text in rows:
        text.encode()  # a tokeniser refuses what is no Unicode


def test_minimal_pairs_strip_their_captions_too(tmp_path):
    (tmp_path / 'YouTubeClips').mkdir()
    for name in 'ab':
        (tmp_path / 'YouTubeClips' / f'{name}.avi').write_bytes(b'x')
    path = tmp_path / 'minimal_pairs.json'
    path.write_text(json.dumps([{'pair_id': 1, 'factor': 'order', 'videos': ['a.avi', 'b.avi'],
                                 'captions': [' one two ', 'two one\n']}]))
    sample = MinimalPairs(data_root=str(tmp_path)).get_sample(0)
    assert sample.captions == tuple(texts_of_annotation(path)) == ('one two', 'two one')


@pytest.mark.parametrize('name,text', [
    ('a.json', '[{"caption": "a dog"}]'), ('a.jsonl', '{"caption": "a dog"}\n'),
    ('a.csv', 'caption,x\na dog,1\n'), ('a.txt', 'a dog\n\n')])
def test_byte_order_mark_and_packing_change_nothing(tmp_path, name, text):
    for content, path in ((b'\xef\xbb\xbf' + text.encode(), tmp_path / name),
                          (gzip.compress(text.encode()), tmp_path / f'{name}.gz')):
        path.write_bytes(content)
        assert texts_of_annotation(path) == ['a dog'], path


@pytest.mark.parametrize('name', ['a.json.gz', 'a.jsonl.gz', 'a.csv.gz', 'a.txt.gz'])
def test_cut_off_archive_is_named(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(gzip.compress(b'caption\n' + bytes(range(97, 123)) * 999)[:-12])
    with pytest.raises(AnnotationError, match=rf'{name}: the archive is damaged'):
        texts_of_annotation(path)


def test_gold_of_a_cut_off_archive_is_named_and_its_whole_rows_are_kept(tmp_path):
    rows = [{'text': f'dog {i}', 'video_id': 'v', 'tsg': SceneGraph(text=f'dog {i}').to_dict()}
            for i in range(99)]
    path = tmp_path / 'texts.jsonl.gz'
    path.write_bytes(gzip.compress(''.join(json.dumps(r) + '\n' for r in rows).encode())[:-12])
    with pytest.raises(AnnotationError, match='the archive is damaged'), \
            GraphStore(tmp_path / 'store', readonly=False) as store:
        import_gold(tmp_path, store, 'texts')
    assert GraphStore(tmp_path / 'store').get_text('dog 0', 'v').text == 'dog 0'

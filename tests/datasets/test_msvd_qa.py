"""MSVD-QA: both published forms, the vocabulary, and every documented complaint."""

import csv
import json

import pytest

from finsta.datasets import MSVDQA
from finsta.utils.annotation_files import AnnotationError


def edit(path, change):
    rows = json.loads(path.read_text())
    change(rows)
    path.write_text(json.dumps(rows))


def samples(data):
    return [data.get_sample(i) for i in range(len(data))]


def test_questions_clips_and_classes(msvd_root):
    data = MSVDQA(data_root=str(msvd_root))
    rows = samples(data)
    assert [(s.video_id, s.text, s.answer, s.sample_id) for s in rows[:3]] == [
        ('aa_0_1', 'what moves?', 'circle', 'qa0'), ('aa_0_1', 'who is there?', 'aa', 'qa1'),
        ('bb_0_2', 'what moves?', 'circle', 'qa2')]
    assert data.vocabulary.words == ('circle', 'aa', 'bb', 'cc')
    assert [s.answer_id for s in rows] == [0, 1, 0, 2, 0, 3]
    assert rows[1].meta == {'question_type': 'who'} and rows[0].video_path.endswith('aa_0_1.mp4')
    test = samples(MSVDQA(data_root=str(msvd_root), split='test', test_mode=True))
    assert [(s.answer, s.answer_id) for s in test] == [('circle', 0), ('ee', -1)]
    few = MSVDQA(data_root=str(msvd_root), answers=dict(top_k=1))
    assert [s.answer_id for s in samples(few)] == [0, -1, 0, -1, 0, -1]


def as_csv(root, change=lambda rows: None):
    """The training questions in the csv form, changed; the JSON goes."""
    rows = [[r['video_id'], 96, 64, r['question'], r['answer'], r['id']]
            for r in json.loads((root / 'train_qa.json').read_text())]
    change(rows)
    (root / 'train_qa.json').unlink()
    with open(root / 'train.csv', 'w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(['video', 'width', 'height', 'question', 'answer', 'qid'])
        writer.writerows(rows)


def test_csv_form_gives_the_same(msvd_root):
    expected = samples(MSVDQA(data_root=str(msvd_root)))
    as_csv(msvd_root)
    assert samples(MSVDQA(data_root=str(msvd_root))) == expected


@pytest.mark.parametrize('change,words', [
    (lambda r: r[2].pop('question'), "row 2, key 'question': is missing"),
    (lambda r: r[2].update(video_id='vid3'), "row 2, key 'video_id'.*expected int"),
    (lambda r: r[2].update(video_id=99), 'vid99 is not in youtube_mapping.txt'),
    (lambda r: r[2].update(answer=None), "row 2, key 'answer'"),
    (lambda r: r[2].update(id=0), "'qa0' stands in rows 0 and 2")])
def test_bad_rows(msvd_root, change, words):
    edit(msvd_root / 'train_qa.json', change)
    with pytest.raises(AnnotationError, match=words):
        MSVDQA(data_root=str(msvd_root))


@pytest.mark.parametrize('column,value,words', [
    (0, 'vidx', "row 2, key 'video': is 'vidx', expected a number"),
    (0, '', "row 2, key 'video': is ''"), (0, '3.0', "row 2, key 'video'"),
    (0, '\u00b2', "row 2, key 'video'"), (0, '-3', "row 2, key 'video'"),
    (0, 99, 'row 2.*vid99 is not in youtube_mapping.txt'),
    (5, 0, "'qa0' stands in rows 0 and 2"), (5, ' ', "row 2, key 'qid': is empty")])
def test_bad_csv_rows(msvd_root, column, value, words):
    as_csv(msvd_root, lambda rows: rows[2].__setitem__(column, value))
    with pytest.raises(AnnotationError, match=words):
        MSVDQA(data_root=str(msvd_root))


@pytest.mark.parametrize('form', ['json', 'csv'])
def test_odd_questions_are_kept(msvd_root, form):
    odd = ['\U0001f600 \U0001f44d?', '\u8c01\u5728\u9a91\u9a6c\uff1f',
           ' '.join(['why'] * 10_000)]
    if form == 'csv':
        as_csv(msvd_root, lambda rows: [r.__setitem__(3, q)
                                        for r, q in zip(rows, odd, strict=False)])
    else:
        edit(msvd_root / 'train_qa.json', lambda rows: [
            r.update(question=q) for r, q in zip(rows, odd, strict=False)])
    data = MSVDQA(data_root=str(msvd_root))
    assert [s.text for s in samples(data)[:3]] == odd and not data.tally.summary()


def test_empty_question_is_counted(msvd_root):
    edit(msvd_root / 'train_qa.json', lambda r: r[0].update(question='  '))
    data = MSVDQA(data_root=str(msvd_root))
    assert len(data) == 5 and data.tally['empty_question'] == 1


@pytest.mark.parametrize('line,words', [('aa_0_1', 'is not "<clip> vid<number>"'),
                                        ('zz_0_1 vid1', 'vid1 is mapped twice'),
                                        ('zz_0_1 video9', 'is not')])
def test_bad_mapping(msvd_root, line, words):
    with open(msvd_root / 'youtube_mapping.txt', 'a') as file:
        file.write(line + '\n')
    with pytest.raises(AnnotationError, match=words):
        MSVDQA(data_root=str(msvd_root))

"""AnnotationVideoParser and the layouts, against small files in the published form."""

import gzip
import json
import os
import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest

from finsta.parsing.video.convert_action_genome import convert, load_plain_pickle
from finsta.parsing.video.layouts import LAYOUTS
from finsta.registry import SG_PARSERS
from finsta.structures import DynamicSceneGraph, GraphError, Node, SceneGraph

SHARED = Path(os.environ.get('FINSTA_SHARED_DATA',
                             Path(__file__).resolve().parents[4] / 'shared' / 'data'))


def build(ann_file, layout, **kwargs):
    return SG_PARSERS.build(dict(type='AnnotationVideoParser', ann_file=str(ann_file),
                                 layout=layout, **kwargs))


def triples(graph):
    label = [n.label for n in graph.nodes]
    return {(label[s], label[p], None if o is None else label[o]) for s, p, o in graph.triples()}


def vidvrd_record():
    def box(x):
        return {'xmin': x, 'ymin': 20, 'xmax': x + 100, 'ymax': 220}
    return {'video_id': 'v0', 'frame_count': 3, 'fps': 10.0, 'width': 640, 'height': 400,
            'subject/objects': [{'tid': 0, 'category': 'dog'}, {'tid': 4, 'category': 'ball'}],
            'trajectories': [[{'tid': 0, 'bbox': box(0)}, {'tid': 4, 'bbox': box(200)}],
                             [{'tid': 0, 'bbox': box(64)}, {'tid': 4, 'bbox': box(200)}], []],
            'relation_instances': [{'subject_tid': 0, 'object_tid': 4, 'predicate': 'run_to',
                                    'begin_fid': 1, 'end_fid': 3}]}


def pvsg_record():
    return {'data': [{
        'video_id': 'p0', 'meta': {'height': 20, 'width': 40, 'fps': 5, 'num_frames': 4},
        'objects': [{'object_id': 1, 'category': 'adult'}, {'object_id': 2, 'category': 'door'},
                    {'object_id': 3, 'category': 'wall'}],
        'relations': [[1, 2, 'opening', [[1, 2]]]]}]}


def test_vidvrd_boxes_intervals_and_identity(tmp_path):
    (tmp_path / 'sub').mkdir()
    (tmp_path / 'sub' / 'v0.json').write_text(json.dumps(vidvrd_record()))
    dsg = build(tmp_path, 'vidvrd').parse(['clips/v0.mp4'])[0]
    assert [len(g.nodes) for g in dsg.frames] == [2, 3, 0]  # end_fid is exclusive
    assert triples(dsg.frames[1]) == {('dog', 'run to', 'ball')}
    assert dsg.frames[1].nodes[0].box == pytest.approx((114 / 640, 120 / 400, 100 / 640, 0.5))
    assert dsg.predecessors[1][:2] == (0, 1)
    assert dsg.times == (0.0, 0.1, 0.2) and dsg.size == (640, 400)
    assert dsg.parser.startswith('AnnotationVideoParser')


@pytest.mark.parametrize('damage, message', [
    (lambda r: r.pop('fps'), "'fps' is missing"),
    (lambda r: r.update(frame_count='3'), "'frame_count' must be int"),
    (lambda r: r.update(frame_count=9), 'frame_count says 9'),
    (lambda r: r['subject/objects'].append({'tid': 0, 'category': 'cat'}), 'listed twice'),
    (lambda r: r['relation_instances'][0].update(object_tid=77), 'tid 77'),
    (lambda r: r['relation_instances'][0].update(end_fid=1), 'end_fid 1'),
    (lambda r: r['trajectories'][0][0].pop('bbox'), "'bbox' is missing"),
    (lambda r: r.update(trajectories=[3, 4, 5]), 'wrong form'),
])
def test_bad_vidvrd_names_file_and_remedy_and_can_be_skipped(tmp_path, damage, message):
    record = vidvrd_record()
    damage(record)
    file = tmp_path / 'v0.json'
    file.write_text(json.dumps(record))
    with pytest.raises(GraphError, match=r'v0\.json') as error:
        build(tmp_path, 'vidor').parse(['v0'])
    assert message in str(error.value)
    parser = build(tmp_path, 'vidor', on_error='skip')
    assert parser.parse(['v0'])[0].frames == (SceneGraph(),) and parser.num_failed == 1


def test_pvsg_ranges_are_inclusive_and_masks_give_boxes(tmp_path):
    file = tmp_path / 'pvsg.json'
    file.write_text(json.dumps(pvsg_record()))
    dsg = build(file, 'pvsg').parse(['p0'])[0]
    assert [len(g.nodes) for g in dsg.frames] == [0, 3, 3, 0]
    assert triples(dsg.frames[2]) == {('adult', 'opening', 'door')}
    assert all(n.box is None for n in dsg.frames[1].nodes)

    (tmp_path / 'masks' / 'p0').mkdir(parents=True)
    for t in range(4):
        mask = np.full((20, 40), 3, np.uint8)
        mask[5:15, 4 * t:4 * t + 8] = 1
        cv2.imwrite(str(tmp_path / 'masks' / 'p0' / f'{t:04d}.png'), mask)
    dsg = build(file, 'pvsg', mask_root=str(tmp_path / 'masks')).parse(['p0'])[0]
    adult = next(n for n in dsg.frames[2].nodes if n.label == 'adult')
    assert adult.box == pytest.approx((12 / 40, 0.5, 0.2, 0.5))
    assert [len(g.nodes) for g in dsg.frames] == [2, 2, 2, 2]   # no door in the masks, no relation


def test_pvsg_bad_relation_and_key_frame_bound(tmp_path):
    record = pvsg_record()
    record['data'][0]['meta']['num_frames'] = 5000
    record['data'][0]['relations'] = [[1, 2, 'opening', [[0, 4999]]]]
    file = tmp_path / 'pvsg.json'
    file.write_text(json.dumps(record))
    dsg = build(file, 'pvsg', max_frames=7).parse(['p0'])[0]
    assert len(dsg.frames) == 7 and dsg.times[-1] == pytest.approx(4999 / 5)
    record['data'][0]['relations'] = [[1, 9, 'opening', [[0, 3]]]]
    file.write_text(json.dumps(record))
    with pytest.raises(GraphError, match=r'relations\[0\]: object id 9'):
        build(file, 'pvsg').parse(['p0'])


def test_own_and_synthvl_json_round_trip(tmp_path):
    node = Node('object', 'ball', box=(0.5, 0.5, 0.2, 0.2), entity=3)
    dsg = DynamicSceneGraph((SceneGraph((node,)), SceneGraph((node,))), (0, 1), (), 'a.mp4')
    (tmp_path / 'one.json').write_text(json.dumps(dsg.to_dict()))
    (tmp_path / 'many.json').write_text(json.dumps({'b': dsg.to_dict()}))
    got = build(tmp_path, 'finsta').parse(['a.mp4', 'b'])
    assert got[0].frames == dsg.frames and got[1].predecessors == ((-1,), (0,))
    (tmp_path / 'gold').mkdir()
    row = json.dumps({'video_id': 'x_1_2', 'dsg': dsg.to_dict()})
    gold = tmp_path / 'gold' / 'videos.jsonl.gz'
    gold.write_bytes(gzip.compress(f'{row}\n'.encode()))
    assert build(tmp_path, 'synthvl').parse(['dir/x_1_2.avi'])[0].frames == dsg.frames
    gold.write_bytes(gzip.compress(f'{row}\n{row}\n'.encode()))
    with pytest.raises(GraphError, match='listed twice'):
        build(tmp_path, 'synthvl')
    gold.write_bytes(gold.read_bytes()[:-9])
    with pytest.raises(GraphError, match=r'videos\.jsonl\.gz'):
        build(tmp_path, 'synthvl')


def test_unknown_video_and_unknown_layout(tmp_path):
    (tmp_path / 'v0.json').write_text(json.dumps(vidvrd_record()))
    parser = build(tmp_path, 'vidvrd')
    assert parser.parse(['nowhere.mp4'])[0].frames == (SceneGraph(),)
    assert parser.num_missing == 1 and parser.video_ids == ['v0']
    with pytest.raises(ValueError, match='layout'):
        build(tmp_path, 'kinetics')
    with pytest.raises(FileNotFoundError, match='ann_file'):
        build(tmp_path / 'absent.json', 'pvsg')


def action_genome_files(folder, dtype=np.float32):
    def thing(name, visible=True, **relations):
        return {'class': name, 'bbox': (10.0, 10.0, 20.0, 30.0) if visible else None,
                'visible': visible, 'metadata': {'set': 'train'},
                **{f'{k}_relationship': relations.get(k) for k in
                   ('attention', 'spatial', 'contacting')}}
    objects = {'001YG.mp4/000031.png': [thing('chair', spatial=['in_front_of']),
                                        thing('door', visible=False)],
               '001YG.mp4/000001.png': [thing('chair', contacting=['sitting_on'])]}
    person = {'bbox': np.array([[50, 0, 90, 80]], dtype), 'bbox_size': (100, 80)}
    persons = dict.fromkeys(objects, person)
    paths = folder / 'objects.pkl', folder / 'persons.pkl'
    for path, content in zip(paths, (objects, persons), strict=True):
        path.write_bytes(pickle.dumps(content, protocol=2))
    return paths


def test_action_genome_is_converted_and_read(tmp_path):
    objects, persons = action_genome_files(tmp_path)
    out = tmp_path / 'ag.json'
    out.write_text(json.dumps(convert(objects, persons, fps=30.0)))
    dsg = build(out, 'action_genome').parse(['001YG'])[0]
    assert dsg.times == (0.0, 1.0)                              # frame numbers start at 1
    assert triples(dsg.frames[0]) == {('person', 'sitting on', 'chair')}
    assert triples(dsg.frames[1]) == {('person', 'in front of', 'chair')}
    chair = dsg.frames[0].nodes[1]
    assert chair.box == pytest.approx((0.2, 25 / 80, 0.2, 30 / 80))
    assert dsg.predecessors[1][:2] == (0, 1)
    with pytest.raises(GraphError, match='convert_action_genome'):
        build(objects, 'action_genome')


def test_pickles_that_call_are_refused(tmp_path):
    class Bomb:
        def __reduce__(self):
            return os.system, ('touch gone',)
    path = tmp_path / 'x.pkl'
    path.write_bytes(pickle.dumps({'a': Bomb()}))
    with pytest.raises(GraphError, match=r'x\.pkl.*system'):
        load_plain_pickle(path)
    path.write_bytes(pickle.dumps({'a': 1})[:-3])
    with pytest.raises(GraphError, match='fetch it again'):
        load_plain_pickle(path)
    path.write_bytes(pickle.dumps({'a': np.arange(3), 'b': np.float32(2)}))
    assert load_plain_pickle(path)['a'].tolist() == [0, 1, 2]


@pytest.mark.skipif(not (SHARED / 'dsg').is_dir(), reason='no real annotation samples here')
def test_real_samples():
    dsg = build(SHARED / 'dsg/pvsg/pvsg.sample1.json', 'pvsg').parse(['0001_4164158586'])[0]
    assert len(dsg.frames) == 180 and dsg.size == (480, 360)
    assert any('adult' in {n.label for n in g.nodes} for g in dsg.frames)
    assert sum(len(g.triples()) for g in dsg.frames) > 100
    vid = build(SHARED / 'dsg/vidvrd_vidor/vidor_vidvrd_layout.synthetic.json', 'vidvrd')
    graph = vid.parse(vid.video_ids)[0]
    assert triples(graph.frames[0]) == {('dog', 'chase', 'frisbee')}
    objects = load_plain_pickle(
        SHARED / 'dsg/action_genome/object_bbox_and_relationship.synthetic.pkl')
    assert next(iter(objects)) == '001YG.mp4/000089.png'


def test_every_layout_refuses_a_text_file(tmp_path):
    for layout in LAYOUTS:
        path = tmp_path / f'{layout}.json'
        path.write_text('not json')
        with pytest.raises(GraphError, match=path.name):
            parser = build(path, layout)
            parser.parse(parser.video_ids)

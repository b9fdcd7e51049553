"""Neighbours of real captions, without any video."""

import json

from finsta.parsing.store import GraphStore
from finsta.structures import Edge, Node, SceneGraph


def test_pairs_and_shares_of_an_annotation_file(tool, tmp_path):
    rows = [{'id': 'a', 'caption': ['red dog runs', 'blue cat sleeps']},
            {'id': 'b', 'caption': ['red dog jumps']}, {'id': 'c', 'caption': 'green bird sings'}]
    (tmp_path / 'label.json').write_text(json.dumps(rows))
    with GraphStore(tmp_path / 'graphs', readonly=False) as store:
        for text in ('red dog runs', 'blue cat sleeps', 'red dog jumps', 'green bird sings'):
            colour, noun, verb = text.split()
            store.put_text(text, SceneGraph(
                (Node('object', noun), Node('attribute', colour), Node('predicate', verb)),
                (Edge(0, 1, 'attribute'), Edge(0, 2, 'subject')), text=text))
    done = tool('analysis/show_neighbours.py', '--ann', 'label.json', '--store', 'graphs',
                '--min-similarity', 0.6, '--out', 'n.json')
    assert done.returncode == 0, done.stderr
    pairs = {frozenset(line.split(' | ')) for line in done.stdout.splitlines() if ' | ' in line}
    assert pairs == {frozenset(['red dog runs', 'red dog jumps'])}
    found = json.loads((tmp_path / 'n.json').read_text())
    assert (found['captions'], found['clips'], found['neighbours']['0.6']) == (4, 3, 0.5)
    assert 'dog' not in json.dumps(found['neighbours'])


def test_another_layout_is_named(tool, tmp_path):
    (tmp_path / 'label.json').write_text(json.dumps([{'text': 'a dog'}]))
    done = tool('analysis/show_neighbours.py', '--ann', 'label.json', '--store', 'graphs')
    assert done.returncode == 2 and "label.json, row 0, key 'caption'" in done.stderr

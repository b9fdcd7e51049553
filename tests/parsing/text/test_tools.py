"""The tools beside the text parser: training, caption trees, conventions, scoring."""

import csv
import json
import random
import subprocess
import sys

import pytest

pytest.importorskip('spacy')

GOLD = [('a man riding a wave', '( man , ride , wave )'),
        ('a red ball on a table', '( ball , is , red ) , ( ball , on , table )'),
        ('two dogs', '( dogs , is , 2 )'),
        ('the cat sits on the mat', '( cat , sit on , rug )')]


def _run(repo_root, *args):
    done = subprocess.run([sys.executable, *map(str, args)], cwd=repo_root, capture_output=True,
                          text=True, timeout=280)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture
def gold_csv(tmp_path):
    path = tmp_path / 'gold.csv'
    with open(path, 'w', newline='') as stream:
        writer = csv.writer(stream)
        writer.writerow(['image_id', 'region_id', 'caption', 'scene_graph'])
        writer.writerows((0, i, *row) for i, row in enumerate(GOLD))
    return path


def test_scores_by_hand(repo_root, gold_csv, tmp_path):
    """12 gold tuples; of our 12, (mat) and (cat, sit on, mat) are wrong: P = R = 10 / 12."""
    out = tmp_path / 'out.json'
    config = '{"type": "RuleTextParser"}'
    text = _run(repo_root, 'tools/analysis/eval_text_parser.py', '--gold', gold_csv, '--rows',
                '0:', '--parser-config', config, '--json', out)
    data = json.loads(out.read_text())
    assert data['command'] == ("python tools/analysis/eval_text_parser.py "
                               f"--gold {gold_csv} --rows 0: --parser-config '{config}' "
                               f"--json {out}")
    assert {'commit', 'machine', 'threads', 'versions'} <= set(data)
    table = data['table']
    assert table['all']['gold'] == 12
    assert table['all']['precision'] == pytest.approx(10 / 12)
    assert table['all']['f1'] == pytest.approx(10 / 12)
    assert table['relation']['f1'] == pytest.approx(2 / 3)
    assert table['attribute']['f1'] == 1.0
    assert 'captions/s' in text


def test_foreign_predictions(repo_root, gold_csv, tmp_path):
    lines = tmp_path / 'theirs.txt'
    lines.write_text('a man riding a wave\t( Man , ride , wave )\ntwo dogs\t( dogs )\n')
    out = tmp_path / 'out.json'
    _run(repo_root, 'tools/analysis/eval_text_parser.py', '--gold', gold_csv, '--predictions',
         lines, '--json', out)
    row = json.loads(out.read_text())['table']['all']
    assert row['precision'] == 1.0
    assert row['recall'] == pytest.approx(4 / 12)


def test_gold_without_a_column_is_refused(repo_root, tmp_path):
    path = tmp_path / 'bad.csv'
    path.write_text('caption,graph\na,b\n')
    done = subprocess.run([sys.executable, 'tools/analysis/eval_text_parser.py', '--gold',
                           str(path)], cwd=repo_root, capture_output=True, text=True)
    assert done.returncode == 2 and "bad.csv, key 'scene_graph': has the columns" in done.stderr


@pytest.mark.slow
def test_training_from_a_treebank(repo_root, tmp_path):
    """200 motion sentences as the treebank: one short run ends in a usable pipeline."""
    sys.path.insert(0, str(repo_root / 'tools' / 'scene_graphs'))
    from motion_grammar import motion_sentence

    from finsta.parsing.text import RuleTextParser
    from finsta.parsing.text.conllu import write_conllu
    rng = random.Random(0)
    for split, count in (('train', 200), ('dev', 15)):
        write_conllu(tmp_path / f'en_ewt-ud-{split}.conllu',
                     [motion_sentence(rng) for _ in range(count)])
    command = ('tools/scene_graphs/train_text_parser.py', '--treebank', tmp_path, '--epochs', 2,
               '--width', 32, '--depth', 2, '--rows', 300, 100, 100, 100, '--lr', 0.01,
               '--batch-words', 200)
    _run(repo_root, *command, '--out', tmp_path / 'one')
    meta = json.loads((tmp_path / 'one' / 'meta.json').read_text())
    assert meta['performance']['dev']['las'] > 30
    _run(repo_root, *command, '--out', tmp_path / 'two')
    again = json.loads((tmp_path / 'two' / 'meta.json').read_text())
    assert again['performance'] == meta['performance']
    out = tmp_path / 'scores.json'
    _run(repo_root, command[0], '--treebank', tmp_path, '--evaluate', tmp_path / 'one', '--json',
         out)
    found = json.loads(out.read_text())
    trained = {k: v for k, v in meta['performance'].items() if k != 'best_epoch'}
    assert found['scores'] == trained and '--evaluate' in found['command']
    _run(repo_root, command[0], '--treebank', tmp_path, '--tokenizer-of', tmp_path / 'one',
         '--out', tmp_path / 'three')
    same = [(tmp_path / name / 'tokenizer').read_bytes() for name in ('one', 'three')]
    assert same[0] == same[1]
    parser = RuleTextParser(str(tmp_path / 'one'), conventions=None)
    graph = parser.parse(['the red circle pushes the blue square'])[0]
    assert graph.of_kind('predicate')


def test_motion_sentences_are_trees(repo_root):
    sys.path.insert(0, str(repo_root / 'tools' / 'scene_graphs'))
    from motion_grammar import motion_sentence
    rng = random.Random(1)
    for _ in range(300):
        sentence = motion_sentence(rng)
        for start in range(len(sentence.words)):
            seen, node = set(), start
            while sentence.heads[node] != node:
                assert node not in seen
                seen.add(node)
                node = sentence.heads[node]
            assert sentence.deps[node] == 'ROOT'


def test_factual_dev(repo_root, shared_data, tmp_path):
    """The bar that the project set itself: micro F1 of at least 0.70 (measured: see the docs)."""
    gold = shared_data / 'tsg' / 'FACTUAL' / 'random' / 'dev.csv'
    if not gold.is_file():
        pytest.skip(f'no {gold}')
    out = tmp_path / 'out.json'
    _run(repo_root, 'tools/analysis/eval_text_parser.py', '--gold', gold, '--json', out)
    assert json.loads(out.read_text())['table']['all']['f1'] >= 0.80


def test_treebank_dev(shared_data):
    """LAS of the shipped pipeline on a part of UD_English-EWT dev."""
    path = shared_data / 'ud' / 'UD_English-EWT' / 'en_ewt-ud-dev.conllu'
    if not path.is_file():
        pytest.skip(f'no {path}')
    from spacy.tokens import Doc

    from finsta.parsing.text.conllu import read_conllu
    from finsta.parsing.text.pipeline import load_pipeline
    nlp = load_pipeline()
    sentences = read_conllu(path)[::5]
    docs = nlp.pipe([Doc(nlp.vocab, words=s.words, spaces=s.spaces) for s in sentences])
    right = total = 0
    for doc, gold in zip(docs, sentences, strict=True):
        for token in doc:
            if gold.pos[token.i] != 'PUNCT':
                total += 1
                right += (token.head.i == gold.heads[token.i]
                          and token.dep_ == gold.deps[token.i])
    assert right / total >= 0.79

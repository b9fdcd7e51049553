"""Trees: ClearNLP becomes UD, prepositions collapse, whatever the tree looks like."""

import random

import pytest

spacy = pytest.importorskip('spacy')

from finsta.parsing.text.build import build_graph  # noqa: E402
from finsta.parsing.text.prepositions import case_words, collapse_prepositions  # noqa: E402
from finsta.parsing.text.rule_parser import draft_of, graph_of_tree  # noqa: E402
from finsta.parsing.text.trees import Token, Tree, from_doc  # noqa: E402

VOCAB = spacy.blank('en').vocab


def _tree(rows):
    """rows: "word/POS/dep/head/lemma" with heads counted from 0; the root is its own head."""
    parts = [row.split('/') for row in rows.split()]
    doc = spacy.tokens.Doc(
        VOCAB, words=[p[0] for p in parts], pos=[p[1] for p in parts], deps=[p[2] for p in parts],
        heads=[int(p[3]) for p in parts], lemmas=[p[4] if len(p) > 4 else p[0] for p in parts],
        morphs=['Tense=Past|VerbForm=Part' if p[1:2] == ['VERB'] and p[0].endswith('ed') else ''
                for p in parts])
    return from_doc(doc), doc.text


def _triples(rows):
    tree, text = _tree(rows)
    graph = graph_of_tree(tree, text)
    names = [n.label for n in graph.nodes]
    return ({tuple(None if i is None else names[i] for i in t) for t in graph.triples()},
            {(names[e.src], names[e.dst]) for e in graph.edges if e.type == 'attribute'})


# the same sentence in ClearNLP labels (en_core_web_*) and in UD
PAIRS = {
    'verb with preposition': (
        'man/NOUN/nsubj/1 sits/VERB/ROOT/1/sit on/ADP/prep/1 bench/NOUN/pobj/2',
        'man/NOUN/nsubj/1 sits/VERB/ROOT/1/sit on/ADP/case/3 bench/NOUN/obl/1',
        {('man', 'sit on', 'bench')}, set()),
    'passive': (
        'star/NOUN/nsubjpass/2 is/AUX/auxpass/2/be pushed/VERB/ROOT/2/push by/ADP/agent/2 '
        'box/NOUN/pobj/3',
        'star/NOUN/nsubj:pass/2 is/AUX/aux:pass/2/be pushed/VERB/ROOT/2/push by/ADP/case/4 '
        'box/NOUN/obl:agent/2', {('box', 'push', 'star')}, set()),
    'adjective predicate': (
        'sky/NOUN/nsubj/1 is/AUX/ROOT/1/be blue/ADJ/acomp/1',
        'sky/NOUN/nsubj/2 is/AUX/cop/2/be blue/ADJ/ROOT/2', set(), {('sky', 'blue')}),
    'place predicate': (
        'cat/NOUN/nsubj/1 is/AUX/ROOT/1/be on/ADP/prep/1 the/DET/det/4 mat/NOUN/pobj/2',
        'cat/NOUN/nsubj/4 is/AUX/cop/4/be on/ADP/case/4 the/DET/det/4 mat/NOUN/ROOT/4',
        {('cat', 'on', 'mat')}, set()),
    'object and noun phrase': (
        'girl/NOUN/nsubj/1 holds/VERB/ROOT/1/hold red/ADJ/amod/3 cup/NOUN/dobj/1 of/ADP/prep/3 '
        'tea/NOUN/pobj/4',
        'girl/NOUN/nsubj/1 holds/VERB/ROOT/1/hold red/ADJ/amod/3 cup/NOUN/obj/1 of/ADP/case/5 '
        'tea/NOUN/nmod/3', {('girl', 'hold', 'cup'), ('cup', 'of', 'tea')}, {('cup', 'red')}),
    'relative clause': (
        'man/NOUN/ROOT/0 who/PRON/nsubj/2 runs/VERB/relcl/0/run',
        'man/NOUN/ROOT/0 who/PRON/nsubj/2 runs/VERB/acl:relcl/0/run',
        {('man', 'run', None)}, set()),
    'possession': (
        "man/NOUN/poss/2 's/PART/case/0 hat/NOUN/ROOT/2",
        "man/NOUN/nmod:poss/2 's/PART/case/0 hat/NOUN/ROOT/2", {('man', 'have', 'hat')}, set()),
}


@pytest.mark.parametrize('name', PAIRS)
@pytest.mark.parametrize('scheme', [0, 1], ids=['clearnlp', 'ud'])
def test_both_label_sets_give_the_graph(name, scheme):
    triples, attributes = _triples(PAIRS[name][scheme])
    assert (triples, attributes) == PAIRS[name][2:]


def test_long_preposition_becomes_case():
    tree, _ = _tree('cat/NOUN/ROOT/0 on/ADP/case/3 left/ADJ/amod/3 side/NOUN/nmod/0 '
                    'of/ADP/case/6 the/DET/det/6 road/NOUN/nmod/3')
    collapse_prepositions(tree)
    assert tree[6].head == 0 and tree[6].dep == 'nmod'
    assert [tree[i].low for i in case_words(tree, 6)] == ['on', 'left', 'side', 'of']


def test_long_preposition_as_root():
    tree, text = _tree('rock/NOUN/nsubj/3 is/AUX/cop/3/be in/ADP/case/3 front/NOUN/ROOT/3 '
                       'of/ADP/case/5 giraffe/NOUN/nmod/3')
    graph = build_graph(tree, draft_of(tree), text, '')
    assert [tuple(graph.nodes[i].label for i in t) for t in graph.triples()] == [
        ('rock', 'in front of', 'giraffe')]


def test_any_tree_gives_a_valid_graph():
    """Random words under random trees of random labels: rules must not loop or raise."""
    words = [
        'in', 'front', 'of', 'on', 'the', 'left', 'side', 'red', 'man', 'is', 'that', 'who',
        'by', 'and', 'two', 'hit', 'left', 'to', 'top']
    deps = [
        'nsubj', 'obj', 'obl', 'nmod', 'case', 'amod', 'acl', 'acl:relcl', 'conj', 'cc', 'cop',
        'xcomp', 'advcl', 'advmod', 'compound', 'nmod:poss', 'nummod', 'aux:pass', 'obl:agent',
        'appos', 'det', 'prep', 'pobj', 'dobj', 'attr']
    tags = ['NOUN', 'VERB', 'ADJ', 'ADP', 'PRON', 'AUX', 'ADV', 'NUM', 'DET', 'CCONJ']
    rng = random.Random(3)
    for _ in range(1500):
        n = rng.randint(1, 14)
        order = rng.sample(range(n), n)
        tokens, position = [], 0
        for i in range(n):
            word = rng.choice(words)
            rank = order.index(i)
            head = i if rank == 0 else order[rng.randrange(rank)]
            tokens.append(Token(i, word, word, word, rng.choice(tags),
                                'ROOT' if head == i else rng.choice(deps), head, position,
                                position + len(word), rng.choice(['', 'past', 'ing', 'fin'])))
            position += len(word) + 1
        text = ' '.join(t.text for t in tokens)
        graph_of_tree(Tree(tokens, text), text).validate()

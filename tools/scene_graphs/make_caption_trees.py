"""Caption trees to train the text parser on, besides the treebank.

Two sources. (1) Silver: captions of FACTUAL's train split, parsed by an earlier pipeline as they
are, with a full stop, and inside "There is ... ."; the parse whose relations join the same things
as the gold graph is kept, captions with none are left out. (2) Motion sentences with exact trees
from ``motion_grammar.py``.

    python tools/scene_graphs/make_caption_trees.py --gold FACTUAL/random/train.csv \
        --pipeline work_dirs/text --out work_dirs/captions.conllu
"""

import argparse
import random
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from motion_grammar import motion_sentence

from finsta.parsing.text.conllu import Sentence, write_conllu
from finsta.parsing.text.conventions import Conventions
from finsta.parsing.text.factual import read_line, tuples_of
from finsta.parsing.text.pipeline import load_pipeline
from finsta.parsing.text.rule_parser import graph_of_tree
from finsta.parsing.text.trees import from_doc
from finsta.utils.annotation_files import read_csv
from finsta.utils.errors import add_debug_argument, errors_in_sentences


def variants(caption: str) -> list[tuple[str, int, int]]:
    """(text, words in front, words behind) under which a caption is parsed."""
    body = caption.rstrip(' .')
    article = '' if body.split(' ')[0] in ('a', 'an', 'the', 'two', 'three', 'some') else 'the '
    return [(caption, 0, 0), (body + ' .', 0, 1),
            ('There is ' + body + ' .', 2, 1),
            (f'This is {article}{body} .', 2 + bool(article), 1),
            (f'{article.capitalize()}{body} .' if article else body.capitalize() + ' .',
             bool(article), 1), (f'I see {article}{body} .', 2 + bool(article), 1)]


def cut(doc, front: int, behind: int, own: int) -> Sentence | None:
    """The tree of the inner words; None when they do not form one tree."""
    if len(doc) - front - behind != own:
        return None
    inner = range(front, len(doc) - behind)
    tops = [i for i in inner if doc[i].head.i == i or doc[i].head.i not in inner]
    roots = [i for i in tops if doc[i].dep_ != 'punct']
    if len(roots) != 1:
        return None
    root = roots[0]
    heads, deps = [], []
    for i in inner:
        outside = i in tops
        heads.append((root if outside else doc[i].head.i) - front)
        deps.append('ROOT' if i == root else doc[i].dep_)
    tokens = [doc[i] for i in inner]
    return Sentence([t.text for t in tokens], [bool(t.whitespace_) for t in tokens],
                    [t.lemma_ for t in tokens], [t.pos_ for t in tokens],
                    [str(t.morph) for t in tokens], heads, deps)


def signature(tuples: list[tuple[str, ...]]) -> Counter:
    """What must agree: who is joined with whom (last words), and who has which attribute."""
    out: Counter = Counter()
    for t in tuples:
        out[t[0].split()[-1]] = 1
        if len(t) == 3:
            if t[1] != 'is':
                out[t[2].split()[-1]] = 1
            out[frozenset((t[0].split()[-1], t[2].split()[-1])), t[1] == 'is'] = 1
    return out


def agreement(ours: Counter, gold: Counter) -> float:
    """F1 of two signatures."""
    both = sum((ours & gold).values())
    total = sum(ours.values()) + sum(gold.values())
    return 2 * both / total if total else 0.0


def silver(nlp, captions: list[str], golds: list[str], conventions: Conventions | None,
           least: float) -> list[Sentence]:
    """The best tree of every caption that has one that agrees with its gold graph."""
    from spacy.tokens import Doc
    texts = [variants(c) for c in captions]
    found: list[Sentence] = []
    flat = [(row, v) for row, vs in enumerate(texts) for v in vs]
    best: dict[int, tuple[float, Sentence]] = {}
    docs = nlp.pipe([v[0] for _, v in flat], batch_size=512)
    own = [len(nlp.make_doc(c.rstrip(' .'))) for c in captions]
    for (row, (text, front, behind)), doc in zip(flat, docs, strict=True):
        plain = text == captions[row]
        sentence = cut(doc, front, behind, len(doc) if plain else own[row])
        if sentence is None:
            continue
        inner = Doc(nlp.vocab, words=sentence.words, spaces=sentence.spaces, pos=sentence.pos,
                    morphs=sentence.morphs, heads=sentence.heads, deps=sentence.deps,
                    lemmas=sentence.lemmas)
        graph = graph_of_tree(from_doc(inner), sentence.text, conventions)
        value = agreement(signature(tuples_of(graph)), signature(read_line(golds[row])))
        if value > best.get(row, (0.0,))[0] + (0 if plain else 1e-6):
            best[row] = (value, sentence)
        if row % 1000 == 0:
            print(f'\r{row}/{len(captions)} captions', end='', flush=True)
    found = [sentence for value, sentence in best.values() if value >= least]
    print(f'\r{len(found)} of {len(captions)} captions have an agreeing tree; '
          f'{sum(v >= 0.999 for v, _ in best.values())} agree fully')
    return found


def main(argv: list[str] | None = None) -> None:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--gold', type=Path, required=True, help='CSV: caption, scene_graph')
    parser.add_argument('--rows', type=int, nargs=2, default=[2000, 40000],
                        help='rows to learn from; the others stay for tuning')
    parser.add_argument('--pipeline', required=True, help='an earlier pipeline')
    parser.add_argument('--conventions', help='conventions JSON used while comparing')
    parser.add_argument('--least', type=float, default=0.99, help='least agreement (F1)')
    parser.add_argument('--keep', type=int, default=12000, help='at most so many silver trees')
    parser.add_argument('--motion', type=int, default=2500, help='motion sentences')
    parser.add_argument('--seed', type=int, default=0,
                        help='of what is drawn (default: %(default)s)')
    parser.add_argument('--out', type=Path, required=True, help='CoNLL-U file of the silver trees')
    add_debug_argument(parser)
    args = parser.parse_args(argv)
    with errors_in_sentences(args.debug):
        run(args)


def run(args: argparse.Namespace) -> None:
    """Silver trees, motion sentences, the file."""
    rows = list(read_csv(args.gold, ['caption', 'scene_graph']))[slice(*args.rows)]
    if not rows:
        raise ValueError(f'{args.gold} has no row in --rows {args.rows[0]} {args.rows[1]}')
    rng = random.Random(args.seed)
    rng.shuffle(rows)
    conventions = Conventions.load(args.conventions) if args.conventions else None
    trees = silver(load_pipeline(args.pipeline, captions=True), [r['caption'] for r in rows],
                   [r['scene_graph'] for r in rows], conventions, args.least)[:args.keep]
    trees += [motion_sentence(rng) for _ in range(args.motion)]
    args.out.parent.mkdir(parents=True, exist_ok=True)
    write_conllu(args.out, trees)
    print(f'{len(trees)} trees, {sum(len(t.words) for t in trees)} words -> {args.out}')


if __name__ == '__main__':
    main()

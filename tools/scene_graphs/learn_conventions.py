"""Learn FACTUAL's conventions from its train split: ``factual_conventions.json``.

Every modifier and every relation that the rules find in a caption is compared with the gold
graph; what the annotator did there is a class, and a log-linear model learns to predict it from
the words. Deterministic: full passes in a fixed order, weights rounded.

    python tools/scene_graphs/learn_conventions.py --gold FACTUAL/random/train.csv
"""

import argparse
import json
import sys
from collections import Counter, defaultdict
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from finsta.parsing.text.build import build_graph
from finsta.parsing.text.conventions import (
    FACTUAL,
    Conventions,
    modifier_features,
    parts_of,
    premodifiers,
    relation_features,
)
from finsta.parsing.text.factual import read_line, tuples_of
from finsta.parsing.text.loglinear import LogLinear
from finsta.parsing.text.pipeline import load_pipeline
from finsta.parsing.text.rule_parser import draft_of
from finsta.parsing.text.trees import from_doc
from finsta.parsing.text.words import NUMBERS
from finsta.utils.annotation_files import read_csv
from finsta.utils.arguments import positive
from finsta.utils.errors import add_debug_argument, errors_in_sentences

Site = tuple[list[str], str]


class Gold:
    """A gold graph, indexed by what the comparison asks for."""

    def __init__(self, line: str) -> None:
        self.tuples = read_line(line)
        self.attributes: dict[str, list[str]] = defaultdict(list)
        self.relations: dict[tuple[str, str], list[str]] = defaultdict(list)
        self.objects: dict[str, str] = {}
        for t in self.tuples:
            self.objects.setdefault(t[0].split()[-1], t[0])
            if len(t) == 3 and t[1] == 'is':
                self.attributes[t[0]].append(t[2])
            elif len(t) == 3:
                self.objects.setdefault(t[2].split()[-1], t[2])
                self.relations[t[0].split()[-1], t[2].split()[-1]].append(t[1])


def modifier_class(word: str, name: str, gold: Gold, renamed: Counter) -> str:
    """What the annotator did with one word in front of the noun of gold object ``name``."""
    said = gold.attributes[name]
    if word in name.split()[:-1]:
        return 'JOIN'
    if any(a.split()[-1] == word or a == NUMBERS.get(word) for a in said):
        renamed[word, word] += 1
        return 'ATTR'
    if any(word in a.split()[:-1] for a in said):
        return 'PRE'
    if 'have' in gold.relations.get((word, name.split()[-1]), ()):
        return 'HAVE'
    close = [a for a in said if len(word) > 2 and a[:3] == word[:3]]
    if close:
        renamed[word, close[0]] += 1
        return 'ATTR'
    return 'DROP'


def modifier_sites(tree, draft, gold: Gold, renamed: Counter) -> list[Site]:
    """(features, class) of every word in front of a noun that the gold graph has."""
    sites = []
    for mention in draft.mentions.values():
        name = gold.objects.get(tree[mention.head].low)
        if mention.pronoun or name is None:
            continue
        after = 'HEAD'
        for position, index in enumerate(reversed(premodifiers(tree, mention))):
            features = modifier_features(tree, mention.head, index, position, after)
            after = modifier_class(tree[index].low, name, gold, renamed)
            sites.append((features, after))
    return sites


def count_measures(tree, draft, gold: Gold, renamed: Counter) -> None:
    """What became of "group of" in front of a noun: "group of", "group" or nothing."""
    for mention in draft.mentions.values():
        name = gold.objects.get(tree[mention.head].low)
        for phrase in mention.attributes if name else ():
            if phrase.label.endswith(' of'):
                said = gold.attributes[name]
                bare = phrase.label[:-3]
                renamed[phrase.label, next(
                    (x for x in (phrase.label, bare) if x in said), '')] += 1


def relation_class(tree, relation, gold: Gold) -> str | None:
    """What became of a relation of the rules in the gold graph; None when it cannot be told."""
    verb, prep = parts_of(relation)
    s, o = tree[relation.subject].low, tree[relation.object].low
    forward, backward = gold.relations.get((s, o), []), gold.relations.get((o, s), [])
    if relation.label in forward:
        return 'SAME'
    for label in forward:
        if prep and verb and label == prep:
            return 'PREP'
        if verb and prep and label == verb:
            return 'VERB'
        return f'L:{label}'
    if backward:
        return f'REV:{backward[0]}'
    there_s, there_o = s in gold.objects, o in gold.objects
    if there_o and s in ' '.join(gold.attributes[gold.objects[o]]).split():
        return 'MEAS'
    if there_s and there_o:
        return 'NONE'
    return 'DROPOBJ' if there_s else None


def collect(nlp, rows: list[dict]):
    """Training sites of both models and the tables' counts."""
    sites: dict[str, list[Site]] = {'modifiers': [], 'relations': []}
    renamed: Counter = Counter()
    docs = nlp.pipe([r['caption'] for r in rows], batch_size=512)
    for number, (row, doc) in enumerate(zip(rows, docs, strict=True)):
        gold, tree = Gold(row['scene_graph']), from_doc(doc)
        draft = draft_of(tree)
        sites['modifiers'] += modifier_sites(tree, draft, gold, renamed)
        count_measures(tree, draft, gold, renamed)
        for relation in draft.relations:
            if relation.subject is None or relation.object is None:
                continue
            choice = relation_class(tree, relation, gold)
            if choice is not None:
                sites['relations'].append((relation_features(tree, draft, relation), choice))
        if number % 2000 == 0:
            print(f'\r{number}/{len(rows)} captions', end='', flush=True)
    print()
    return sites, renamed


def fit(sites: list[Site], least_class: int, least_feature: int, epochs: int,
        decay: float) -> LogLinear:
    """Multinomial logistic regression by Adam; rare classes are left out, small weights cut."""
    sizes = Counter(c for _, c in sites)
    classes = [c for c, n in sizes.most_common() if n >= least_class]
    seen = Counter(f for features, _ in sites for f in features)
    names = [f for f, n in sorted(seen.items()) if n >= least_feature]
    ids = {f: i for i, f in enumerate(names)}
    rows = [([ids[f] for f in features if f in ids], classes.index(c))
            for features, c in sites if c in classes]
    torch.manual_seed(0)
    weight = torch.nn.EmbeddingBag(len(names), len(classes), mode='sum')
    torch.nn.init.zeros_(weight.weight)
    bias = torch.nn.Parameter(torch.zeros(len(classes)))
    optimiser = torch.optim.AdamW([*weight.parameters(), bias], lr=0.02, weight_decay=decay)
    for _ in range(epochs):
        order = torch.randperm(len(rows)).tolist()
        total = 0.0
        for start in range(0, len(order), 1024):
            batch = [rows[i] for i in order[start:start + 1024]]
            flat = torch.tensor([f for features, _ in batch for f in features])
            lengths = torch.tensor([0] + [len(features) for features, _ in batch[:-1]])
            scores = weight(flat, lengths.cumsum(0)) + bias
            loss = torch.nn.functional.cross_entropy(scores, torch.tensor([c for _, c in batch]))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += loss.item() * len(batch)
    print(f'{len(rows)} sites, {len(classes)} classes, {len(names)} features, '
          f'loss {total / len(rows):.3f}')
    table = {}
    for name, row in zip(names, weight.weight.detach().tolist(), strict=True):
        kept = [(c, w) for c, w in enumerate(row) if abs(w) >= 0.15]
        if kept:
            table[name] = kept
    return LogLinear(classes, [round(b, 2) for b in bias.tolist()], table)


def majority(counts: Counter, least: int, share: float = 0.5) -> dict[str, str]:
    """word -> what it most often becomes, where that is something else and seen often enough."""
    by_word: dict[str, Counter] = defaultdict(Counter)
    for (word, name), n in counts.items():
        by_word[word][name] += n
    out = {}
    for word, names in sorted(by_word.items()):
        best, n = names.most_common(1)[0]
        if best != word and n >= least and n > share * sum(names.values()):
            out[word] = best
    return out


def rename_tables(nlp, rows: list[dict], model: Conventions, least: int) -> None:
    """Fill the object and predicate tables from captions where one name differs from gold."""
    objects, predicates = Counter(), Counter()
    for row, doc in zip(rows, nlp.pipe([r['caption'] for r in rows], batch_size=512),
                        strict=True):
        tree = from_doc(doc)
        draft = draft_of(tree)
        model.apply(tree, draft)
        ours = tuples_of(build_graph(tree, draft, doc.text, ''))
        gold = read_line(row['scene_graph'])
        mine, theirs = ({x for t in ts for x in (t[0], *t[2:][:len(t) == 3 and t[1] != 'is'])}
                        for ts in (ours, gold))
        for name in mine & theirs:
            objects[name, name] += 1
        only, missing = mine - theirs, theirs - mine
        if len(only) == len(missing) == 1:
            objects[only.pop(), missing.pop()] += 1
        labels = {(t[0], t[2]): t[1] for t in gold if len(t) == 3 and t[1] != 'is'}
        for t in ours:
            if len(t) == 3 and t[1] != 'is' and (t[0], t[2]) in labels:
                predicates[t[1], labels[t[0], t[2]]] += 1
    model.objects = majority(objects, least, 0.7)
    model.predicates = majority(predicates, least, 0.7)


def main(argv: list[str] | None = None) -> None:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--gold', type=Path, required=True, help='CSV: caption, scene_graph')
    parser.add_argument('--rows', type=int, nargs=2, default=[2000, 40000],
                        help='rows to learn from; the others stay for tuning')
    parser.add_argument('--pipeline', default='builtin',
                        help='folder of a pipeline, or builtin, the shipped one')
    parser.add_argument('--out', type=Path, default=FACTUAL,
                        help='JSON file (default: the shipped one)')
    parser.add_argument('--epochs', type=positive, default=6,
                        help='passes over the captions (default: %(default)s)')
    parser.add_argument('--decay', type=float, default=0.5,
                        help='of the weights, against chance regularities (default: %(default)s)')
    add_debug_argument(parser)
    args = parser.parse_args(argv)
    with errors_in_sentences(args.debug):
        run(args)


def run(args: argparse.Namespace) -> None:
    """Learn, write, report."""
    torch.set_num_threads(1)
    rows = list(read_csv(args.gold, ['caption', 'scene_graph']))[slice(*args.rows)]
    if not rows:
        raise ValueError(f'{args.gold} has no row in --rows {args.rows[0]} {args.rows[1]}')
    nlp = load_pipeline(args.pipeline, captions=True)
    sites, renamed = collect(nlp, rows)
    model = Conventions(fit(sites['modifiers'], 20, 2, args.epochs, args.decay),
                        fit(sites['relations'], 25, 2, args.epochs, args.decay),
                        {}, majority(renamed, 5), {})
    rename_tables(nlp, rows, model, 6)
    data = {'source': 'Learned from FACTUAL train (MIT; captions: Visual Genome, CC BY 4.0) rows '
                      f'{args.rows[0]}:{args.rows[1]} by tools/scene_graphs/learn_conventions.py',
            'modifiers': model.modifiers.to_dict(), 'relations': model.relations.to_dict(),
            'objects': model.objects, 'attributes': model.attributes,
            'predicates': model.predicates}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(data, separators=(',', ':'), sort_keys=True) + '\n')
    print(f'{args.out}: {args.out.stat().st_size / 1e6:.2f} MB, {len(model.objects)} objects, '
          f'{len(model.attributes)} attributes, {len(model.predicates)} predicates renamed')


if __name__ == '__main__':
    main()

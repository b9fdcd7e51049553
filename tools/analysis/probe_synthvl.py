"""How far do shortcuts get on a data set of SynthVL: words alone, or one frame alone?

    python tools/analysis/probe_synthvl.py --data data/synthvl/msvd

Questions: a softmax regression on words and word pairs, trained on the training questions of the
folder and tested on its test questions, beside the most frequent answer of each kind. Minimal
pairs: whether the two captions of each pair of the folder are one bag of words; and a classifier
that sees the gold state of one random frame, on --pairs pairs a factor drawn with the folder's
seed (its own are the first of them), two thirds of which it is trained on. That classifier is
also run on pairs into which a leak was planted. No video is read. Ours.
"""

import argparse
import json
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from finsta.evaluation.metrics.base import write_json
from finsta.synthvl.minimal_pairs import FACTORS, Pair, make_pair
from finsta.synthvl.probes import single_frame_accuracy, text_only_accuracy
from finsta.synthvl.questions import Question
from finsta.synthvl.writing import Plan, planned_questions
from finsta.utils.errors import add_debug_argument, errors_in_sentences
from finsta.utils.provenance import provenance

PLANTED = 'order'


def read_plan(data: Path) -> Plan:
    """The plan that a generated folder was made with.

    Raises:
        FileNotFoundError, ValueError: it is none, or of another version of the world.
    """
    file = data / 'synthvl.json'
    if not file.is_file():
        raise FileNotFoundError(f'{file} does not exist: --data takes a folder that '
                                'tools/datasets/make_synthvl.py has finished')
    found = json.loads(file.read_text())['plan']
    version = found.pop('version')
    plan = Plan(**{k: tuple(v) if isinstance(v, list) else v for k, v in found.items()})
    if version != plan.to_dict()['version']:
        raise ValueError(f'{data} was made by version {version} of the world, this is '
                         f'{plan.to_dict()["version"]}: make it anew')
    return plan


def read_questions(data: Path, plan: Plan, split: str) -> list[Question]:
    """The folder's questions of a split, with their kinds, which its files do not tell.

    Raises:
        ValueError: the files hold other questions than their plan gives.
    """
    questions = planned_questions(plan, split)
    rows = json.loads((data / f'{split}_qa.json').read_text())
    if [(r['question'], r['answer']) for r in rows] != [
            (q.text.lower(), q.answer) for q in questions]:
        raise ValueError(f'{data / f"{split}_qa.json"} holds other questions than this version '
                         'of SynthVL draws for its plan: make the folder anew')
    return questions


def same_words(captions: list[str]) -> bool:
    """Whether two captions are one bag of words."""
    first, second = (Counter(c.lower().replace('.', '').replace(',', '').split())
                     for c in captions)
    return first == second


def plant(pair: Pair) -> Pair:
    """The same pair, with everything in the second video moved to the right."""
    second = pair.scenes[1]
    states = replace(second.states, x=second.states.x + 0.3)
    return replace(pair, scenes=(pair.scenes[0], second.replace(states=states)))


def probe_pairs(data: Path, plan: Plan, count: int, seed: int) -> tuple[dict, float]:
    """factor -> figures, and what the one-frame classifier makes of a planted leak."""
    from tqdm import tqdm
    held = json.loads((data / 'minimal_pairs.json').read_text())
    found, planted = {}, 0.0
    for factor in tqdm(FACTORS, desc='pairs', leave=False):
        own = [p['captions'] for p in held if p['factor'] == factor]
        pairs = [make_pair(factor, plan.seed, k) for k in range(count)]
        found[factor] = {
            'pairs': len(own), 'same_words': sum(map(same_words, own)),
            'one_frame': single_frame_accuracy(pairs, np.random.default_rng(seed))}
        if factor == PLANTED:
            planted = single_frame_accuracy([*map(plant, pairs)], np.random.default_rng(seed))
    return found, planted


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--data', type=Path, default=Path('data/synthvl/msvd'),
                        help='folder that make_synthvl.py wrote (default: %(default)s)')
    parser.add_argument('--pairs', type=int, default=240,
                        help='of each factor, for the one-frame probe (default: %(default)s)')
    parser.add_argument('--seed', type=int, default=0,
                        help='of the choice of frames (default: %(default)s)')
    parser.add_argument('--out', help='JSON file')
    add_debug_argument(parser)
    args = parser.parse_args(argv)
    with errors_in_sentences(args.debug):
        probe(args, provenance(__file__, argv))


def probe(args: argparse.Namespace, facts: dict) -> None:
    """The figures, printed and written."""
    plan = read_plan(args.data)
    train, test = (read_questions(args.data, plan, s) for s in ('train', 'test'))
    questions = {kind: asdict(leak) for kind, leak in text_only_accuracy(train, test).items()}
    pairs, planted = probe_pairs(args.data, plan, args.pairs, args.seed)
    for kind, row in questions.items():
        print(f'{kind:18} {row["count"]:5} questions: words {row["words"]:.3f}, most frequent '
              f'{row["majority"]:.3f}, chance {row["chance"]:.3f}')
    for factor, row in pairs.items():
        print(f'{factor:18} one frame {row["one_frame"]:.3f}, the same words in '
              f'{row["same_words"]} of {row["pairs"]}')
    print(f'a leak planted in {PLANTED}: {planted:.3f}')
    if args.out:
        write_json(args.out, dict(
            facts, data=f'{args.data}: SynthVL {plan.size}, {plan.layout} layout, seed '
            f'{plan.seed}; {len(train)} training questions', pairs_drawn=args.pairs,
            seed=args.seed, questions=questions, pairs=pairs,
            planted={'factor': PLANTED, 'one_frame': planted}))


if __name__ == '__main__':
    main()

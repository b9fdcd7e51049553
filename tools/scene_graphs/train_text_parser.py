"""Train the small English pipeline that ships in ``finsta/parsing/text/model``.

It downloads nothing: it reads a UD English treebank (CoNLL-U) and writes a spaCy 3.8 pipeline of
tok2vec, morphologizer, dependency parser and a rule lemmatizer whose tables are counted from the
same treebank. Sentences are also shown lower-cased and without their final full stop, because
captions look like that. ``--silver`` adds caption trees made by ``make_caption_trees.py``.

    python tools/scene_graphs/train_text_parser.py --treebank UD_English-EWT --out work_dirs/text
    python tools/scene_graphs/train_text_parser.py --treebank UD_English-EWT --evaluate builtin

``--tokenizer-of builtin --out DIR`` makes only the tokenizer anew, from the train split; the
network stays as it is.
"""

import argparse
import json
import platform
import random
import sys
import time
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from finsta.parsing.text.conllu import Sentence, read_conllu
from finsta.parsing.text.lemma_tables import build_lemma_tables
from finsta.parsing.text.pipeline import load_pipeline
from finsta.parsing.text.tokens import follow_treebank
from finsta.utils.arguments import positive
from finsta.utils.errors import add_debug_argument, errors_in_sentences
from finsta.utils.provenance import provenance

LICENCE_NOTE = ('Trained on UD_English-EWT (Universal Dependencies, English Web Treebank), '
                'licence CC BY-SA 4.0: https://creativecommons.org/licenses/by-sa/4.0/ . '
                'The trained weights are distributed under the same licence.')


def build_pipeline(width: int, depth: int, rows: list[int], hidden: int, seed: int):
    """An untrained pipeline; sizes in units of floats, ``rows`` per hash table."""
    import spacy
    from spacy.util import fix_random_seed
    fix_random_seed(seed)
    nlp = spacy.blank('en')
    attrs = ['NORM', 'PREFIX', 'SUFFIX', 'SHAPE']
    nlp.add_pipe('tok2vec', config={'model': {
        '@architectures': 'spacy.Tok2Vec.v2',
        'embed': {'@architectures': 'spacy.MultiHashEmbed.v2', 'width': width, 'attrs': attrs,
                  'rows': rows, 'include_static_vectors': False},
        'encode': {'@architectures': 'spacy.MaxoutWindowEncoder.v2', 'width': width,
                   'depth': depth, 'window_size': 1, 'maxout_pieces': 3}}})
    listener = {'@architectures': 'spacy.Tok2VecListener.v1', 'width': width, 'upstream': '*'}
    nlp.add_pipe('morphologizer', config={'model': {
        '@architectures': 'spacy.Tagger.v2', 'tok2vec': listener}})
    nlp.add_pipe('parser', config={
        'min_action_freq': 20, 'learn_tokens': False,
        'model': {'@architectures': 'spacy.TransitionBasedParser.v2', 'state_type': 'parser',
                  'extra_state_tokens': False, 'hidden_width': hidden, 'maxout_pieces': 2,
                  'use_upper': True, 'tok2vec': listener}})
    return nlp


def load_for_training(path: Path, seed: int):
    """A pipeline of this script, to go on from; its lemmatizer is made anew in the end.

    Raises:
        FileNotFoundError: there is none.
    """
    import spacy
    from spacy.util import fix_random_seed
    fix_random_seed(seed)
    try:
        nlp = spacy.load(path, exclude=['lemmatizer'])
    except OSError as error:
        raise FileNotFoundError(f'--init {path} is no pipeline of spaCy ({error})') from error
    nlp.resume_training()
    return nlp


def to_doc(vocab, sentence: Sentence):
    """One annotated spaCy Doc of one treebank sentence."""
    from spacy.tokens import Doc
    return Doc(vocab, words=sentence.words, spaces=sentence.spaces, pos=sentence.pos,
               morphs=sentence.morphs, heads=sentence.heads, deps=sentence.deps)


def augment(sentence: Sentence, rng: random.Random) -> Sentence:
    """Maybe lower-case a sentence and drop its final punctuation (captions look like that)."""
    if rng.random() < 0.3:
        sentence = sentence.lowered()
    if rng.random() < 0.25:
        sentence = sentence.without_final_punctuation()
    return sentence


def make_examples(nlp, sentences: list[Sentence]) -> list:
    """spaCy Examples on the treebank's own tokens (input Doc carries words only)."""
    from spacy.tokens import Doc
    from spacy.training import Example
    examples = []
    for sentence in sentences:
        words = Doc(nlp.vocab, words=sentence.words, spaces=sentence.spaces)
        examples.append(Example(words, to_doc(nlp.vocab, sentence)))
    return examples


def batches(sentences: list[Sentence], words_a_batch: int, rng: random.Random):
    """Batches of about ``words_a_batch`` words, similar lengths together, shuffled."""
    order = sorted(sentences, key=lambda s: len(s.words) + rng.random() * 6)
    chunks, chunk, size = [], [], 0
    for sentence in order:
        chunk.append(sentence)
        size += len(sentence.words)
        if size >= words_a_batch:
            chunks.append(chunk)
            chunk, size = [], 0
    if chunk:
        chunks.append(chunk)
    rng.shuffle(chunks)
    return chunks


def score(nlp, sentences: list[Sentence], raw_text: bool = False) -> dict:
    """UPOS accuracy, UAS and LAS without punctuation (spaCy's scorer), in percent."""
    from spacy.training import Example
    if raw_text:
        examples = [Example(nlp.make_doc(s.text), to_doc(nlp.vocab, s)) for s in sentences]
    else:
        examples = make_examples(nlp, sentences)
    scores = nlp.evaluate(examples)
    return {key: round(100 * scores[name], 2) for key, name in
            (('upos', 'pos_acc'), ('uas', 'dep_uas'), ('las', 'dep_las'))}


def learning_rate(step: int, total: int, peak: float) -> float:
    """Linear warm-up over 5 % of the steps, then linear decay to 2 % of the peak."""
    warm = max(1, total // 20)
    if step < warm:
        return peak * (step + 1) / warm
    return peak * max(0.02, 1 - (step - warm) / max(1, total - warm))


def train(nlp, args, corpora: dict) -> dict:
    """The loop: keeps the checkpoint with the best dev LAS in ``args.out``."""
    from thinc.api import Adam
    rng = random.Random(args.seed)
    if not args.init:
        nlp.initialize(lambda: make_examples(nlp, corpora['train'] + corpora['silver'][:2000]))
    sgd = Adam(args.lr, L2=0.01, grad_clip=1.0, use_averages=True, L2_is_weight_decay=True)
    words = sum(len(s.words) for s in corpora['silver']) + args.share * sum(
        len(s.words) for s in corpora['train'])
    per_epoch = max(1, round(words / args.batch_words))
    total, step, best = per_epoch * args.epochs, 0, {'las': -1.0}
    start = time.time()
    for epoch in range(min(args.epochs, args.stop_after or args.epochs)):
        part = rng.sample(corpora['train'], round(args.share * len(corpora['train'])))
        shown = [augment(s, rng) for s in part] + corpora['silver']
        losses: dict = {}
        for chunk in batches(shown, args.batch_words, rng):
            sgd.learn_rate = learning_rate(step, total, args.lr)
            nlp.update(make_examples(nlp, chunk), drop=args.dropout, sgd=sgd, losses=losses)
            step += 1
            if step % 50 == 0:
                done = step / total
                eta = (time.time() - start) * (1 - done) / done
                print(f'\r{step}/{total} steps, eta {eta:.0f} s', end='', flush=True)
        with nlp.use_params(sgd.averages):
            result = score(nlp, corpora['dev'])
            if result['las'] > best['las']:
                best = dict(result, epoch=epoch + 1)
                nlp.to_disk(args.out)
        print(f'\repoch {epoch + 1}/{args.epochs} {result} loss '
              f'{ {k: round(v) for k, v in losses.items()} } {time.time() - start:.0f} s',
              flush=True)
    return best


def repair_features(sentences: list[Sentence], like: list[Sentence]) -> list[Sentence]:
    """Give words whose features the treebank does not know the treebank's usual ones."""
    by_word: dict[tuple[str, str], Counter] = defaultdict(Counter)
    for s in like:
        for word, pos, morph in zip(s.words, s.pos, s.morphs, strict=True):
            by_word[word.lower(), pos][morph] += 1
            by_word['', pos][morph] += 1
    return [replace(s, morphs=[
        morph if morph in by_word['', pos] else
        (by_word.get((word.lower(), pos)) or by_word['', pos]).most_common(1)[0][0]
        for word, pos, morph in zip(s.words, s.pos, s.morphs, strict=True)]) for s in sentences]


def add_lemmatizer(nlp, corpora: dict) -> None:
    """spaCy's own rule lemmatizer, with tables counted from the treebank's train split."""
    from spacy.lookups import Lookups
    lookups = Lookups()
    for name, table in build_lemma_tables(corpora['train']).items():
        lookups.add_table(name, table)
    lemmatizer = nlp.add_pipe('lemmatizer', config={'mode': 'rule'})
    lemmatizer.initialize(lookups=lookups)


def lemma_accuracy(nlp, sentences: list[Sentence]) -> float:
    """Lemma accuracy in percent on lower-cased lemmas, gold tokens."""
    from spacy.tokens import Doc
    docs = nlp.pipe([Doc(nlp.vocab, words=s.words, spaces=s.spaces) for s in sentences])
    right = total = 0
    for doc, sentence in zip(docs, sentences, strict=True):
        right += sum(t.lemma_.lower() == gold.lower()
                     for t, gold in zip(doc, sentence.lemmas, strict=True))
        total += len(doc)
    return round(100 * right / total, 2)


def scores_of(nlp, corpora: dict) -> dict:
    """What is reported of a whole pipeline, in percent; test only where the file is there."""
    scores = {'dev': score(nlp, corpora['dev']), 'dev_raw_text': score(nlp, corpora['dev'], True),
              'dev_lemma': lemma_accuracy(nlp, corpora['dev'])}
    if corpora['test']:
        scores['test'] = score(nlp, corpora['test'])
        scores['test_raw_text'] = score(nlp, corpora['test'], True)
    return scores


def evaluate(args, corpora: dict) -> None:
    """Score a finished pipeline; nothing is trained."""
    facts = provenance(__file__)
    scores = scores_of(load_pipeline(args.evaluate), corpora)
    print(json.dumps(scores, indent=1))
    if args.json:
        args.json.write_text(json.dumps(dict(
            facts, pipeline=args.evaluate, scores=scores), indent=1) + '\n', encoding='utf-8')


def finish(nlp_path: Path, args, corpora: dict, best: dict) -> None:
    """Add the lemmatizer, score once more, and write the model with its provenance."""
    import spacy
    nlp = spacy.load(nlp_path)
    add_lemmatizer(nlp, corpora)
    follow_treebank(nlp, corpora['train'])
    scores = dict(scores_of(nlp, corpora), best_epoch=best.get('epoch'))
    nlp.meta.update(name='finsta_ud_ewt', version='1.0.0', license='CC BY-SA 4.0',
                    description='Small English UD pipeline for textual scene graphs.',
                    author='Finsta contributors', performance=scores)
    nlp.meta['finsta'] = {
        **nlp.meta['finsta'],
        'sources': [LICENCE_NOTE] + ([args.silver_note] if args.silver else []),
        'command': 'python tools/scene_graphs/train_text_parser.py ' + ' '.join(args.shown),
        'seed': args.seed, 'python': platform.python_version(), 'spacy': spacy.__version__}
    nlp.to_disk(nlp_path)
    size = sum(f.stat().st_size for f in nlp_path.rglob('*') if f.is_file())
    print(json.dumps(dict(scores, megabytes=round(size / 1e6, 2)), indent=1))


def renew_tokenizer(args, corpora: dict) -> None:
    """Only the tokenizer of a finished pipeline made anew, and its scores; nothing is trained."""
    nlp, saved = load_pipeline(args.tokenizer_of), load_pipeline(args.tokenizer_of)
    follow_treebank(nlp, corpora['train'])
    scores = scores_of(nlp, corpora)
    # the one that is saved has not read the treebank: its vocabulary gains the exceptions alone
    getattr(saved.tokenizer, 'inner', saved.tokenizer).from_bytes(
        nlp.tokenizer.to_bytes(exclude=['vocab']))
    saved.meta['performance'] = {**saved.meta.get('performance', {}), **scores}
    saved.meta['finsta'] = {
        **nlp.meta['finsta'], 'tokenizer_command':
        'python tools/scene_graphs/train_text_parser.py ' + ' '.join(args.shown)}
    saved.to_disk(args.out)
    print(json.dumps(scores, indent=1))


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--treebank', type=Path, required=True,
                        help='folder with en_ewt-ud-{train,dev,test}.conllu')
    parser.add_argument('--out', type=Path, help='folder of the new pipeline')
    parser.add_argument('--evaluate', metavar='PIPELINE', help='train nothing; score this '
                        "pipeline, a folder or 'builtin' (the shipped one)")
    parser.add_argument('--tokenizer-of', metavar='PIPELINE', help='train nothing; copy this '
                        'pipeline to --out with a new tokenizer')
    parser.add_argument('--json', type=Path, help='write the scores of --evaluate here')
    parser.add_argument('--silver', type=Path, help='extra training trees (CoNLL-U)')
    parser.add_argument('--init', type=Path, help='go on from this pipeline (sizes are its own)')
    parser.add_argument('--share', type=float, default=1.0,
                        help='share of the treebank shown in an epoch (all of --silver always is)')
    parser.add_argument('--silver-note', default='Silver caption trees derived from FACTUAL '
                        '(MIT) train captions (Visual Genome, CC BY 4.0).',
                        help="source and licence of --silver, for the pipeline's metadata")
    parser.add_argument('--epochs', type=positive, default=10,
                        help='passes over the training sentences (default: %(default)s)')
    parser.add_argument('--stop-after', type=positive, help='stop after this many of --epochs '
                        '(the learning rate still falls as for all of them)')
    parser.add_argument('--batch-words', type=positive, default=700,
                        help='words of a step, about (default: %(default)s)')
    parser.add_argument('--lr', type=float, default=0.002,
                        help='learning rate at its highest (default: %(default)s)')
    parser.add_argument('--dropout', type=float, default=0.15,
                        help='share of activations left out (default: %(default)s)')
    parser.add_argument('--width', type=positive, default=96,
                        help='of the word vectors (default: %(default)s)')
    parser.add_argument('--depth', type=positive, default=4,
                        help='layers of convolution (default: %(default)s)')
    parser.add_argument('--hidden', type=positive, default=96,
                        help='units of the parser (default: %(default)s)')
    parser.add_argument('--rows', type=int, nargs=4, default=[8000, 1000, 3000, 1500],
                        help='of the tables of word, prefix, suffix and shape')
    parser.add_argument('--limit', type=positive, help='use the first N training sentences only')
    parser.add_argument('--seed', type=int, default=0,
                        help='of what is drawn (default: %(default)s)')
    add_debug_argument(parser)
    args = parser.parse_args(argv)
    if args.tokenizer_of and (args.init or args.evaluate or args.silver):
        parser.error('--tokenizer-of trains and evaluates nothing else: leave out --init, '
                     '--evaluate and --silver')
    if bool(args.out) == bool(args.evaluate):
        parser.error('give either --out, the folder of a new pipeline, or --evaluate, a finished '
                     'one')
    args.shown = sys.argv[1:] if argv is None else list(argv)
    return args


def main(argv: list[str] | None = None) -> None:
    """Command line; see the module's docstring."""
    args = parse_args(argv)
    with errors_in_sentences(args.debug):
        run(args)


def run(args: argparse.Namespace) -> None:
    """Read, train, finish; or read and evaluate.

    Raises:
        FileNotFoundError: no treebank. ValueError: a file of it that is no CoNLL-U.
    """
    corpora = {}
    for split in ('train', 'dev', 'test'):
        path = args.treebank / f'en_ewt-ud-{split}.conllu'
        if not path.is_file() and split != 'test':
            raise FileNotFoundError(f'{path} is missing: put UD_English-EWT '
                                    '(https://universaldependencies.org) there or fix --treebank.')
        corpora[split] = read_conllu(path) if path.is_file() else []
    if args.evaluate:
        evaluate(args, corpora)
        return
    args.out.mkdir(parents=True, exist_ok=True)
    if args.tokenizer_of:
        renew_tokenizer(args, corpora)
        return
    corpora['train'] = corpora['train'][:args.limit]
    corpora['silver'] = (repair_features(read_conllu(args.silver), corpora['train'])
                         if args.silver else [])
    print({name: len(sentences) for name, sentences in corpora.items()})
    nlp = (load_for_training(args.init, args.seed) if args.init else
           build_pipeline(args.width, args.depth, args.rows, args.hidden, args.seed))
    best = train(nlp, args, corpora)
    finish(args.out, args, corpora, best)


if __name__ == '__main__':
    main()

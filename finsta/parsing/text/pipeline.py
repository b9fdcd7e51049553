"""Loading the spaCy pipeline that the rules read trees from."""

from pathlib import Path

from finsta.parsing.text.tokens import CONVENTION, InContext, keep_hyphens
from finsta.utils.optional import require

BUILTIN = Path(__file__).parent / 'model'
_NEEDED = ('parser',)
_UNUSED = ('ner', 'senter', 'entity_linker')


def load_pipeline(name: str = 'builtin', captions: bool = False):
    """A spaCy pipeline with a dependency parser, a lemmatizer and parts of speech.

    Args:
        name: ``'builtin'`` (shipped with the package), an installed package such as
            ``'en_core_web_sm'``, or the path of a pipeline folder.
        captions: leave words with hyphens whole ("t-shirt"), which the treebank, and so a
            pipeline that was trained on it, cuts into three.

    Raises:
        ImportError: spaCy is not installed.
        FileNotFoundError: the pipeline does not exist, with what to do about it.
        ValueError: the pipeline has no dependency parser.
    """
    spacy = require('spacy', 'RuleTextParser')
    path = BUILTIN if name == 'builtin' else name
    if name == 'builtin' and not (BUILTIN / 'config.cfg').is_file():
        raise FileNotFoundError(f'{BUILTIN} holds no pipeline: train it with '
                                'tools/scene_graphs/train_text_parser.py --out '
                                'finsta/parsing/text/model')
    try:
        nlp = spacy.load(path, exclude=list(_UNUSED))
    except OSError as error:
        raise FileNotFoundError(
            f'spaCy finds no pipeline {name!r} ({error}). Use pipeline="builtin", the path of a '
            f'pipeline folder, or install it: python -m spacy download {name}') from error
    missing = [part for part in _NEEDED if part not in nlp.pipe_names]
    if missing:
        raise ValueError(f'pipeline {name!r} has no {missing[0]!r}; it has {nlp.pipe_names}')
    if nlp.meta.get('finsta', {}).get('tokens') == CONVENTION:
        nlp.tokenizer = InContext(nlp.tokenizer)
        if captions:
            keep_hyphens(nlp)
    return nlp

"""Tokenisers that need no download, and one way to read any fast tokeniser.

A tiny WordPiece tokeniser is built from a word list: special tokens, every printable ASCII
character, frequent pieces of the listed words, and the listed words whole, so that every English
word has a spelling. Ours; the file format is transformers' own, a folder that
``AutoTokenizer.from_pretrained`` reads.

Shapes: B texts, L tokens of the longest.
"""

import os
import string
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from finsta.utils.optional import require
from finsta.utils.text import well_formed

from .loading import hub_errors

# ids 0..6; [CLS] is also bos, [SEP] also eos. CLIP in transformers pools at the first eos token
# unless its id is 2, hence [SEP] must not be 2.
SPECIAL_TOKENS = ('[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', '<video>', '<image>')
TINY_TOKENIZER = Path(__file__).parent / 'assets' / 'tiny_tokenizer'


def learn_pieces(words: Iterable[str], size: int, longest: int = 4) -> list[str]:
    """The ``size`` most frequent beginnings (``re``) and continuations (``##ing``) of words.

    Pieces have 2..``longest`` characters; ties go alphabetically. The ``tokenizers`` package has a
    WordPiece trainer, but its result differs from run to run when counts tie (seen with 0.23.3:
    2017 and 2016 entries from one word list), and ids must not move under shipped weights.
    """
    counts: Counter[str] = Counter()
    for word in sorted(set(words)):
        for start in range(len(word)):
            for length in range(2, longest + 1):
                if start + length <= len(word):
                    piece = word[start:start + length]
                    counts[('##' if start else '') + piece] += 1
    return sorted(counts, key=lambda piece: (-counts[piece], piece))[:size]


def build_wordpiece(words: Iterable[str], num_pieces: int = 700,
                    extra_tokens: Sequence[str] = ()) -> Any:
    """A lower-casing WordPiece tokeniser (``transformers.PreTrainedTokenizerFast``).

    Args:
        words: words that become one token each; order decides their ids.
        num_pieces: frequent pieces beside the characters and the words.
        extra_tokens: more special tokens after ``SPECIAL_TOKENS``.

    Raises:
        ValueError: for an empty word list.
    """
    tokenizers = require('tokenizers', 'building a tokeniser')
    transformers = require('transformers', 'building a tokeniser')
    words = [w for w in dict.fromkeys(w.lower() for w in words) if w]
    if not words:
        raise ValueError('a tokeniser needs at least one word, got an empty word list')
    special = [*SPECIAL_TOKENS, *extra_tokens]
    characters = [c for c in string.printable if not c.isspace() and not c.isupper()]
    pieces = [*characters, *('##' + c for c in characters), *learn_pieces(words, num_pieces)]
    order = dict.fromkeys([*special, *pieces, *(w for w in words if "'" not in w)])
    vocab = {token: i for i, token in enumerate(order)}
    model = tokenizers.Tokenizer(tokenizers.models.WordPiece(vocab=vocab, unk_token='[UNK]'))
    model.normalizer = tokenizers.normalizers.BertNormalizer(lowercase=True)
    model.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    model.decoder = tokenizers.decoders.WordPiece(prefix='##')
    model.post_processor = tokenizers.processors.TemplateProcessing(
        single='[CLS] $A [SEP]', pair='[CLS] $A [SEP] $B:1 [SEP]:1',
        special_tokens=[('[CLS]', vocab['[CLS]']), ('[SEP]', vocab['[SEP]'])])
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=model, pad_token='[PAD]', unk_token='[UNK]', cls_token='[CLS]',
        sep_token='[SEP]', mask_token='[MASK]', bos_token='[CLS]', eos_token='[SEP]',
        additional_special_tokens=[*SPECIAL_TOKENS[5:], *extra_tokens])


def save_tokenizer(tokenizer: Any, folder: str | os.PathLike) -> None:
    """Write ``tokenizer`` so that :func:`load_tokenizer` and AutoTokenizer read it."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    tokenizer.save_pretrained(str(folder))


def load_tokenizer(source: str | os.PathLike, key: str = 'tokenizer') -> Any:
    """A fast tokeniser from a folder, a hub name, or ``'tiny'`` (shipped, offline).

    Args:
        key: setting of the backbone that ``source`` came from, for the advice.

    Raises:
        FileNotFoundError: a name that is neither a folder nor reachable.
        TypeError: a tokeniser that has no character offsets.
    """
    transformers = require('transformers', 'loading a tokeniser')
    path = TINY_TOKENIZER if str(source) == 'tiny' else source
    if Path(path).is_dir() and not (Path(path) / 'tokenizer_config.json').is_file() and not (
            Path(path) / 'tokenizer.json').is_file():
        raise FileNotFoundError(f'{path} holds no tokenizer.json; write one with save_tokenizer '
                                'or point to a folder of transformers')
    with hub_errors(str(path), key):
        tokenizer = transformers.AutoTokenizer.from_pretrained(str(path))
    if not tokenizer.is_fast:
        raise TypeError(f'{source!r} is a slow tokeniser without character offsets; '
                        'a tokenizer.json is needed')
    return tokenizer


def encode_batch(tokenizer: Any, texts: Sequence[str], max_length: int,
                 device: torch.device | str = 'cpu',
                 special_tokens: bool = True) -> dict[str, Tensor]:
    """Texts -> right-padded ids, with the tokeniser's own special tokens or without.

    Returns:
        input_ids (B, L) long, attention_mask (B, L) bool with True = a token, offsets (B, L, 2)
        long characters [start, end) of each token, (0, 0) for special and padding tokens. Longer
        texts are cut to ``max_length`` tokens, the closing special token included.

    Raises:
        TypeError: when ``texts`` is one string, or holds something that is not a string.
    """
    if isinstance(texts, str):
        raise TypeError('tokenize takes a list of strings, got one string; wrap it in a list')
    for text in texts:
        if not isinstance(text, str):
            raise TypeError(f'a text must be a string, got {type(text).__name__}: {text!r}')
    if not texts:
        empty = torch.zeros(0, 0, dtype=torch.long, device=device)
        return dict(input_ids=empty, attention_mask=empty.bool(),
                    offsets=torch.zeros(0, 0, 2, dtype=torch.long, device=device))
    # a text that spells a special token, e.g. '<video>', is text
    out = tokenizer([well_formed(text) for text in texts], padding=True, truncation=True,
                    max_length=max_length, padding_side='right', split_special_tokens=True,
                    add_special_tokens=special_tokens,
                    return_offsets_mapping=True, return_special_tokens_mask=True,
                    return_tensors='pt')
    special = out['special_tokens_mask'].bool()
    # a batch without any token comes back without its last axis, and as float
    offsets = out['offset_mapping'].long().view(*special.shape, 2)
    offsets = offsets.masked_fill(special.unsqueeze(-1), 0)
    return dict(input_ids=out['input_ids'].long().to(device),
                attention_mask=out['attention_mask'].bool().to(device),
                offsets=offsets.to(device))


def encode_with_ends(tokenizer: Any, texts: Sequence[str], max_length: int,
                     device: torch.device | str = 'cpu') -> dict[str, Tensor]:
    """As :func:`encode_batch`, with exactly one BOS before and one EOS after each text, whatever
    the tokeniser's own template does (LLaMA's has no EOS)."""
    inner = encode_batch(tokenizer, texts, max_length - 2, device, special_tokens=False)
    n = len(inner['input_ids'])
    ids = F.pad(inner['input_ids'].long(), (1, 1), value=tokenizer.pad_token_id)
    mask = F.pad(inner['attention_mask'], (1, 1), value=False)
    ids[:, 0] = tokenizer.bos_token_id
    end = inner['attention_mask'].sum(1) + 1
    rows = torch.arange(n, device=ids.device)
    ids[rows, end] = tokenizer.eos_token_id
    mask[:, 0] = True
    mask[rows, end] = True
    return dict(input_ids=ids, attention_mask=mask, offsets=F.pad(inner['offsets'],
                                                                  (0, 0, 1, 1)))


def read_word_list(path: str | os.PathLike) -> list[str]:
    """Blank-separated words of a text file; lines that begin with ``#`` are comments.

    Raises:
        ValueError: when it is not UTF-8.
    """
    try:
        lines = Path(path).read_text(encoding='utf-8').splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f'{path}: a word list must be UTF-8 text ({error})') from error
    return [w for line in lines if not line.startswith('#') for w in line.split()]

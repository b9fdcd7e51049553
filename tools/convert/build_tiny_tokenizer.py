"""Build the shipped tiny tokeniser from its word list.

    python tools/convert/build_tiny_tokenizer.py

The result is deterministic. Changing the words changes the ids, and with them every shipped tiny
checkpoint: the vocabulary is frozen, tests/models/backbones/test_tokenizers.py holds its hash.
"""

import argparse
from pathlib import Path

from finsta.models.backbones.tokenizers import (
    TINY_TOKENIZER,
    build_wordpiece,
    read_word_list,
    save_tokenizer,
)
from finsta.utils.arguments import positive
from finsta.utils.errors import add_debug_argument, errors_in_sentences


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--words', type=Path, default=Path(__file__).with_name(
        'tiny_tokenizer_words.txt'), help='word list, one token a word')
    parser.add_argument('--out', type=Path, default=TINY_TOKENIZER, help='folder to write')
    parser.add_argument('--num-pieces', type=positive, default=700, help='learnt pieces of words')
    add_debug_argument(parser)
    args = parser.parse_args(argv)
    with errors_in_sentences(args.debug):
        tokenizer = build_wordpiece(read_word_list(args.words), args.num_pieces)
        save_tokenizer(tokenizer, args.out)
    print(f'{len(tokenizer)} tokens written to {args.out}')


if __name__ == '__main__':
    main()

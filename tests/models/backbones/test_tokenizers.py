import hashlib

import pytest

from finsta.models.backbones.tokenizers import (
    SPECIAL_TOKENS,
    TINY_TOKENIZER,
    build_wordpiece,
    encode_batch,
    encode_with_ends,
    load_tokenizer,
    read_word_list,
    save_tokenizer,
)

# Shipped tiny weights hold one embedding row a token: a changed vocabulary makes them noise.
FROZEN = '717aea1c3877e2d393847d03ac5cfbb15120224dd12cab14ea18ad1c469cbf53'


def test_the_shipped_vocabulary_is_frozen():
    text = (TINY_TOKENIZER / 'tokenizer.json').read_bytes()
    assert hashlib.sha256(text).hexdigest() == FROZEN


def test_the_shipped_vocabulary_is_what_the_word_list_gives(repo_root):
    words = read_word_list(repo_root / 'tools/convert/tiny_tokenizer_words.txt')
    assert build_wordpiece(words).get_vocab() == load_tokenizer('tiny').get_vocab()


def test_special_ids():
    tokenizer = load_tokenizer('tiny')
    assert tokenizer.convert_tokens_to_ids(list(SPECIAL_TOKENS)) == list(range(7))
    # CLIP in transformers pools at the largest id when eos is 2
    assert tokenizer.eos_token_id == 3 and tokenizer.pad_token_id == 0


def test_any_ascii_word_has_a_spelling():
    tokenizer = load_tokenizer('tiny')
    ids = encode_batch(tokenizer, ['qzxjv!#~ O\'Neill 3.14 naïve'], 64)['input_ids'][0]
    assert tokenizer.unk_token_id not in ids.tolist()
    text = tokenizer.decode(ids, skip_special_tokens=True)
    assert text.startswith('qzxjv') and text.endswith('naive')


def test_save_and_load(tmp_path):
    tokenizer = build_wordpiece(['alpha', 'beta'], 10, extra_tokens=['<x>'])
    save_tokenizer(tokenizer, tmp_path / 'words')
    loaded = load_tokenizer(tmp_path / 'words')
    assert loaded.get_vocab() == tokenizer.get_vocab()
    assert loaded.tokenize('Alpha betas') == ['alpha', 'beta', '##s']


def test_special_tokens_in_a_text_are_text():
    tokenizer = load_tokenizer('tiny')
    ids = encode_batch(tokenizer, ['[SEP] <video> red'], 32)['input_ids'][0].tolist()
    assert ids.count(tokenizer.eos_token_id) == 1 and ids[-1] == tokenizer.eos_token_id
    assert tokenizer.convert_tokens_to_ids('<video>') not in ids


def test_half_an_emoji_is_a_question_mark():
    tokenizer = load_tokenizer('tiny')
    cut, plain = (encode_batch(tokenizer, [text], 32) for text in ('a dog \ud83d', 'a dog ?'))
    assert cut['input_ids'].equal(plain['input_ids'])
    assert cut['offsets'].equal(plain['offsets'])


def test_long_texts_keep_their_end_token():
    tokenizer = load_tokenizer('tiny')
    for encode in (encode_batch, encode_with_ends):
        out = encode(tokenizer, ['red ' * 500, 'red'], 16)
        assert out['input_ids'].shape == (2, 16)
        assert out['input_ids'][0, -1] == out['input_ids'][1, 2] == tokenizer.eos_token_id
        assert out['attention_mask'].sum(1).tolist() == [16, 3]
        assert out['offsets'][1, :4].tolist() == [[0, 0], [0, 3], [0, 0], [0, 0]]


@pytest.mark.parametrize('encode', [encode_batch, encode_with_ends])
def test_empty_texts(encode):
    out = encode(load_tokenizer('tiny'), ['', ''], 16)
    assert out['input_ids'].tolist() == [[2, 3], [2, 3]]


def test_wrong_inputs_are_named(tmp_path):
    tokenizer = load_tokenizer('tiny')
    with pytest.raises(TypeError, match='list of strings'):
        encode_batch(tokenizer, 'red', 16)
    with pytest.raises(TypeError, match='NoneType'):
        encode_batch(tokenizer, ['red', None], 16)
    with pytest.raises(ValueError, match='at least one word'):
        build_wordpiece([])
    with pytest.raises(FileNotFoundError, match=r'tokenizer\.json'):
        load_tokenizer(tmp_path)

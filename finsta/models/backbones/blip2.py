"""BLIP-2's frame tower and Q-Former as transformers builds them, from sizes or from weights, and
which of their settings say what they are. Ours.

A config of transformers also holds its own bookkeeping (version, dtype), which changes from one
release to the next; a saved backbone names sizes and behaviour only, each of them, so that a
default that changes there does not change the model.
"""

from collections.abc import Mapping
from typing import Any

from mmengine.logging import print_log
from torch import nn

from finsta.utils.optional import require

from .checkpoint import BOOKKEEPING
from .loading import load_hf

# settings that a saved backbone names
_SAVED = {
    'vision': ('hidden_size', 'intermediate_size', 'num_hidden_layers', 'num_attention_heads',
               'image_size', 'patch_size', 'hidden_act', 'layer_norm_eps', 'qkv_bias',
               'attention_dropout'),
    'text': ('vocab_size', 'pad_token_id', 'hidden_size', 'intermediate_size',
             'num_hidden_layers', 'num_attention_heads', 'max_position_embeddings',
             'cross_attention_frequency', 'hidden_act', 'layer_norm_eps', 'hidden_dropout_prob',
             'attention_probs_dropout_prob')}
# those of them that weights do not depend on, or whose size their shapes say
_FREE = {'attention_dropout', 'hidden_dropout_prob', 'attention_probs_dropout_prob', 'vocab_size',
         'pad_token_id'}


def part_config(part: str, settings: Mapping[str, Any], **defaults: Any) -> Any:
    """Blip2VisionConfig or Blip2QFormerConfig of ``settings`` over ``defaults``.

    Args:
        part: 'vision' or 'text'.

    Raises:
        ValueError: a setting that the class does not have.
    """
    transformers = require('transformers', 'the backbone STGT')
    known = dict(vision=transformers.Blip2VisionConfig, text=transformers.Blip2QFormerConfig)[part]
    # folders written by earlier versions hold bookkeeping too
    given = {k: v for k, v in settings.items()
             if k == 'initializer_range' or k not in BOOKKEEPING}
    plain = known()
    unknown = [k for k in given if not hasattr(plain, k)]
    if unknown:
        raise ValueError(f'{part} has no entries {unknown}; it takes those of '
                         f'{known.__name__}: {", ".join((*_SAVED[part], "initializer_range"))}')
    return known(**{**defaults, **given})


def saved_settings(part: str, config: Any) -> dict[str, Any]:
    """The sizes and behaviour of a config of transformers, all of them."""
    return {key: getattr(config, key) for key in _SAVED[part]}


def meaning(part: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What weights depend on, whether ``settings`` names it or leaves it at its default."""
    config = part_config(part, settings)
    return {k: v for k, v in saved_settings(part, config).items() if k not in _FREE}


def load_blip2(source: str, words: int, num_queries: int, embed_dim: int) -> nn.Module:
    """transformers' Blip2ForImageTextRetrieval from ``source``, its vocabulary cut or extended to
    the tokeniser's.

    Args:
        source: hub name or folder. words: tokens of the tokeniser.

    Raises:
        ValueError: another number of queries, another joint width.
        FileNotFoundError, CheckpointError: as :func:`load_hf`.
    """
    transformers = require('transformers', 'the backbone STGT')
    blip = load_hf(transformers.Blip2ForImageTextRetrieval, source, key='blip2_pretrained')
    found = (blip.config.num_query_tokens, blip.config.image_text_hidden_size)
    if found != (num_queries, embed_dim):
        raise ValueError(f'{source} has {found[0]} queries and embed_dim {found[1]}; set '
                         'num_queries and embed_dim to these')
    known = blip.embeddings.word_embeddings.num_embeddings
    if known != words:
        print_log(f'{source} knows {known} tokens, the tokeniser has {words}: the word embedding '
                  'is cut or extended to these', logger='current')
        blip.resize_token_embeddings(words)
        # transformers corrects the number in the config of the language model only
        blip.qformer.config.vocab_size = words
    return blip


def random_blip2(vision: Mapping[str, Any], text: Mapping[str, Any], words: int,
                 pad_token_id: int, num_queries: int, embed_dim: int) -> nn.Module:
    """Blip2ForImageTextRetrieval at the given sizes, random.

    Raises:
        ValueError: as :func:`part_config`.
    """
    transformers = require('transformers', 'the backbone STGT')
    vis = part_config('vision', vision, initializer_range=0.02)
    qformer = part_config('text', text, vocab_size=words, pad_token_id=pad_token_id)
    qformer.use_qformer_text_input, qformer.encoder_hidden_size = True, vis.hidden_size
    # a language model is demanded by the config class and never built by this model
    blip = transformers.Blip2ForImageTextRetrieval(transformers.Blip2Config(
        vision_config=vis.to_dict(), qformer_config=qformer.to_dict(),
        num_query_tokens=num_queries, image_text_hidden_size=embed_dim))
    for start in (blip.query_tokens, blip.vision_model.embeddings.class_embedding,
                  blip.vision_model.embeddings.position_embedding):
        nn.init.normal_(start, std=0.02)
    return blip

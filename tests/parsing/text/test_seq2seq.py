"""Seq2SeqTextParser on a tiny random T5 and a tiny BART with written weights, made offline."""

import pytest
import torch

from finsta.parsing.text import Seq2SeqTextParser
from finsta.registry import SG_PARSERS

transformers = pytest.importorskip('transformers')
tokenizers = pytest.importorskip('tokenizers')

# what the BART below writes, word by word, whatever it reads
CHAIN = ['<pad>', '( man , ride , wave )', ', ( wave', ', is , big )', '</s>']
TEXT = 'A man riding a big wave'


def _tokenizer():
    words = [*CHAIN, '<unk>', *'abcdefghij']
    core = tokenizers.Tokenizer(tokenizers.models.WordLevel(
        {w: i for i, w in enumerate(words)}, unk_token='<unk>'))
    core.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    core.post_processor = tokenizers.processors.TemplateProcessing(
        single='$A </s>', special_tokens=[('</s>', CHAIN.index('</s>'))])
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token='<pad>', eos_token='</s>', unk_token='<unk>')


def _model(size):
    torch.manual_seed(0)
    return transformers.T5ForConditionalGeneration(transformers.T5Config(
        vocab_size=size, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2, pad_token_id=0,
        decoder_start_token_id=0, eos_token_id=CHAIN.index('</s>')))


def _save(folder, model):
    model.save_pretrained(folder)
    _tokenizer().save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope='module')
def writer(tmp_path_factory):
    """A BART that writes CHAIN: its layers are zero, its position t says the word t + 1."""
    size, eos = len(_tokenizer()), CHAIN.index('</s>')
    model = transformers.BartForConditionalGeneration(transformers.BartConfig(
        vocab_size=size, d_model=size, encoder_layers=1, decoder_layers=1, encoder_ffn_dim=8,
        decoder_ffn_dim=8, encoder_attention_heads=2, decoder_attention_heads=2, pad_token_id=0,
        bos_token_id=0, eos_token_id=eos, decoder_start_token_id=0, forced_eos_token_id=None,
        max_position_embeddings=300))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.fill_(float('norm' in name and name.endswith('weight')))
        model.model.shared.weight.copy_(torch.eye(size))
        positions = model.model.decoder.embed_positions
        for t in range(eos):
            positions.weight[t + positions.offset, t + 1] = 5.0
    return _save(tmp_path_factory.mktemp('bart'), model)


def test_output_becomes_a_graph_with_spans(writer):
    parser = SG_PARSERS.build(dict(type='Seq2SeqTextParser', model=writer, device='cpu'))
    graph = parser.parse([TEXT])[0]
    named = {(n.kind, n.label): TEXT[slice(*n.span)] for n in graph.nodes}
    assert named == {('object', 'man'): 'man', ('object', 'wave'): 'wave',
                     ('predicate', 'ride'): 'riding', ('attribute', 'big'): 'big'}
    assert [[graph.nodes[i].label for i in triple] for triple in graph.triples()] == [
        ['man', 'ride', 'wave']]
    wave = [n.label for n in graph.nodes].index('wave')
    assert [graph.nodes[a].label for a in graph.targets(wave, 'attribute')] == ['big']
    assert 'Seq2SeqTextParser' in graph.parser


def test_words_that_are_not_in_the_text_have_no_span(writer):
    graph = Seq2SeqTextParser(writer, device='cpu').parse(['ein Mann'])[0]
    assert {n.label: n.span for n in graph.nodes}['wave'] is None


def test_batching_changes_nothing(writer):
    texts = [TEXT, 'a man', 'x ' * 50]
    together, alone = (Seq2SeqTextParser(writer, device='cpu', batch_size=size).parse(texts)
                       for size in (4, 1))
    assert [g.to_dict() for g in together] == [g.to_dict() for g in alone]


def test_random_model_never_raises(tmp_path):
    parser = Seq2SeqTextParser(_save(tmp_path, _model(len(_tokenizer()))), device='cpu',
                               max_input_tokens=16, max_output_tokens=12)
    texts = ['', '😀', 'dogs ' * 10_000, 'a man', '\x00 \u202e']
    graphs = parser.parse(texts)
    assert [g.text for g in graphs] == texts
    assert graphs[0].nodes == ()
    assert parser.counts['truncated'] == 1 and parser.counts['empty'] >= 1


def test_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='nothing_here'):
        Seq2SeqTextParser(str(tmp_path / 'nothing_here'))


def test_one_string_is_refused(writer):
    with pytest.raises(TypeError, match='list of strings'):
        Seq2SeqTextParser(writer, device='cpu').parse('a man')

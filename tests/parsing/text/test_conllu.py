"""CoNLL-U reading and writing, and the lemma tables counted from it."""

import pytest

from finsta.parsing.text.conllu import read_conllu, write_conllu
from finsta.parsing.text.lemma_tables import build_lemma_tables, by_rules

TEXT = """# text = Don't run, dogs.
1-2\tDon't\t_\t_\t_\t_\t_\t_\t_\t_
1\tDo\tdo\tAUX\tVB\tMood=Imp\t3\taux\t_\t_
2\tn't\tnot\tPART\tRB\t_\t3\tadvmod\t_\t_
3\trun\trun\tVERB\tVB\tVerbForm=Inf\t0\troot\t_\tSpaceAfter=No
4\t,\t,\tPUNCT\t,\t_\t5\tpunct\t_\t_
5\tdogs\tdog\tNOUN\tNNS\tNumber=Plur\t3\tvocative\t_\tSpaceAfter=No
5.1\tghost\tghost\tNOUN\tNN\t_\t_\t_\t_\t_
6\t.\t.\tPUNCT\t.\t_\t3\tpunct\t_\tSpaceAfter=No
"""


@pytest.fixture
def sentence(tmp_path):
    path = tmp_path / 'a.conllu'
    path.write_text(TEXT)
    (found,) = read_conllu(path)
    return found


def test_words_spaces_and_heads(sentence):
    assert sentence.text == "Don't run, dogs."
    assert sentence.words == ['Do', "n't", 'run', ',', 'dogs', '.']
    assert sentence.heads == [2, 2, 2, 4, 2, 2]
    assert sentence.deps[2] == 'ROOT'


def test_caption_forms(sentence):
    assert sentence.lowered().text == "don't run, dogs."
    assert sentence.without_final_punctuation().text == "Don't run, dogs"
    short = sentence.without_final_punctuation()
    assert short.without_final_punctuation() == short


def test_write_then_read(sentence, tmp_path):
    write_conllu(tmp_path / 'b.conllu', [sentence, sentence.lowered()])
    assert read_conllu(tmp_path / 'b.conllu') == [sentence, sentence.lowered()]


def test_bad_row_is_named(tmp_path):
    path = tmp_path / 'bad.conllu'
    path.write_text('1\tonly\tthree\n')
    with pytest.raises(ValueError, match=r'bad\.conllu:1: 3 columns'):
        read_conllu(path)


def test_rules_agree_with_spacys_lemmatizer():
    """``by_rules`` must be what spaCy does, or the exceptions are counted wrongly."""
    spacy = pytest.importorskip('spacy')
    from spacy.lookups import Lookups
    index = {'run', 'chase', 'try', 'trye', 'hope', 'hop', 'sit', 'roll', 'hit'}
    tables = build_lemma_tables([])
    tables['lemma_index'] = {'verb': sorted(index)}
    lookups = Lookups()
    for name, table in tables.items():
        lookups.add_table(name, table)
    nlp = spacy.blank('en')
    nlp.add_pipe('lemmatizer', config={'mode': 'rule'}).initialize(lookups=lookups)
    for form in [
        'running', 'chased', 'trying', 'hoping', 'hopped', 'sits', 'sitting', 'rolled',
        'shoved', 'plunging', 'carries', 'carried', 'mixes', 'go', 'kicked']:
        doc = spacy.tokens.Doc(nlp.vocab, words=[form], pos=['VERB'], morphs=['VerbForm=Part'])
        nlp.get_pipe('lemmatizer')(doc)
        assert by_rules(form, 'verb', index) == doc[0].lemma_, form


def test_irregular_forms_become_exceptions(sentence):
    tables = build_lemma_tables([sentence] * 2)
    assert tables['lemma_exc']['part'] == {"n't": ['not']}
    assert 'dogs' not in tables['lemma_exc'].get('noun', {})
    assert 'dog' in tables['lemma_index']['noun']

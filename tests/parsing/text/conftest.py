"""One loaded parser for the whole folder: the shipped pipeline and conventions."""

import pytest

pytest.importorskip('spacy')


@pytest.fixture(scope='session')
def parser():
    from finsta.parsing.text import RuleTextParser
    return RuleTextParser()


@pytest.fixture(scope='session')
def read(parser):
    """text -> (graph, {(subject, predicate, object)}, {object: {attributes}}, {verb: {how}})."""

    def _read(text):
        graph = parser.parse([text])[0]

        def name(i):
            return None if i is None else graph.nodes[i].label

        triples = {tuple(name(i) for i in t) for t in graph.triples()}
        said = {name(i): {name(a) for a in graph.targets(i, 'attribute')}
                for i in graph.of_kind('object')}
        how = {name(i): {name(a) for a in graph.targets(i, 'predicate_attribute')}
               for i in graph.of_kind('predicate')}
        return graph, triples, said, how

    return _read

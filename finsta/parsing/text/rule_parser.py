"""Text to scene graph by rules over a dependency tree."""

from collections import Counter
from collections.abc import Iterator

from mmengine.logging import print_log

from finsta.parsing.text.build import build_graph
from finsta.parsing.text.conventions import Conventions
from finsta.parsing.text.draft import Draft
from finsta.parsing.text.pipeline import load_pipeline
from finsta.parsing.text.prepositions import collapse_prepositions
from finsta.parsing.text.rules.clauses import add_clauses
from finsta.parsing.text.rules.nominals import add_attributes, find_mentions
from finsta.parsing.text.rules.places import add_places
from finsta.parsing.text.trees import Tree, from_doc
from finsta.registry import SG_PARSERS
from finsta.structures import GraphError, SceneGraph
from finsta.utils.text import well_formed


def draft_of(tree: Tree) -> Draft:
    """Mentions, attributes and relations of a tree (multi-word prepositions are collapsed)."""
    collapse_prepositions(tree)
    draft = Draft(find_mentions(tree))
    add_attributes(tree, draft)
    add_clauses(tree, draft)
    add_places(tree, draft)
    return draft


def graph_of_tree(tree: Tree, text: str, conventions: Conventions | None = None,
                  parser: str = '') -> SceneGraph:
    """The scene graph of a tree whose offsets are those of ``text``; the tree is changed."""
    draft = draft_of(tree)
    if conventions is not None:
        conventions.apply(tree, draft)
    return build_graph(tree, draft, text, parser)


@SG_PARSERS.register_module()
class RuleTextParser:
    """Sentences or short paragraphs to :class:`SceneGraph`, on CPU, deterministic.

    Objects, attributes (adjectives, numerals, "is red"), predicates (verbs also without an
    object, passives, participles, relative clauses, prepositions, possession), and
    ``predicate_attribute`` nodes for adverbs. Pronouns and repeated definite noun phrases of one
    text are merged into one object node; their spans are its ``mentions``. Source: ours
    (method.md, TSG); output labels follow FACTUAL where ``conventions`` says so.

    Args:
        pipeline: ``'builtin'``, a spaCy package name (``'en_core_web_sm'``) or a path.
        conventions: ``'factual'`` for the normalisation learned from FACTUAL (which noun
            modifiers belong to the name, "leg of the man" -> (man, have, leg), ...), a path of
            such a JSON file, or None for the bare rules.
        batch_size: texts a batch of the pipeline.
        max_words: longer texts are cut there, counted under ``'truncated'``.

    Attributes:
        counts: how often something was left out: ``'empty'`` (no object and no predicate found),
            ``'truncated'``, ``'failed'`` (a contradiction inside the rules; empty graph).
    """

    kind = 'text'
    VERSION = 2

    def __init__(self, pipeline: str = 'builtin', conventions: str | None = 'factual',
                 batch_size: int = 256, max_words: int = 400) -> None:
        if max_words < 1 or batch_size < 1:
            raise ValueError(f'max_words={max_words} and batch_size={batch_size} must be positive')
        self.nlp = load_pipeline(pipeline, captions=True)
        self.conventions = Conventions.load(conventions) if conventions else None
        self.batch_size = batch_size
        self.max_words = max_words
        self.counts: Counter = Counter()
        model = self.nlp.meta
        self.name = (f'RuleTextParser/{self.VERSION} {model.get("name")}-{model.get("version")} '
                     f'{conventions or "plain"}')

    def parse(self, texts: list[str]) -> list[SceneGraph]:
        """One graph a text, in order. Content never raises; see ``counts``.

        Raises:
            TypeError: if ``texts`` is one string or holds something that is no string.
        """
        if isinstance(texts, str) or not all(isinstance(t, str) for t in texts):
            raise TypeError('parse() takes a list of strings')
        return list(self._graphs(texts))

    def _graphs(self, texts: list[str]) -> Iterator[SceneGraph]:
        before = Counter(self.counts)
        shown = [well_formed(self._cut(text)) for text in texts]
        docs = self.nlp.pipe(shown, batch_size=self.batch_size)
        for text, doc in zip(texts, docs, strict=True):
            yield self._graph(doc, text)
        new = self.counts - before
        if new:
            print_log(f'RuleTextParser: of {len(texts)} texts {dict(new)}', 'current')

    def _cut(self, text: str) -> str:
        """The first ``max_words`` words; also bounds a single endless "word"."""
        limit = 40 * self.max_words
        kept = text[:limit]
        words = kept.split()
        if len(words) > self.max_words:
            end, position = 0, 0
            for word in words[:self.max_words]:
                position = kept.index(word, position)
                end = position = position + len(word)
            kept = kept[:end]
        if len(kept) < len(text.rstrip()):
            self.counts['truncated'] += 1
        return kept

    def _graph(self, doc, text: str) -> SceneGraph:
        try:
            graph = graph_of_tree(from_doc(doc), text, self.conventions, self.name)
        except (GraphError, RecursionError, KeyError, IndexError, ValueError) as error:
            self.counts['failed'] += 1
            print_log(f'RuleTextParser: no graph for {text[:80]!r}: {error!r}', 'current', 30)
            return SceneGraph(text=text, parser=self.name)
        if not graph.nodes:
            self.counts['empty'] += 1
        return graph

"""Scene -> sentences with their gold text graphs.

Clauses are finite, progressive or passive, with the adverb in front, before the verb or at the
end. Two events are joined by connectives of which half name the earlier event first and half the
later one, so the order of words says nothing about the order of time; the connective does, and
hangs on both predicates as the predicate attribute "first" / "second" / "while".
"""

from collections.abc import Sequence

import numpy as np

from finsta.structures import SceneGraph
from finsta.synthvl.gold import Facts, relation_entity
from finsta.synthvl.scene import Event, Scene
from finsta.synthvl.vocabulary import (
    ADVERBS,
    GENERIC_NOUNS,
    KINDS,
    RELATIONS,
    SHAPES,
    SIZES,
    TEXTURES,
)
from finsta.synthvl.writer import Writer

# "{1}" is the earlier event, "{2}" the later one; words in brackets are the connective
EARLIER_FIRST = ('{1} , [then] {2}', '{1} [before] {2}', '[after] {1} , {2}',
                 '{1} , and [after that] {2}')
LATER_FIRST = ('{2} [after] {1}', '[before] {2} , {1}', '{2} , but [first] {1}',
               '{2} , and [before that] {1}')
TOGETHER = ('{1} [while] {2}', '[while] {1} , {2}', '{1} , and [at the same time] {2}',
            '[as] {1} , {2}')


def pick(rng: np.random.Generator, items: Sequence):
    """A uniformly drawn item."""
    return items[int(rng.integers(len(items)))]


class Narrator:
    """Writes about one scene; keeps what was mentioned and who "it" is.

    Args:
        scene: what to write about.
        rng: draws surface forms.
        facts: the scene's facts, where they are at hand.
        variant: a number picks the same surface form every time (minimal pairs).
    """

    def __init__(self, scene: Scene, rng: np.random.Generator, facts: Facts | None = None,
                 variant: int | None = None) -> None:
        self.scene, self.rng, self.variant = scene, rng, variant
        self.synonyms = variant is None
        self.facts = facts or Facts(scene)
        self.writer = Writer()
        self.known: set[int] = set()
        # things that a question asks for -> how to write them
        self.blanks: dict[int, str] = {}
        self.last_subject: int | None = None
        present = scene.states.present
        first = [int(np.argmax(present[:, k])) for k in range(len(scene.things))]
        self.shot = [sum(f >= c for c in scene.cuts) for f in first]

    def say(self, options: Sequence[str]) -> str:
        """A synonym."""
        if self.variant is None:
            return pick(self.rng, options)
        return options[self.variant % len(options)]

    def key(self, k: int | None) -> object:
        """The writer's key of a thing: its number, unless a question asks for it."""
        return ('asked', k) if k in self.blanks else k

    def mention(self, k: int, pronoun: bool = False, full: bool = False,
                it: bool = False) -> None:
        """A noun phrase that no other thing of the shot answers to; ``it`` forces the pronoun."""
        w, rng, thing = self.writer, self.rng, self.scene.things[k]
        if k in self.blanks:
            words = self.blanks[k].split()
            noun = next((x for x in words if x in ('what', 'who', *GENERIC_NOUNS)), words[0])
            for x in words:
                w.thing(self.key(k), noun, x) if x == noun else w.word(x)
            return
        if it or (pronoun and self.synonyms and k == self.last_subject and rng.random() < 0.6):
            w.thing(k, thing.shape, 'it')
            return
        others = [t for t in self.scene.things
                  if t.index != k and self.shot[t.index] == self.shot[k]]
        same_shape = [t for t in others if t.shape == thing.shape]
        colour = (bool(same_shape) or full or not self.synonyms
                  or rng.random() < (0.5 if k in self.known else 0.9))
        extra = self.synonyms and k not in self.known
        first = k not in self.known and not same_shape and rng.random() < 0.4
        self.known.add(k)
        attributes = []
        if extra and self.facts.sized[k] and rng.random() < 0.25:
            attributes.append((thing.size, self.say(SIZES[thing.size])))
        if extra and rng.random() < (0.5 if thing.texture == 'striped' else 0.06):
            attributes.append((thing.texture, self.say(TEXTURES[thing.texture])))
        if colour:
            attributes.append((thing.colour, thing.colour))
        noun = self.say(SHAPES[thing.shape])
        head = attributes[0][1] if attributes else noun
        w.word(('an' if head[0] in 'aeiou' else 'a') if first and self.synonyms else 'the')
        for label, words in attributes:
            w.attribute(k, label, words)
        w.thing(k, thing.shape, noun)

    def clause(self, event: Event, lead: bool = False, pronoun: bool = False,
               form: str | None = None, it: bool = False,
               place: tuple[str, int] | None = None) -> None:
        """One event as a clause.

        ``lead`` allows a sentence-initial adverb, ``pronoun`` allows and ``it`` forces "it" as
        subject; ``place`` = (relation, thing) adds "left of the square" to the subject.
        """
        w, rng, kind = self.writer, self.rng, KINDS[event.label]
        verbs = [v for v in kind.verbs if v[2]] if form == 'passive' else kind.verbs
        verb = self.say(verbs)
        if form is None:
            forms = ['finite', 'finite', 'progressive'] + (['passive'] if verb[2] else [])
            form = pick(rng, forms) if self.synonyms else 'finite'
        key = ('event', event.index)
        w.open_predicate(key, event.label, event.index, self.key(event.subject),
                         self.key(event.object))
        adverb = None if event.adverb is None else self.say(ADVERBS[event.adverb])
        places = ['verb', 'end'] + (['lead'] if lead else [])
        where = pick(rng, places) if self.synonyms else 'end'
        if adverb and where == 'lead':
            w.adverb(key, event.adverb, adverb)
            w.word(',')
        agent, patient = event.subject, event.object
        self.mention(patient if form == 'passive' else agent, pronoun, it=it)
        if place is not None:
            label, other = place
            near = (agent, label, other)
            w.open_predicate(near, label, relation_entity(agent, other, label), agent, other)
            w.predicate(near, self.say(RELATIONS[label]))
            self.mention(other)
        if form in ('progressive', 'passive'):
            w.word('is')
        if adverb and where == 'verb':
            w.adverb(key, event.adverb, adverb)
        w.predicate(key, {'finite': verb[0], 'progressive': verb[1], 'passive': verb[2]}[form])
        if form == 'passive':
            w.word('by')
            self.mention(agent)
        else:
            if verb[3]:
                w.predicate(key, verb[3])
            if patient is not None:
                self.mention(patient)
        if adverb and where == 'end':
            w.adverb(key, event.adverb, adverb)
        self.last_subject = patient if form == 'passive' else agent

    def join(self, template: str, first: Sequence[Event], second: Sequence[Event]) -> None:
        """Two groups of one event each by a connective template."""
        w = self.writer
        pair = {'{1}': first[0], '{2}': second[0]}
        marks = ('while', 'while') if template in TOGETHER else ('first', 'second')
        said = 0
        for piece in _pieces(template):
            if piece in pair:
                self.clause(pair[piece], pronoun=said > 0)
                said += 1
            elif piece.startswith('['):
                span = w.word(piece[1:-1])
                connective = span
            else:
                w.plain(piece)
        for event, label in zip((first[0], second[0]), marks, strict=True):
            w.mark(('event', event.index), label, connective)

    def tell(self, events: Sequence[Event]) -> None:
        """All events, without a final stop."""
        groups: list[list[Event]] = []
        for e in sorted(events, key=lambda e: (e.start, e.index)):
            if groups and groups[-1][0].start == e.start:
                groups[-1].append(e)
            else:
                groups.append([e])
        self._groups(groups)

    def _groups(self, groups: list[list[Event]]) -> None:
        rng = self.rng
        if len(groups) == 1 and len(groups[0]) == 1:
            lead = not self.writer.text or self.writer.text[-1] in '.'
            self.clause(groups[0][0], lead=lead, pronoun=True)
        elif len(groups) == 1:
            a, b = (groups[0][i] for i in rng.permutation(2))
            self.join(pick(rng, TOGETHER), [a], [b])
        elif len(groups) == 2 and len(groups[0]) == len(groups[1]) == 1:
            self.join(pick(rng, pick(rng, (EARLIER_FIRST, LATER_FIRST))), *groups)
        else:
            middle = len(groups) // 2 if rng.random() < 0.5 else (len(groups) + 1) // 2
            head, tail = groups[:middle], groups[middle:]
            if rng.random() < 0.5:
                first, second, words = head, tail, ('After that', 'Later', 'Then')
            else:
                first, second, words = tail, head, ('Before that', 'Earlier', 'But first')
            self._groups(first)
            self.writer.word('.')
            self.writer.plain(pick(rng, words) + ' ,')
            self._groups(second)

    def relation(self, a: int, label: str, b: int, verb: str = 'is') -> None:
        """A static relation as a clause."""
        w, key = self.writer, (a, label, b)
        w.open_predicate(key, label, relation_entity(a, b, label), a, b)
        self.mention(a)
        w.word(verb)
        w.predicate(key, self.say(RELATIONS[label]))
        self.mention(b)

    def setting(self) -> None:
        """One sentence about what does not change: a steady relation, or what is there."""
        rng = self.rng
        relations = self.facts.steady_relations()
        if relations and rng.random() < 0.6:
            self.relation(*pick(rng, relations))
            return
        unknown = [t.index for t in self.scene.things if t.index not in self.known]
        if not unknown:
            return
        self.writer.plain(pick(rng, ('there is', 'one can see', 'we see')))
        self.mention(pick(rng, unknown), full=True)

    def done(self) -> tuple[str, SceneGraph]:
        """The text with its final stop, and its graph."""
        if not self.writer.text.endswith(('.', '?')):
            self.writer.word('.')
        return self.writer.text, self.writer.graph()


def _pieces(template: str) -> list[str]:
    out, rest = [], template
    while rest:
        rest = rest.strip()
        if rest[0] in '[{':
            end = rest.index(']' if rest[0] == '[' else '}') + 1
        else:
            ends = [i for i in (rest.find('['), rest.find('{')) if i > 0]
            end = min(ends) if ends else len(rest)
        out.append(rest[:end].strip())
        rest = rest[end:]
    return out


def describe(scene: Scene, rng: np.random.Generator, facts: Facts | None = None
             ) -> tuple[str, SceneGraph]:
    """A caption and its gold graph; a paragraph for a clip with cuts.

    Three captions in four tell every event, the others some of them; one in three adds a
    sentence about what stays. A staged scene is told by its script, always where it holds
    lookalikes and else every other time.
    """
    narrator = Narrator(scene, rng, facts)
    if scene.script is not None and (scene.lookalikes or rng.random() < 0.5):
        scene.script(narrator)
        return narrator.done()
    events = scene.told_events
    if scene.cuts:
        return _paragraph(narrator, events)
    if len(events) > 1 and rng.random() < 0.25:
        keep = sorted(rng.choice(len(events), int(rng.integers(1, len(events))), replace=False))
        events = [events[i] for i in keep]
    extra = rng.random()
    if extra < 0.15:
        narrator.setting()
        if narrator.writer.text:
            narrator.writer.word('.')
    if len(events) == 1 and rng.random() < 0.15 and _relative(narrator, events[0]):
        pass
    else:
        narrator.tell(events)
    if extra > 0.82:
        before = narrator.writer
        if narrator.facts.steady_relations() or len(narrator.known) < len(scene.things):
            before.word('.')
            narrator.setting()
    return narrator.done()


def _relative(narrator: Narrator, event: Event) -> bool:
    """``there is a red circle that moves left``, and with a relation where one holds."""
    w, kind = narrator.writer, KINDS[event.label]
    verb = narrator.say(kind.verbs)
    w.plain(narrator.say(('there is', 'one can see', 'the clip shows')))
    narrator.mention(event.subject, full=True)
    w.word(narrator.say(('that', 'which')))
    key = ('event', event.index)
    w.open_predicate(key, event.label, event.index, event.subject, event.object)
    w.predicate(key, verb[0])
    if verb[3]:
        w.predicate(key, verb[3])
    if event.object is not None:
        narrator.mention(event.object)
    if event.adverb:
        w.adverb(key, event.adverb, narrator.say(ADVERBS[event.adverb]))
    return True


def _paragraph(narrator: Narrator, events: Sequence[Event]) -> tuple[str, SceneGraph]:
    scene = narrator.scene
    for shot in range(len(scene.cuts) + 1):
        here = [e for e in events if sum(e.start >= c for c in scene.cuts) == shot]
        if narrator.writer.text:
            narrator.writer.word('.')
        if shot and narrator.rng.random() < 0.5:
            narrator.writer.plain(pick(narrator.rng, ('in the next shot ,', 'after a cut ,')))
        narrator.last_subject = None
        narrator.tell(here)
    return narrator.done()


def subtitles(scene: Scene, rng: np.random.Generator) -> list[tuple[str, float, float]]:
    """Dialogue lines (text, start s, end s): a speaker remarks on each event as it happens."""
    lines = []
    openers = ('Look ,', 'Watch this :', 'Oh ,', 'See how', 'And now')
    for e in scene.told_events:
        narrator = Narrator(scene, rng)
        opener = pick(rng, openers).replace(' :', ' ,')
        narrator.writer.plain(opener)
        narrator.clause(e)
        lines.append((narrator.done()[0], e.start / scene.fps, e.end / scene.fps))
    return lines

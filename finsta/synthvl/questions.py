"""Scene -> questions with answers, choices and gold text graphs.

Open-ended answers are one word of a closed vocabulary. What a question asks for is drawn
independently of how it is worded, so the text says next to nothing about the answer; the figures
are in ``probes.text_only_accuracy``. The thing asked for is a node without entity.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from finsta.structures import SceneGraph
from finsta.synthvl.gold import Facts
from finsta.synthvl.language import Narrator, pick
from finsta.synthvl.scene import Event, Scene
from finsta.synthvl.vocabulary import (
    ADVERBS,
    COLOURS,
    DIRECTIONS,
    GENERIC_NOUNS,
    KINDS,
    MOVES,
    NUMBERS,
    OPPOSITE,
    SHAPES,
)


@dataclass(frozen=True)
class Question:
    """One question.

    Attributes:
        kind: what, who, colour, new_colour, direction, where, how_many, how, before_after,
            why_not, yes_no, what_happens.
        text, tsg: the question and its graph. answer: one word (a sentence for what_happens).
        choices, correct: multiple-choice form.
    """

    kind: str
    text: str
    answer: str
    tsg: SceneGraph
    choices: tuple[str, ...] = ()
    correct: int = -1

    @property
    def open_ended(self) -> bool:
        """Whether the answer is a word of the closed vocabulary."""
        return self.kind != 'what_happens'


_VERBS = tuple(sorted({k.answer for k in KINDS.values()} - set(COLOURS)))
_POOLS = {'what': tuple(SHAPES), 'who': tuple(SHAPES), 'colour': tuple(COLOURS),
          'new_colour': tuple(COLOURS), 'direction': tuple(DIRECTIONS), 'where': ('left', 'right'),
          'how_many': NUMBERS[:5], 'before_after': ('before', 'after'), 'why_not': _VERBS,
          'yes_no': ('yes', 'no')}
ANSWERS = tuple(sorted({a for pool in _POOLS.values() for a in pool} | set(ADVERBS)
                       | set(COLOURS)))
# share of drawn questions kept, by answer, so that no number is frequent
_KEEP_MOVING = {0: 1.0, 1: 0.4, 2: 0.8, 3: 1.0, 4: 1.0}
Draft = tuple[str, str] | None


def _unique(scene: Scene, event: Event) -> bool:
    """Whether the event's label (and its object) names one subject only."""
    return not any(e.label == event.label and e.subject != event.subject for e in scene.events)


def _what(n: Narrator, e: Event, kind: str = 'what') -> Draft:
    if not _unique(n.scene, e) or (kind == 'who') != KINDS[e.label].relational:
        return None
    asked = e.subject
    if kind == 'who' and n.rng.random() < 0.5 and any(v[2] for v in KINDS[e.label].verbs):
        asked = e.object
    n.blanks = {asked: kind}
    form = 'passive' if asked == e.object else None if kind == 'what' else 'finite'
    n.clause(e, form=form)
    return kind, n.scene.things[asked].shape


def _who(n: Narrator, e: Event) -> Draft:
    return _what(n, e, 'who')


def _colour(n: Narrator, e: Event) -> Draft:
    scene = n.scene
    if not _unique(scene, e) or any(x.label.startswith('turn ') and x.subject == e.subject
                                    for x in scene.events):
        return None
    n.blanks = {e.subject: f'the {pick(n.rng, GENERIC_NOUNS)} that'}
    n.writer.plain(pick(n.rng, ('which colour is', 'what is the colour of')))
    n.clause(e, form='finite')
    return 'colour', scene.things[e.subject].colour


def _new_colour(n: Narrator, e: Event) -> Draft:
    if not e.label.startswith('turn '):
        return None
    same = [t for t in n.scene.things if t.shape == n.scene.things[e.subject].shape]
    if len(same) > 1:
        return None
    n.writer.plain('which colour does')
    _bare(n, e.subject)
    n.writer.open_predicate('turn', 'turn', e.index, e.subject)
    n.writer.predicate('turn', pick(n.rng, ('turn', 'become')))
    return 'new_colour', e.label.split()[1]


def _bare(n: Narrator, k: int) -> None:
    thing = n.scene.things[k]
    n.writer.word('the')
    n.writer.thing(k, thing.shape, n.say(SHAPES[thing.shape]))


def _direction(n: Narrator, e: Event) -> Draft:
    moves = [x for x in n.scene.events if x.label in MOVES and x.subject == e.subject]
    if e.label not in MOVES or len(moves) > 1:
        return None
    w = n.writer
    w.plain(pick(n.rng, ('in which direction does', 'which way does')))
    n.mention(e.subject)
    w.open_predicate('move', 'move', e.index, e.subject)
    w.predicate('move', pick(n.rng, ('move', 'go', 'travel')))
    return 'direction', e.label.split()[1]


def _where(n: Narrator, e: Event) -> Draft:
    x = n.scene.states.x[-1, e.subject]
    if not n.facts.visible[-1, e.subject] or abs(x - 0.5) < 0.08:
        return None
    n.writer.plain(pick(n.rng, ('on which side is', 'where is')))
    n.mention(e.subject)
    n.writer.plain('at the end')
    return 'where', 'left' if x < 0.5 else 'right'


def _how_many(n: Narrator, e: Event) -> Draft:
    s, seen = n.scene.states, n.facts.visible
    if n.rng.random() < 0.3:
        count = int(seen.any(0).sum())
        if count == 2 and n.rng.random() > 0.4:
            return None
        n.writer.plain(pick(n.rng, ('how many objects are there', 'how many things can be seen')))
        return 'how_many', NUMBERS[count]
    moving = 0
    for k in range(s.x.shape[1]):
        f = np.flatnonzero(seen[:, k])
        moving += bool(len(f) and max(np.ptp(s.x[f, k]), np.ptp(s.y[f, k])) > 0.1)
    if n.rng.random() > _KEEP_MOVING.get(moving, 1.0):
        return None
    n.writer.plain('how many objects')
    n.writer.plain(pick(n.rng, ('move', 'change their place')))
    return 'how_many', NUMBERS[moving]


def _how(n: Narrator, e: Event) -> Draft:
    if e.adverb is None:
        return None
    same = [x for x in n.scene.told_events if (x.label, x.subject) == (e.label, e.subject)]
    if len(same) > 1:
        return None
    w, verb = n.writer, pick(n.rng, KINDS[e.label].verbs)
    w.plain('how is')
    n.mention(e.subject)
    key = ('event', e.index)
    w.open_predicate(key, e.label, e.index, e.subject, e.object)
    w.predicate(key, verb[1])
    if verb[3]:
        w.predicate(key, verb[3])
    if e.object is not None:
        n.mention(e.object)
    return 'how', e.adverb


def _two_in_order(n: Narrator) -> tuple[Event, Event] | None:
    events = n.scene.told_events
    pairs = [(a, b) for a in events for b in events
             if a.end <= b.start and (a.label, a.subject) != (b.label, b.subject)]
    return pick(n.rng, pairs) if pairs else None


def _before_after(n: Narrator, e: Event) -> Draft:
    pair = _two_in_order(n)
    if pair is None:
        return None
    first = bool(n.rng.integers(2))
    said, other = pair if first else pair[::-1]
    n.writer.plain('is it before or after')
    n.clause(other)
    n.writer.word('that')
    n.clause(said)
    return 'before_after', 'before' if first else 'after'


def _why_not(n: Narrator, e: Event) -> Draft:
    events = n.scene.told_events
    if len(events) < 2 or events[-1].start == events[-2].start or events[0].end > events[1].start:
        return None
    place, event = ('last', events[0]) if n.rng.random() < 0.5 else ('first', events[-1])
    if event.label.startswith('turn '):
        return None
    n.writer.plain('if the order of events were reversed ,')
    n.writer.plain(f'what would happen {place}')
    return 'why_not', KINDS[event.label].answer


def _yes_no(n: Narrator, e: Event) -> Draft:
    true = bool(n.rng.integers(2))
    event = e
    if not true:
        edited = edit_event(n.scene, e, n.rng)
        if edited is None:
            return None
        event = edited
    elif edit_event(n.scene, e, n.rng) is None:
        # an event that cannot be edited would always be true
        return None
    n.writer.plain(pick(n.rng, ('is it true that', 'is it the case that')))
    n.clause(event)
    return 'yes_no', 'yes' if true else 'no'


def edit_event(scene: Scene, event: Event, rng: np.random.Generator) -> Event | None:
    """A false event that differs in one part: subject, direction, adverb, or the two roles."""
    edits: list[Event] = []
    for t in scene.things:
        visible = scene.states.present[:, t.index].any()
        if t.index not in (event.subject, event.object) and visible:
            edits.append(replace(event, subject=t.index))
    if event.label in MOVES:
        edits.append(replace(event, label=f'move {OPPOSITE[event.label.split()[1]]}'))
    if event.object is not None:
        edits.append(replace(event, subject=event.object, object=event.subject))
    truths = {(e.label, e.subject, e.object) for e in scene.events}
    edits = [x for x in edits if (x.label, x.subject, x.object) not in truths
             and not (x.label == 'wait' or (x.label in ('stop', 'follow') and x.object is None))]
    # an approach of one thing to another is one of the other to it on the screen: both near
    return replace(pick(rng, edits), index=-1) if edits else None


def _what_happens(n: Narrator, e: Event) -> Draft:
    n.writer.plain(pick(n.rng, ('what happens', 'what happens in the clip')))
    return 'what_happens', ''


_ASKERS: dict[str, Callable[[Narrator, Event], Draft]] = {
    'what': _what, 'who': _who, 'colour': _colour, 'new_colour': _new_colour,
    'direction': _direction, 'where': _where, 'how_many': _how_many, 'how': _how,
    'before_after': _before_after, 'why_not': _why_not, 'yes_no': _yes_no,
    'what_happens': _what_happens}
KINDS_OF_QUESTION = tuple(_ASKERS)


def ask(scene: Scene, rng: np.random.Generator, facts: Facts | None = None,
        kinds: tuple[str, ...] = KINDS_OF_QUESTION) -> list[Question]:
    """One question of every kind that the scene allows.

    Returns:
        Questions in the order of ``kinds``; choices are shuffled.
    """
    facts = facts or Facts(scene)
    out = []
    if scene.lookalikes:
        # a noun phrase would not say which of them is meant
        kinds = tuple(k for k in kinds if k in ('how_many', 'new_colour'))
    for kind in kinds:
        if not scene.told_events:
            break
        event = pick(rng, _candidates(scene, kind))
        narrator = Narrator(scene, rng, facts)
        draft = _ASKERS[kind](narrator, event)
        if draft is None:
            continue
        narrator.writer.word('?')
        graph = _without_false(narrator.writer.graph())
        question = Question(kind, narrator.writer.text, draft[1], graph)
        finished = _with_choices(question, scene, event, rng, facts)
        if finished is not None:
            out.append(finished)
    return out


def _candidates(scene: Scene, kind: str) -> list[Event]:
    events = scene.told_events
    if kind == 'new_colour':
        return [e for e in events if e.label.startswith('turn ')] or events
    if kind == 'direction':
        return [e for e in events if e.label in MOVES] or events
    if kind == 'how':
        return [e for e in events if e.adverb] or events
    return events


def _without_false(graph: SceneGraph) -> SceneGraph:
    """Predicates of edited events have no counterpart in the video."""
    nodes = tuple(replace(n, entity=None) if n.entity is not None and n.entity < 0 else n
                  for n in graph.nodes)
    return SceneGraph(nodes, graph.edges, graph.text, graph.parser)


def _with_choices(q: Question, scene: Scene, event: Event, rng: np.random.Generator,
                  facts: Facts) -> Question | None:
    if q.kind == 'what_happens':
        sentences = [_sentence(scene, event, rng, facts)]
        for _ in range(12):
            edited = edit_event(scene, event, rng)
            if edited is not None and len(sentences) < 4:
                other = _sentence(scene, edited, rng, facts)
                if other not in sentences:
                    sentences.append(other)
        if len(sentences) < 3:
            return None
        q = replace(q, answer=sentences[0])
        options = sentences
    else:
        pool = KINDS[event.label].adverbs if q.kind == 'how' else _POOLS[q.kind]
        wrong = [a for a in pool if a != q.answer]
        here = [w for w in wrong if w in {t.shape for t in scene.things}
                | {t.colour for t in scene.things}]
        rest = [w for w in wrong if w not in here]
        rng.shuffle(rest)
        options = [q.answer, *(here + rest)[:4]]
    order = rng.permutation(len(options))
    choices = tuple(options[i] for i in order)
    return replace(q, choices=choices, correct=choices.index(q.answer))


def _sentence(scene: Scene, event: Event, rng: np.random.Generator, facts: Facts) -> str:
    narrator = Narrator(scene, rng, facts)
    narrator.clause(event)
    return narrator.done()[0]

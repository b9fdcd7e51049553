"""The words of the world: shapes, colours, events, adverbs, and their surface synonyms.

Node labels of gold graphs are the canonical words (the keys here), whichever synonym a sentence
uses, so that a text node and the visual node it refers to carry the same string. Ours.
"""

from dataclasses import dataclass

# canonical shape -> nouns
SHAPES = {'circle': ('circle', 'disc'), 'square': ('square', 'box'), 'triangle': ('triangle',),
          'star': ('star',), 'heart': ('heart',), 'cross': ('cross', 'plus'),
          'ring': ('ring',), 'diamond': ('diamond',)}
# canonical colour -> RGB
COLOURS = {'red': (222, 40, 44), 'orange': (255, 150, 0), 'yellow': (250, 232, 60),
           'green': (36, 165, 62), 'cyan': (60, 215, 225), 'blue': (44, 76, 226),
           'purple': (140, 50, 180), 'pink': (255, 140, 195)}
SIZES = {'small': ('small', 'little', 'tiny'), 'large': ('large', 'big', 'huge')}
# radius as a fraction of the canvas
RADIUS = {'small': 0.11, 'large': 0.165}
TEXTURES = {'plain': ('plain', 'solid'), 'striped': ('striped',)}
GENERIC_NOUNS = ('object', 'shape', 'thing')
NUMBERS = ('zero', 'one', 'two', 'three', 'four', 'five', 'six')

DIRECTIONS = {'left': (-1, 0), 'right': (1, 0), 'up': (0, -1), 'down': (0, 1)}
OPPOSITE = {'left': 'right', 'right': 'left', 'up': 'down', 'down': 'up'}
# shapes whose rotation shows in pixels even when plain
TURNABLE = ('square', 'triangle', 'star', 'heart', 'cross', 'diamond')

ADVERBS = {'slowly': ('slowly', 'gradually'), 'quickly': ('quickly', 'rapidly'),
           'repeatedly': ('repeatedly',), 'once': ('once',),
           'smoothly': ('smoothly', 'evenly'), 'jerkily': ('jerkily', 'unevenly')}
SPEED = ('slowly', 'quickly')
MANNER = (*SPEED, 'smoothly', 'jerkily')

# static relations, canonical label -> surfaces after "is"
RELATIONS = {'left of': ('left of', 'to the left of', 'on the left of'),
             'right of': ('right of', 'to the right of', 'on the right of'),
             'above': ('above', 'over'), 'below': ('below', 'under', 'underneath'),
             'inside': ('inside', 'within'), 'touching': ('touching', 'in contact with'),
             'larger than': ('larger than', 'bigger than')}


@dataclass(frozen=True)
class Kind:
    """How one kind of event is said and done.

    Attributes:
        verbs: (third person, gerund, participle or '') of each synonym, each with its particle.
        relational: whether there is an object.
        adverbs: adverbs that its pixels can show.
        answer: the one word that answers "what does it do".
    """

    verbs: tuple[tuple[str, str, str, str], ...]
    relational: bool = False
    adverbs: tuple[str, ...] = ()
    answer: str = ''


def _move(direction: str) -> Kind:
    ways = {'left': ('left', 'to the left', 'leftwards'),
            'right': ('right', 'to the right', 'rightwards'),
            'up': ('up', 'upwards', 'to the top'), 'down': ('down', 'downwards', 'to the bottom')}
    verbs = (('moves', 'moving'), ('slides', 'sliding'), ('travels', 'traveling'),
             ('drifts', 'drifting'), ('glides', 'gliding'))
    return Kind(tuple((v, g, '', way) for v, g in verbs for way in ways[direction]), False,
                MANNER, direction)


def _turn(colour: str) -> Kind:
    return Kind((('turns', 'turning', '', colour), ('becomes', 'becoming', '', colour),
                 ('changes', 'changing', '', f'to {colour}'),
                 ('shifts', 'shifting', '', f'to {colour}')), answer=colour)


def _kind(rows: str, **options) -> Kind:
    """Rows ``third|gerund|participle|particle`` separated by semicolons."""
    return Kind(tuple(tuple(row.strip().split('|')) for row in rows.split(';')), **options)


KINDS: dict[str, Kind] = {
    'enter': _kind('enters|entering||; appears|appearing||; comes|coming||in; moves|moving||in;'
                   'slides|sliding||in', adverbs=SPEED, answer='enter'),
    'leave': _kind('leaves|leaving||; exits|exiting||; disappears|disappearing||;'
                   'moves|moving||out; goes|going||away', adverbs=SPEED, answer='leave'),
    **{f'move {d}': _move(d) for d in DIRECTIONS},
    'rotate': _kind('rotates|rotating||; spins|spinning||; turns|turning||around;'
                    'revolves|revolving||', adverbs=SPEED, answer='rotate'),
    'grow': _kind('grows|growing||; expands|expanding||; gets|getting||bigger;'
                  'becomes|becoming||larger', adverbs=SPEED, answer='grow'),
    'shrink': _kind('shrinks|shrinking||; contracts|contracting||; gets|getting||smaller;'
                    'becomes|becoming||smaller', adverbs=SPEED, answer='shrink'),
    'flash': _kind('flashes|flashing||; blinks|blinking||; flashes|flashing||white;'
                   'blinks|blinking||white', adverbs=('repeatedly', 'once'), answer='flash'),
    **{f'turn {c}': _turn(c) for c in COLOURS},
    'approach': _kind('approaches|approaching|approached|; nears|nearing||;'
                      'moves|moving||towards; heads|heading||towards; comes|coming||close to',
                      relational=True, adverbs=MANNER, answer='approach'),
    'move away from': _kind('moves|moving||away from; withdraws|withdrawing||from;'
                            'retreats|retreating||from; drifts|drifting||away from',
                            relational=True, adverbs=MANNER, answer='withdraw'),
    'pass behind': _kind('passes|passing||behind; moves|moving||behind; goes|going||behind;'
                         'glides|gliding||behind', relational=True, adverbs=SPEED,
                         answer='behind'),
    'pass in front of': _kind('passes|passing||in front of; moves|moving||in front of;'
                              'goes|going||in front of; glides|gliding||in front of',
                              relational=True, adverbs=SPEED, answer='front'),
    'hit': _kind('hits|hitting|hit|; strikes|striking|struck|; bumps|bumping||into;'
                 'collides|colliding||with', relational=True, answer='hit'),
    'push': _kind('pushes|pushing|pushed|; shoves|shoving|shoved|', relational=True,
                  adverbs=SPEED, answer='push'),
    'follow': _kind('follows|following|followed|; chases|chasing|chased|;'
                    'trails|trailing|trailed|; moves|moving||after', relational=True,
                    adverbs=SPEED, answer='follow'),
    'circle around': _kind('circles|circling|circled|; orbits|orbiting|orbited|;'
                           'moves|moving||around; travels|traveling||around', relational=True,
                           answer='orbit'),
    'stop': _kind('stops|stopping||; halts|halting||; comes|coming||to a stop', answer='stop'),
    'wait': _kind('waits|waiting||; rests|resting||; stays|staying||still; stands|standing||still',
                  answer='wait'),
}
MOVES = tuple(f'move {d}' for d in DIRECTIONS)

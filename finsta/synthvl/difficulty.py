"""The knobs of the world, their defaults, and named held-out splits."""

from dataclasses import dataclass, fields
from typing import Any

from finsta.synthvl.vocabulary import COLOURS, KINDS, SHAPES

BACKGROUNDS = ('plain', 'gradient', 'noise', 'moving')
CAMERAS = ('still', 'pan', 'zoom')


@dataclass(frozen=True)
class Difficulty:
    """What scenes may look like.

    Attributes:
        canvas: pixels of a side; 96..160 is meant. fps: frames a second.
        num_frames: frames of a short clip.
        objects, events: least and most, inclusive.
        backgrounds, cameras: drawn uniformly from these.
        kinds: event labels that may occur; empty: all. 'turn' stands for every colour.
        adverb_rate: share of events with an adverb, where the kind takes one.
        while_rate: share of neighbouring events of different things that overlap.
        confusable: share of scenes in which two things share shape or colour.
        striped: share of striped things.
        inside_rate: share of scenes that start with a small thing drawn inside a large one.
        staged: share of short scenes that are one half of a minimal pair of a random factor, drawn
            apart from the pairs of ``make_pair``; without them a model never sees the forms that
            some factors need (lookalikes, groups that are counted).
        twins: staged scenes come in twos: scenes 2k and 2k + 1 are both halves of one pair, so
            what is there does not tell what happens (complementary pairs, as in VQA v2).
        distractors: further things that nothing is said of and that stand still.
        combinations: 'all', 'train' or 'held_out': of the 64 shape-colour pairs, one in eight
            is held out.
        shots: least and most shots; more than one makes a long clip of concatenated shots.
    """

    canvas: int = 96
    fps: int = 8
    num_frames: int = 24
    objects: tuple[int, int] = (2, 3)
    events: tuple[int, int] = (1, 3)
    backgrounds: tuple[str, ...] = ('plain', 'plain', 'gradient')
    cameras: tuple[str, ...] = ('still',)
    kinds: tuple[str, ...] = ()
    adverb_rate: float = 0.4
    while_rate: float = 0.25
    confusable: float = 0.5
    striped: float = 0.2
    inside_rate: float = 0.05
    staged: float = 0.2
    twins: bool = False
    distractors: int = 0
    combinations: str = 'all'
    shots: tuple[int, int] = (1, 1)

    def __post_init__(self) -> None:
        _among('backgrounds', self.backgrounds, BACKGROUNDS)
        _among('cameras', self.cameras, CAMERAS)
        _among('kinds', self.kinds, (*KINDS, 'turn'))
        _among('combinations', (self.combinations,), ('all', 'train', 'held_out'))
        for name in ('objects', 'events', 'shots'):
            low, high = getattr(self, name)
            if not 1 <= low <= high:
                raise ValueError(f'{name}={getattr(self, name)} must be (least, most) with '
                                 '1 <= least <= most')
        if self.canvas < 32 or self.canvas % 2 or self.fps < 1:
            raise ValueError(f'canvas={self.canvas} must be even and at least 32, and '
                             f'fps={self.fps} at least 1')
        if self.num_frames < 6 * self.events[1]:
            raise ValueError(f'num_frames={self.num_frames} is too short for {self.events[1]} '
                             'events: six frames each at least')
        if self.objects[1] + self.distractors > 6:
            raise ValueError(f'{self.objects[1]} objects and {self.distractors} distractors do '
                             'not fit the canvas: six in all at most')


# arguments that make a split unlike the training one
HELD_OUT: dict[str, dict[str, Any]] = {
    'combinations': dict(combinations='held_out'),
    'objects': dict(objects=(4, 5)),
    'length': dict(shots=(2, 3)),
    'camera': dict(cameras=('pan', 'zoom')),
    'background': dict(backgrounds=('noise', 'moving')),
}
LONG = dict(shots=(8, 12), events=(1, 2), num_frames=32)


def make_difficulty(options: dict[str, Any]) -> Difficulty:
    """Difficulty from keyword arguments; lists become tuples.

    Raises:
        TypeError: naming an unknown option and the known ones.
        ValueError: for a value out of range.
    """
    known = {f.name for f in fields(Difficulty)}
    unknown = sorted(set(options) - known)
    if unknown:
        raise TypeError(f'unknown difficulty option(s) {unknown}; known: {sorted(known)}')
    return Difficulty(**{k: tuple(v) if isinstance(v, list) else v for k, v in options.items()})


def combinations(which: str) -> list[tuple[str, str]]:
    """(shape, colour) pairs; held out are those on one diagonal, so that no shape and no colour
    is unseen."""
    names = list(SHAPES), list(COLOURS)
    pairs = [(s, c, (i + 3 * j) % 8 == 0) for i, s in enumerate(names[0])
             for j, c in enumerate(names[1])]
    return [(s, c) for s, c, held in pairs if which == 'all' or held == (which == 'held_out')]


def _among(name: str, values: tuple[str, ...], known: tuple[str, ...]) -> None:
    wrong = [v for v in values if v not in known]
    if wrong:
        raise ValueError(f'{name}: {wrong} not among {list(known)}')

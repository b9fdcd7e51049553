"""A scene: things, events with intervals, and the state of every thing in every frame.

The states are the single source of pixels, boxes and static relations, the events that of
sentences and predicates. Units: positions and radii in fractions of the canvas, angles in
radians, time in frames. Shapes: F frames, n things.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

VERSION = 1


@dataclass(frozen=True)
class Thing:
    """An object; ``index`` is its entity number in gold graphs."""

    index: int
    shape: str
    colour: str
    size: str
    texture: str


@dataclass(frozen=True)
class Event:
    """Something that happens in frames [start, end).

    Attributes:
        index: entity number of its predicate in gold graphs.
        label: a key of ``KINDS``.
        subject, object: thing numbers; object is None for intransitive ones.
        adverb: canonical adverb or None.
        told: False for what follows from another event (the pushed one moves too): it stands in
            the dynamic graph, sentences leave it out.
    """

    index: int
    label: str
    subject: int
    object: int | None
    start: int
    end: int
    adverb: str | None = None
    told: bool = True


@dataclass
class States:
    """What each thing looks like in each frame; all arrays (F, n)."""

    x: np.ndarray
    y: np.ndarray
    radius: np.ndarray
    angle: np.ndarray
    colour: np.ndarray  # index into COLOURS
    lit: np.ndarray     # in a flash
    present: np.ndarray
    depth: np.ndarray   # drawn from low to high

    @classmethod
    def zeros(cls, frames: int, things: int) -> 'States':
        """All zero, present and unlit."""
        shape = (frames, things)
        return cls(*(np.zeros(shape) for _ in range(4)), np.zeros(shape, np.int64),
                   np.zeros(shape, bool), np.ones(shape, bool), np.zeros(shape))

    def map(self, function) -> 'States':
        """Apply a function to every array."""
        return States(**{k: function(v) for k, v in vars(self).items()})


@dataclass(frozen=True)
class Background:
    """What lies behind: kind (plain, gradient, noise, moving), two RGB colours, a seed."""

    kind: str = 'plain'
    low: tuple[int, int, int] = (40, 40, 44)
    high: tuple[int, int, int] = (40, 40, 44)
    seed: int = 0


@dataclass(frozen=True)
class Scene:
    """Everything about a clip; a pure function of (VERSION, seed, index, difficulty).

    Attributes:
        things, events: in order of their numbers.
        states: per frame.
        camera: (F, 3) centre x, centre y, zoom in canvas units; identity is (.5, .5, 1).
        canvas: pixels of the square canvas; fps: frames a second.
        cuts: first frames of the shots after the first (long clips).
        backgrounds: one of each shot, for a clip with cuts.
        script: how a staged scene (one half of a minimal pair) is told; None for drawn ones.
    """

    things: tuple[Thing, ...]
    events: tuple[Event, ...]
    states: States
    camera: np.ndarray
    background: Background
    canvas: int = 96
    fps: int = 8
    seed: int = 0
    index: int = 0
    cuts: tuple[int, ...] = ()
    backgrounds: tuple[Background, ...] = ()
    script: Callable[[Any], None] | None = field(default=None, compare=False)

    @property
    def num_frames(self) -> int:
        """F."""
        return self.states.x.shape[0]

    @property
    def lookalikes(self) -> bool:
        """Whether two things of a clip without cuts share shape and colour."""
        looks = {(t.shape, t.colour) for t in self.things}
        return not self.cuts and len(looks) < len(self.things)

    @property
    def told_events(self) -> list[Event]:
        """Events that sentences and questions are about, in order of time."""
        return sorted((e for e in self.events if e.told), key=lambda e: (e.start, e.index))

    def background_at(self, frame: int) -> Background:
        """The background of a frame's shot."""
        if not self.backgrounds:
            return self.background
        return self.backgrounds[sum(frame >= c for c in self.cuts)]

    @property
    def background_kind(self) -> str:
        """Kind of the background; of a clip with cuts the kinds of its shots, 'gradient+plain'."""
        return '+'.join(sorted({b.kind for b in self.backgrounds or (self.background,)}))

    def replace(self, **changes) -> 'Scene':
        """A copy with some fields changed."""
        return replace(self, **changes)


def still_camera(frames: int) -> np.ndarray:
    """(F, 3) identity camera."""
    return np.tile(np.array([0.5, 0.5, 1.0]), (frames, 1))

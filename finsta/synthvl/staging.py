"""Clips of minimal pairs under construction: things at given places, events written by hand."""

import numpy as np

from finsta.synthvl.language import Narrator
from finsta.synthvl.planner import draw_background
from finsta.synthvl.scene import Event, Scene, States, Thing, still_camera
from finsta.synthvl.vocabulary import COLOURS, SHAPES

FRAMES = 24
HALF = FRAMES // 2
COLOUR_NAMES = list(COLOURS)


class Stage:
    """A clip under construction: things at given places, events written by hand."""

    def __init__(self, looks: list[tuple[str, str]], places: list[tuple[float, float]],
                 rng: np.random.Generator, radius: float = 0.13) -> None:
        self.rng, self.events = rng, []
        size = 'small' if radius < 0.14 else 'large'
        self.things = [Thing(k, s, c, size, 'plain') for k, (s, c) in enumerate(looks)]
        self.states = States.zeros(FRAMES, len(looks))
        self.states.x[:], self.states.y[:] = np.array(places, float).T
        self.states.radius[:] = radius
        self.states.depth[:] = np.arange(len(looks)) * 0.01
        self.states.colour[:] = [COLOUR_NAMES.index(c) for _, c in looks]

    def event(self, label: str, subject: int, target: int | None = None, start: int = 0,
              end: int = FRAMES, adverb: str | None = None, told: bool = True) -> Event:
        """Declare an event; the states are written by the caller."""
        e = Event(len(self.events), label, subject, target, start, end, adverb, told)
        self.events.append(e)
        return e

    def scene(self) -> Scene:
        """The finished clip on a neutral background."""
        return Scene(tuple(self.things), tuple(self.events), self.states, still_camera(FRAMES),
                     draw_background(self.rng, ('plain', 'plain', 'gradient')))


def draw_colours(rng: np.random.Generator, count: int = 2) -> list[str]:
    """Distinct colours."""
    return [COLOUR_NAMES[i] for i in rng.choice(len(COLOUR_NAMES), count, replace=False)]


def draw_shapes(rng: np.random.Generator, count: int = 2, pool: tuple[str, ...] = tuple(SHAPES)
                ) -> list[str]:
    """Distinct shapes of the pool."""
    return [pool[i] for i in rng.choice(len(pool), count, replace=False)]


def draw_looks(rng: np.random.Generator, pool: tuple[str, ...] = tuple(SHAPES)
               ) -> list[tuple[str, str]]:
    """Two (shape, colour), both different."""
    return list(zip(draw_shapes(rng, 2, pool), draw_colours(rng), strict=True))


def backwards(states: States) -> States:
    """The clip played backwards."""
    return states.map(lambda v: v[::-1].copy())


def tell_both(narrator: Narrator, first: Event, second: Event, templates: tuple[str, ...]) -> None:
    """Two events joined by one of the templates."""
    narrator.join(narrator.say(templates), [first], [second])


def ramp(begin: float, end: float, frames: int = FRAMES) -> np.ndarray:
    """(frames,) even steps from begin to end."""
    return np.linspace(begin, end, frames)

"""Minimal pairs: two videos and two captions; caption k is true of video k only.

Both captions are the same bag of words. Both videos have the same frames in another order, or
frames that one frame cannot tell apart:

=================  ====================================================================
order              two traceless events swap halves; there-and-back of one thing; colours
motion_direction   the same clip backwards
agent_patient      pushing or following backwards: the patient becomes the agent
state_change       the same clip backwards: red turns green / green turns red
relation           lookalikes left and right of a landmark move oppositely; backwards
attribute_binding  red circle and blue square move among a blue circle and a red square that
                   stand where movers might be; colours swapped
adverb             two rotate (from random angles) at swapped speeds, or flash in swapped turns
coreference        one flashes, then "it" rotates, from a random angle: who "it" is differs
counting           two red and one blue rotate of two and two at random angles, or one and two
=================  ====================================================================
"""

from dataclasses import dataclass

import numpy as np

from finsta.structures import SceneGraph
from finsta.synthvl.difficulty import combinations
from finsta.synthvl.factors import MAKERS
from finsta.synthvl.language import Narrator
from finsta.synthvl.scene import VERSION, Scene

FACTORS = tuple(MAKERS)
_SEED_SPACE = 9


@dataclass(frozen=True)
class Pair:
    """Two scenes, two captions, and each caption's graph in terms of its own scene."""

    factor: str
    scenes: tuple[Scene, Scene]
    captions: tuple[str, str]
    graphs: tuple[SceneGraph, SceneGraph]


def make_pair(factor: str, seed: int, index: int, canvas: int = 96, fps: int = 8) -> Pair:
    """The ``index``-th pair of a factor; a pure function of its arguments.

    Which of the two comes first is drawn, so that neither place nor wording tells.

    Raises:
        ValueError: for an unknown factor.
    """
    if factor not in MAKERS:
        raise ValueError(f'factor={factor!r} is none of {list(FACTORS)}')
    rng = np.random.default_rng([VERSION, _SEED_SPACE, seed, FACTORS.index(factor), index])
    halves = MAKERS[factor](rng)
    variant = int(rng.integers(120))
    if rng.random() < 0.5:
        halves = halves[::-1]
    scenes, texts = [], []
    for scene, say in halves:
        scene = scene.replace(canvas=canvas, fps=fps, seed=seed, index=index, script=say)
        narrator = Narrator(scene, rng, variant=variant)
        say(narrator)
        scenes.append(scene)
        texts.append(narrator.done())
    return Pair(factor, tuple(scenes), (texts[0][0], texts[1][0]), (texts[0][1], texts[1][1]))


def stage_scene(factor: str, rng: np.random.Generator, which: str = 'all',
                half: int | None = None) -> Scene:
    """One half of a fresh pair, with its script; ``which`` as in ``Difficulty.combinations``,
    ``half`` 0 or 1, None = drawn."""
    allowed = set(combinations(which))
    for _ in range(1000):
        halves = MAKERS[factor](rng)
        drawn = int(rng.integers(2))
        scene, say = halves[drawn if half is None else half]
        if all((t.shape, t.colour) in allowed for t in scene.things):
            return scene.replace(script=say)
    raise ValueError(f'no {factor} scene of the {which!r} shape-colour combinations')
